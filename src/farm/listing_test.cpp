#include "farm/listing.hpp"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <algorithm>
#include <array>
#include <functional>
#include <tuple>

namespace boruta::farm {
namespace {

// The model: copy everything, sort everything, then cut.

template <class Record>
struct Model {
  std::function<bool(const Record&)> matches;
  std::function<bool(const Record&, const Record&)> less;
};

template <class Record>
Page<const Record*> naive_page(std::vector<const Record*> all, const Model<Record>& model, const Paging& paging,
                               const Record* border) {
  std::ranges::sort(all, [&](const Record* left, const Record* right) {
    return paging.order == SortOrder::kAscending ? model.less(*left, *right) : model.less(*right, *left);
  });
  // Walk in the direction of travel from behind the border.
  if (paging.direction == PageDirection::kBackward) std::ranges::reverse(all);
  Page<const Record*> page;
  bool beyond = border == nullptr;
  for (const auto* record : all) {
    if (model.matches(*record)) {
      ++page.total;
      if (beyond && record != border) {
        if (page.items.size() < paging.limit) {
          page.items.push_back(record);
        } else {
          ++page.remaining;
        }
      }
    }
    beyond = beyond || record == border;
  }
  if (paging.direction == PageDirection::kBackward) std::ranges::reverse(page.items);
  return page;
}

template <class Found, class Record>
void expect_same(const std::expected<Page<Found>, Refusal>& page, const Page<const Record*>& wanted) {
  RC_ASSERT(page.has_value());
  RC_ASSERT(std::ranges::equal(page->items, wanted.items,
                               [](const auto& found, const Record* record) { return *found == *record; }));
  RC_ASSERT(page->total == wanted.total);
  RC_ASSERT(page->remaining == wanted.remaining);
}

constexpr std::array kRequestStates{RequestState::kWaiting, RequestState::kInProgress, RequestState::kCancelled,
                                    RequestState::kTimeout, RequestState::kInvalid,    RequestState::kDone,
                                    RequestState::kFailed};
constexpr std::array kWorkerStates{WorkerState::kMaintenance, WorkerState::kPrepare, WorkerState::kIdle,
                                   WorkerState::kRunning,     WorkerState::kBusy,    WorkerState::kFailed};

template <class Item>
std::optional<std::vector<Item>> maybe_list(const rc::Gen<Item>& gen) {
  if (*rc::gen::inRange(0, 3) != 0) return std::nullopt;
  return *rc::gen::container<std::vector<Item>>(gen);
}

Paging some_paging() {
  return Paging{.order = *rc::gen::element(SortOrder::kAscending, SortOrder::kDescending),
                .direction = *rc::gen::element(PageDirection::kForward, PageDirection::kBackward),
                .limit = *rc::gen::element<std::size_t>(1, 2, 5, limits::kListPage)};
}

Instant small_instant() { return Instant(std::chrono::seconds(*rc::gen::inRange(0, 5))); }

Farm some_requests() {
  Rows rows;
  for (std::uint64_t id = 1; id <= 3; ++id) {
    // Two users of one name: one was deleted.
    rows.users.push_back(User{.id = UserId{id}, .name = id == 2 ? "bob" : "alice", .deleted = id == 1});
  }
  const auto count = *rc::gen::inRange<std::uint64_t>(0, 20);
  // Some have been forgotten, maybe so many that whole chunks of ids are empty.
  const auto gap = *rc::gen::element<std::uint64_t>(1, 1, 2, 700);
  for (std::uint64_t id = 1; id <= count * gap; id += *rc::gen::inRange<std::uint64_t>(1, gap + 1)) {
    Request request{.id = RequestId{id},
                    .owner = UserId{*rc::gen::inRange<std::uint64_t>(1, 4)},
                    .priority = Priority{*rc::gen::inRange<std::uint8_t>(1, 4)},
                    .state = *rc::gen::elementOf(kRequestStates),
                    .demand = std::make_shared<const Demand>(),
                    .valid_after = WallTime{.at = small_instant()},
                    .deadline = WallTime{.at = small_instant()}};
    if (request.state == RequestState::kInProgress) request.job.emplace();
    rows.requests.push_back(std::move(request));
  }
  return Farm(Policy{}, rows);
}

template <class Item>
bool in(const std::optional<std::vector<Item>>& list, const Item& item) {
  return !list || std::ranges::count(*list, item) > 0;
}

Model<Request> request_model(const Farm& farm, const RequestQuery& query) {
  Model<Request> model;
  model.matches = [&farm, &filter = query.filter](const Request& request) {
    return in(filter.ids, request.id) && in(filter.states, request.state) &&
           in(filter.priorities, std::int64_t{request.priority.value}) &&
           in(filter.owners, farm.find_user(request.owner)->name);
  };
  model.less = [sort = query.sort](const Request& left, const Request& right) {
    const auto key = [sort](const Request& request) {
      return std::tuple(sort == RequestSort::kPriority ? request.priority.value : 0,
                        sort == RequestSort::kState ? to_string(request.state) : "",
                        sort == RequestSort::kDeadline     ? request.deadline.at
                        : sort == RequestSort::kValidAfter ? request.valid_after.at
                                                           : Instant{},
                        request.id);
    };
    return key(left) < key(right);
  };
  return model;
}

void check_requests() {
  const auto farm = some_requests();
  const auto some_id = rc::gen::map(rc::gen::inRange<std::uint64_t>(0, 25), [](auto id) { return RequestId{id}; });
  RequestQuery query{.filter = {.ids = maybe_list(some_id),
                                .priorities = maybe_list(rc::gen::inRange<std::int64_t>(0, 5)),
                                .states = maybe_list(rc::gen::elementOf(kRequestStates)),
                                .owners = maybe_list(rc::gen::element<std::string>("alice", "bob", "carol"))},
                     .sort = *rc::gen::element(RequestSort::kId, RequestSort::kPriority, RequestSort::kState,
                                               RequestSort::kDeadline, RequestSort::kValidAfter),
                     .paging = some_paging(),
                     .border = std::nullopt};
  const auto rows = farm.rows();
  std::vector<const Request*> all;
  for (const auto& request : rows.requests) all.push_back(&request);
  if (!all.empty() && *rc::gen::arbitrary<bool>()) query.border = (*rc::gen::elementOf(all))->id;
  const auto found = std::ranges::find_if(all, [&](const auto* request) { return request->id == query.border; });
  const auto* border = found == all.end() ? nullptr : *found;
  expect_same(list_requests(farm, query), naive_page(all, request_model(farm, query), query.paging, border));
}

Farm some_workers() {
  Rows rows;
  const auto count = *rc::gen::inRange(0, 12);
  for (int number = 0; number < count; ++number) {
    Worker worker{.uuid = *WorkerUuid::parse("fa4e0000-0000-4000-8000-0000000000" + std::to_string(number + 10)),
                  .state = *rc::gen::elementOf(kWorkerStates)};
    for (const char* name : {"arch", "board"}) {
      const auto value = *rc::gen::element<std::string>("", "a", "b");
      if (!value.empty()) worker.registration.caps[name] = value;
    }
    if (*rc::gen::arbitrary<bool>()) {
      worker.groups = *rc::gen::container<Groups>(rc::gen::element<std::string>("x", "y", "z"));
      normalize(*worker.groups);
    }
    rows.workers.push_back(std::move(worker));
  }
  return Farm(Policy{}, rows);
}

Model<Worker> worker_model(const WorkerQuery& query) {
  Model<Worker> model;
  model.matches = [&filter = query.filter](const Worker& worker) {
    const auto& groups = groups_of(worker);
    const bool in_group = !filter.groups || std::ranges::any_of(*filter.groups, [&](const auto& group) {
      return std::ranges::count(groups, group) > 0;
    });
    return in_group && std::ranges::all_of(filter.caps, [&](const auto& cap) {
             return std::ranges::count(worker.registration.caps, cap) > 0;
           });
  };
  model.less = [sort = query.sort](const Worker& left, const Worker& right) {
    const auto key = [sort](const Worker& worker) {
      return std::tuple(sort == WorkerSort::kState ? to_string(worker.state) : "",
                        sort == WorkerSort::kGroups ? groups_of(worker) : Groups{}, worker.uuid.to_string());
    };
    return key(left) < key(right);
  };
  return model;
}

void check_workers() {
  const auto farm = some_workers();
  WorkerQuery query{.filter = {.groups = maybe_list(rc::gen::element<std::string>("x", "y", "w")), .caps = {}},
                    .sort = *rc::gen::element(WorkerSort::kUuid, WorkerSort::kState, WorkerSort::kGroups),
                    .paging = some_paging(),
                    .border = std::nullopt};
  if (*rc::gen::arbitrary<bool>()) query.filter.caps["arch"] = "a";
  if (*rc::gen::arbitrary<bool>()) query.filter.caps["board"] = "b";
  std::vector<const Worker*> all;
  for (const auto& [uuid, worker] : farm.workers()) all.push_back(&worker);
  if (!all.empty() && *rc::gen::arbitrary<bool>()) query.border = (*rc::gen::elementOf(all))->uuid;
  const auto* border = query.border ? farm.find_worker(*query.border) : nullptr;
  expect_same(list_workers(farm, query), naive_page(all, worker_model(query), query.paging, border));
}

TEST(Listing, OfRequestsEqualsFilteringSortingAndCuttingEverything) {
  EXPECT_TRUE(rc::check("requests", check_requests));
}

TEST(Listing, OfWorkersEqualsFilteringSortingAndCuttingEverything) { EXPECT_TRUE(rc::check("workers", check_workers)); }

Farm numbered_requests(std::uint64_t count) {
  Rows rows;
  for (std::uint64_t id = 1; id <= count; ++id) {
    rows.requests.push_back(Request{.id = RequestId{id}, .demand = std::make_shared<const Demand>()});
  }
  return Farm(Policy{}, rows);
}

std::vector<std::uint64_t> ids_of(const Page<FoundRequest>& page) {
  std::vector<std::uint64_t> ids;
  for (const auto& request : page.items) ids.push_back(request->id.value);
  return ids;
}

TEST(Listing, KeepsForwardOrderOnPagesThatTravelBackward) {
  const auto farm = numbered_requests(12);
  const RequestQuery query{.paging = {.direction = PageDirection::kBackward, .limit = 5}, .border = RequestId{8}};
  const auto page = list_requests(farm, query);
  ASSERT_TRUE(page);
  EXPECT_EQ(ids_of(*page), (std::vector<std::uint64_t>{3, 4, 5, 6, 7}));
  EXPECT_EQ(page->total, 12U);
  EXPECT_EQ(page->remaining, 2U);
}

TEST(Listing, ReachesEveryRequestOnceWhenPagesAreFollowed) {
  const auto farm = numbered_requests(23);
  RequestQuery query{.sort = RequestSort::kPriority, .paging = {.order = SortOrder::kDescending, .limit = 5}};
  std::vector<std::uint64_t> seen;
  while (true) {
    const auto page = list_requests(farm, query);
    ASSERT_TRUE(page);
    for (const auto id : ids_of(*page)) seen.push_back(id);
    if (page->remaining == 0) break;
    query.border = page->items.back()->id;
  }
  ASSERT_EQ(seen.size(), 23U);
  EXPECT_EQ(seen.front(), 23U);
  EXPECT_EQ(seen.back(), 1U);
}

TEST(Listing, RefusesABorderThatDoesNotExist) {
  const auto farm = numbered_requests(3);
  const auto requests = list_requests(farm, RequestQuery{.border = RequestId{4}});
  ASSERT_FALSE(requests);
  EXPECT_EQ(requests.error(), (Refusal{.code = RefusalCode::kPageBorderNotFound, .detail = "request"}));
  const auto workers = list_workers(farm, WorkerQuery{.border = WorkerUuid{}});
  ASSERT_FALSE(workers);
  EXPECT_EQ(workers.error(), (Refusal{.code = RefusalCode::kPageBorderNotFound, .detail = "worker"}));
}

TEST(Listing, HasEmptyPagesBehindTheLastAndTheFirst) {
  const auto farm = numbered_requests(3);
  const auto after = list_requests(farm, RequestQuery{.border = RequestId{3}});
  ASSERT_TRUE(after);
  EXPECT_TRUE(after->items.empty());
  EXPECT_EQ(after->total, 3U);
  const auto before =
      list_requests(farm, RequestQuery{.paging = {.direction = PageDirection::kBackward}, .border = RequestId{1}});
  ASSERT_TRUE(before);
  EXPECT_TRUE(before->items.empty());
  EXPECT_EQ(before->remaining, 0U);
}

}  // namespace
}  // namespace boruta::farm

#include "farm/listing.hpp"

#include <algorithm>
#include <set>
#include <tuple>
#include <utility>

#include "base/assert.hpp"

namespace boruta::farm {
namespace {

template <class Record>
using Less = bool (*)(const Record& left, const Record& right);

/// Finds the page among records that come in any order, holding no more of them than the page has.
template <class Record>
class PageBuilder {
 public:
  PageBuilder(Less<Record> less, Paging paging, const Record* border) : less_(less), paging_(paging), border_(border) {
    BORUTA_ASSERT(paging.limit > 0);
  }

  void add(const Record& record) {
    ++total_;
    if (border_ != nullptr && !is_nearer(*border_, record)) return;
    ++beyond_border_;
    if (nearest_.size() < paging_.limit) {
      nearest_.push_back(&record);
      std::ranges::push_heap(nearest_, nearer());
    } else if (is_nearer(record, *nearest_.front())) {
      std::ranges::pop_heap(nearest_, nearer());
      nearest_.back() = &record;
      std::ranges::push_heap(nearest_, nearer());
    }
  }

  [[nodiscard]] Page<Record> take() {
    std::ranges::sort(nearest_, nearer());
    if (paging_.direction == PageDirection::kBackward) std::ranges::reverse(nearest_);
    const auto remaining = beyond_border_ - nearest_.size();
    return Page<Record>{.items = std::move(nearest_), .total = total_, .remaining = remaining};
  }

 private:
  /// Whether travel meets `left` before `right`.
  [[nodiscard]] bool is_nearer(const Record& left, const Record& right) const {
    const bool ascending = paging_.order == SortOrder::kAscending;
    const bool forward = paging_.direction == PageDirection::kForward;
    return ascending == forward ? less_(left, right) : less_(right, left);
  }
  [[nodiscard]] auto nearer() const {
    return [this](const Record* left, const Record* right) { return is_nearer(*left, *right); };
  }

  Less<Record> less_;
  Paging paging_;
  const Record* border_;
  std::size_t total_ = 0;
  std::size_t beyond_border_ = 0;
  /// A heap whose front is the farthest.
  std::vector<const Record*> nearest_;
};

Less<Request> less_by(RequestSort sort) {
  switch (sort) {
    case RequestSort::kId:
      return [](const Request& left, const Request& right) { return left.id < right.id; };
    case RequestSort::kPriority:
      return [](const Request& left, const Request& right) {
        return std::pair(left.priority, left.id) < std::pair(right.priority, right.id);
      };
    case RequestSort::kState:
      return [](const Request& left, const Request& right) {
        return std::pair(to_string(left.state), left.id) < std::pair(to_string(right.state), right.id);
      };
    case RequestSort::kDeadline:
      return [](const Request& left, const Request& right) {
        return std::pair(left.deadline.at, left.id) < std::pair(right.deadline.at, right.id);
      };
    case RequestSort::kValidAfter:
      return [](const Request& left, const Request& right) {
        return std::pair(left.valid_after.at, left.id) < std::pair(right.valid_after.at, right.id);
      };
  }
  assertion_failed("a sort out of its range", std::source_location::current());
}

Less<Worker> less_by(WorkerSort sort) {
  switch (sort) {
    case WorkerSort::kUuid:
      return [](const Worker& left, const Worker& right) { return left.uuid < right.uuid; };
    case WorkerSort::kState:
      return [](const Worker& left, const Worker& right) {
        return std::pair(to_string(left.state), left.uuid) < std::pair(to_string(right.state), right.uuid);
      };
    case WorkerSort::kGroups:
      return [](const Worker& left, const Worker& right) {
        return std::tie(groups_of(left), left.uuid) < std::tie(groups_of(right), right.uuid);
      };
  }
  assertion_failed("a sort out of its range", std::source_location::current());
}

template <class Item>
bool holds(const std::optional<std::vector<Item>>& list, const Item& item) {
  return !list || std::ranges::find(*list, item) != list->end();
}

/// A request filter made ready to be asked often.
class RequestMatch {
 public:
  RequestMatch(const Farm& farm, const RequestFilter& filter) : filter_(filter) {
    if (!filter.owners) return;
    owners_.emplace();
    for (const auto& [id, user] : farm.users()) {
      if (holds(filter.owners, user.name)) owners_->insert(id);
    }
  }

  /// Of everything but the ids.
  [[nodiscard]] bool operator()(const Request& request) const {
    return holds(filter_.states, request.state) && holds(filter_.priorities, std::int64_t{request.priority.value}) &&
           (!owners_ || owners_->contains(request.owner));
  }

  [[nodiscard]] bool only_open() const { return filter_.states && std::ranges::none_of(*filter_.states, is_terminal); }

 private:
  const RequestFilter& filter_;
  std::optional<std::set<UserId>> owners_;
};

bool is_unfiltered(const RequestFilter& filter) {
  return !filter.ids && !filter.priorities && !filter.states && !filter.owners;
}

/// Calls `visit` with every request that `filter` may match, from the smallest set that is at hand.
template <class Visit>
void visit_candidates(const Farm& farm, const RequestFilter& filter, const RequestMatch& matches, Visit visit) {
  const auto look_up = [&](const auto& ids) {
    for (const auto id : ids) {
      if (const auto* request = farm.find_request(id)) visit(*request);
    }
  };
  if (filter.ids) {
    look_up(std::set<RequestId>(filter.ids->begin(), filter.ids->end()));
  } else if (matches.only_open()) {
    look_up(farm.open_requests());
  } else {
    for (std::uint64_t id = 1; id <= farm.requests().size(); ++id) visit(*farm.find_request(RequestId{id}));
  }
}

/// The page by id of all requests: ids are dense, so it is a range.
Page<Request> page_of_all(const Farm& farm, const RequestQuery& query) {
  const auto& paging = query.paging;
  const std::uint64_t size = farm.requests().size();
  const bool ascending = paging.order == SortOrder::kAscending;
  const bool upwards = ascending == (paging.direction == PageDirection::kForward);
  // What lies beyond the border is [first, last], walked towards one of its ends.
  const std::uint64_t first = upwards && query.border ? query.border->value + 1 : 1;
  const std::uint64_t last = !upwards && query.border ? query.border->value - 1 : size;
  const std::uint64_t beyond = last + 1 - first;
  const auto count = std::min<std::uint64_t>(beyond, paging.limit);
  const std::uint64_t lowest = upwards ? first : last + 1 - count;
  Page<Request> page{.items = {}, .total = size, .remaining = beyond - count};
  page.items.reserve(count);
  for (std::uint64_t place = 0; place < count; ++place) {
    const std::uint64_t id = ascending ? lowest + place : lowest + count - 1 - place;
    page.items.push_back(farm.find_request(RequestId{id}));
  }
  return page;
}

std::unexpected<Refusal> no_border(std::string_view kind) {
  return std::unexpected(Refusal{.code = RefusalCode::kPageBorderNotFound, .detail = std::string(kind)});
}

}  // namespace

std::expected<Page<Request>, Refusal> list_requests(const Farm& farm, const RequestQuery& query) {
  const Request* border = query.border ? farm.find_request(*query.border) : nullptr;
  if (query.border && border == nullptr) return no_border("request");
  if (query.sort == RequestSort::kId && is_unfiltered(query.filter)) return page_of_all(farm, query);
  PageBuilder<Request> builder(less_by(query.sort), query.paging, border);
  const RequestMatch matches(farm, query.filter);
  visit_candidates(farm, query.filter, matches, [&](const Request& request) {
    if (matches(request)) builder.add(request);
  });
  return builder.take();
}

std::expected<Page<Worker>, Refusal> list_workers(const Farm& farm, const WorkerQuery& query) {
  const Worker* border = query.border ? farm.find_worker(*query.border) : nullptr;
  if (query.border && border == nullptr) return no_border("worker");
  auto groups = query.filter.groups;
  if (groups) normalize(*groups);
  PageBuilder<Worker> builder(less_by(query.sort), query.paging, border);
  for (const auto& [uuid, worker] : farm.workers()) {
    const auto& caps = worker.registration.caps;
    const auto has = [&caps](const auto& wanted) {
      const auto found = caps.find(wanted.first);
      return found != caps.end() && found->second == wanted.second;
    };
    if (groups && !intersects(*groups, groups_of(worker))) continue;
    if (std::ranges::all_of(query.filter.caps, has)) builder.add(worker);
  }
  return builder.take();
}

}  // namespace boruta::farm

#include "farm/listing.hpp"

#include <algorithm>
#include <array>
#include <functional>
#include <set>
#include <tuple>
#include <utility>

#include "base/assert.hpp"

namespace boruta::farm {
namespace {

constexpr std::size_t kRequestStates = static_cast<std::size_t>(RequestState::kFailed) + 1;

bool travels_upwards(const Paging& paging) {
  return (paging.order == SortOrder::kAscending) == (paging.direction == PageDirection::kForward);
}

/// Finds the page among places that come in any order, holding no more of them than the page has.
template <class Place, class Less = std::less<Place>>
class PageBuilder {
 public:
  struct Found {
    std::vector<Place> items;
    std::size_t total = 0;
    std::size_t remaining = 0;
  };

  PageBuilder(Paging paging, std::optional<Place> border, Less less = {})
      : less_(less), paging_(paging), upwards_(travels_upwards(paging)), border_(std::move(border)) {
    BORUTA_ASSERT(paging.limit > 0);
  }

  void add(const Place& place) {
    ++total_;
    if (border_ && !is_nearer(*border_, place)) return;
    ++beyond_border_;
    if (nearest_.size() < paging_.limit) {
      nearest_.push_back(place);
      std::ranges::push_heap(nearest_, nearer());
    } else if (is_nearer(place, nearest_.front())) {
      std::ranges::pop_heap(nearest_, nearer());
      nearest_.back() = place;
      std::ranges::push_heap(nearest_, nearer());
    }
  }

  /// What is no nearer than this need not be added; null while there is room for all.
  [[nodiscard]] const Place* farthest_kept() const {
    return nearest_.size() < paging_.limit ? nullptr : &nearest_.front();
  }

  [[nodiscard]] Found take() {
    std::ranges::sort(nearest_, nearer());
    if (paging_.direction == PageDirection::kBackward) std::ranges::reverse(nearest_);
    const auto remaining = beyond_border_ - nearest_.size();
    return Found{.items = std::move(nearest_), .total = total_, .remaining = remaining};
  }

 private:
  /// Whether travel meets `left` before `right`.
  [[nodiscard]] bool is_nearer(const Place& left, const Place& right) const {
    return upwards_ ? less_(left, right) : less_(right, left);
  }
  [[nodiscard]] auto nearer() const {
    return [this](const Place& left, const Place& right) { return is_nearer(left, right); };
  }

  Less less_;
  Paging paging_;
  bool upwards_;
  std::optional<Place> border_;
  std::size_t total_ = 0;
  std::size_t beyond_border_ = 0;
  /// A heap whose front is the farthest.
  std::vector<Place> nearest_;
};

using WorkerLess = bool (*)(const Worker* left, const Worker* right);

WorkerLess less_by(WorkerSort sort) {
  switch (sort) {
    case WorkerSort::kUuid:
      return [](const Worker* left, const Worker* right) { return left->uuid < right->uuid; };
    case WorkerSort::kState:
      return [](const Worker* left, const Worker* right) {
        return std::pair(to_string(left->state), left->uuid) < std::pair(to_string(right->state), right->uuid);
      };
    case WorkerSort::kGroups:
      return [](const Worker* left, const Worker* right) {
        return std::tie(groups_of(*left), left->uuid) < std::tie(groups_of(*right), right->uuid);
      };
  }
  assertion_failed("a sort out of its range", std::source_location::current());
}

/// What a sort orders by before the id. By id alone: the same for all.
using Key = std::int64_t;

/// States are ordered by their names.
std::array<Key, kRequestStates> state_ranks() {
  std::array<Key, kRequestStates> ranks{};
  for (std::size_t state = 0; state < kRequestStates; ++state) {
    for (std::size_t other = 0; other < kRequestStates; ++other) {
      const bool behind = to_string(static_cast<RequestState>(other)) < to_string(static_cast<RequestState>(state));
      ranks.at(state) += behind ? 1 : 0;
    }
  }
  return ranks;
}

/// A sort's keys in one chunk: of each request, and the range that they lie in.
template <class At, class RangeOf>
struct SortKeys {
  At at;
  RangeOf range;
};

using KeyRange = ListColumns::Range<Key>;

template <class At, class RangeOf>
SortKeys(At, RangeOf) -> SortKeys<At, RangeOf>;

Key key_of(Instant instant) { return instant.time_since_epoch().count(); }

KeyRange state_range(const ListColumns::Chunk& chunk, const std::array<Key, kRequestStates>& ranks) {
  KeyRange range{.lowest = kRequestStates, .highest = 0};
  for (std::size_t state = 0; state < kRequestStates; ++state) {
    if ((chunk.states_seen >> state & 1U) != 0) range.widen(ranks.at(state));
  }
  return range;
}

/// Calls `use` with the keys of `sort`.
template <class Use>
auto with_keys_of(RequestSort sort, Use use) {
  using Chunk = ListColumns::Chunk;
  switch (sort) {
    case RequestSort::kId:
      return use(SortKeys{[](const Chunk&, std::size_t) { return Key{0}; },
                          [](const Chunk&) { return KeyRange{.lowest = 0, .highest = 0}; }});
    case RequestSort::kPriority:
      return use(SortKeys{
          [](const Chunk& chunk, std::size_t at) { return Key{chunk.priorities[at]}; },
          [](const Chunk& chunk) { return KeyRange{chunk.priority_range.lowest, chunk.priority_range.highest}; }});
    case RequestSort::kState: {
      const auto ranks = state_ranks();
      return use(SortKeys{
          [ranks](const Chunk& chunk, std::size_t at) { return ranks[static_cast<std::size_t>(chunk.states[at])]; },
          [ranks](const Chunk& chunk) { return state_range(chunk, ranks); }});
    }
    case RequestSort::kDeadline:
      return use(SortKeys{[](const Chunk& chunk, std::size_t at) { return key_of(chunk.deadlines[at]); },
                          [](const Chunk& chunk) {
                            return KeyRange{key_of(chunk.deadline_range.lowest), key_of(chunk.deadline_range.highest)};
                          }});
    case RequestSort::kValidAfter:
      return use(SortKeys{[](const Chunk& chunk, std::size_t at) { return key_of(chunk.valid_afters[at]); },
                          [](const Chunk& chunk) {
                            return KeyRange{key_of(chunk.valid_after_range.lowest),
                                            key_of(chunk.valid_after_range.highest)};
                          }});
  }
  assertion_failed("a sort out of its range", std::source_location::current());
}

/// A request filter made ready to be asked often, but for the ids.
class RequestMatch {
 public:
  RequestMatch(const Farm& farm, const RequestFilter& filter) : columns_(farm.list_columns()) {
    for (const auto state : filter.states.value_or(std::vector<RequestState>{})) states_ |= bit(state);
    if (!filter.states) states_ = ~0U;
    for (const auto priority : filter.priorities.value_or(std::vector<std::int64_t>{})) {
      if (priority >= 0 && priority <= limits::kLowestPriority) priorities_ |= 1U << static_cast<unsigned>(priority);
    }
    if (!filter.priorities) priorities_ = ~0U;
    if (!filter.owners) return;
    owners_.emplace();
    for (const auto& [id, user] : farm.users()) {
      if (std::ranges::find(*filter.owners, user.name) != filter.owners->end()) owners_->insert(id);
    }
  }

  [[nodiscard]] bool operator()(RequestId id) const {
    return (states_ & bit(columns_.state(id))) != 0 && (priorities_ & 1U << columns_.priority(id)) != 0 &&
           (!owners_ || owners_->contains(columns_.owner(id)));
  }

 private:
  static unsigned bit(RequestState state) { return 1U << static_cast<unsigned>(state); }

  const ListColumns& columns_;
  unsigned states_ = 0;
  unsigned priorities_ = 0;
  std::optional<std::set<UserId>> owners_;
};

bool is_unfiltered(const RequestFilter& filter) {
  return !filter.ids && !filter.priorities && !filter.states && !filter.owners;
}

/// Calls `visit` with the id of every request that `filter` may match, from the smallest set that is at hand; of all,
/// in the direction of travel, lest each is nearer than those before.
template <class Visit>
void visit_candidates(const Farm& farm, const RequestQuery& query, Visit visit) {
  const auto& filter = query.filter;
  const auto& columns = farm.list_columns();
  if (filter.ids) {
    for (const auto id : std::set<RequestId>(filter.ids->begin(), filter.ids->end())) {
      if (columns.holds(id)) visit(id);
    }
  } else if (filter.states && std::ranges::none_of(*filter.states, is_terminal)) {
    for (const auto id : farm.open_requests()) visit(id);
  } else if (travels_upwards(query.paging)) {
    for (auto id = columns.first_from({1}); id; id = columns.first_from({id->value + 1})) visit(*id);
  } else {
    for (auto id = columns.last_to(columns.last_id()); id; id = columns.last_to({id->value - 1})) visit(*id);
  }
}

/// By key, then by id.
using KeyedPlace = std::pair<Key, RequestId>;

Page<FoundRequest> page_of(const Farm& farm, const std::vector<KeyedPlace>& places, std::size_t total,
                           std::size_t remaining) {
  Page<FoundRequest> page{.items = {}, .total = total, .remaining = remaining};
  page.items.reserve(places.size());
  for (const auto& [key, id] : places) page.items.push_back(farm.find_request(id));
  return page;
}

/// The page of those requests that match, in the order of `keys`.
template <class Keys>
Page<FoundRequest> page_by(const Farm& farm, const RequestQuery& query, const Keys& keys) {
  const auto chunks = farm.list_columns().chunks();
  const auto placed = [&](RequestId id) {
    const auto place = ListColumns::place_of(id);
    return KeyedPlace(keys.at(*chunks[place / ListColumns::kChunk], place % ListColumns::kChunk), id);
  };
  const RequestMatch matches(farm, query.filter);
  PageBuilder<KeyedPlace> builder(query.paging, query.border ? std::optional(placed(*query.border)) : std::nullopt);
  visit_candidates(farm, query, [&](RequestId id) {
    if (matches(id)) builder.add(placed(id));
  });
  const auto found = builder.take();
  return page_of(farm, found.items, found.total, found.remaining);
}

/// Finds a page of all requests in the order of `keys`, chunk by chunk in the direction of travel, so that of equal
/// keys travel meets those first that are looked at first.
template <bool kUpwards, class Keys>
class SortedScan {
 public:
  SortedScan(const ListColumns& columns, const Keys& keys, const RequestQuery& query)
      : columns_(columns), keys_(keys), builder_(query.paging, std::nullopt) {
    if (!query.border) return;
    const auto place = ListColumns::place_of(*query.border);
    border_ = Border{.chunk = place / kChunk, .at = place % kChunk, .key = 0};
    border_->key = keys.at(*columns.chunks()[border_->chunk], border_->at);
  }

  [[nodiscard]] Page<FoundRequest> page(const Farm& farm) {
    const auto count = columns_.chunks().size();
    for (std::size_t step = 0; step < count; ++step) visit(kUpwards ? step : count - 1 - step);
    const auto found = builder_.take();
    return page_of(farm, found.items, columns_.size(), beyond_ - found.items.size());
  }

 private:
  static constexpr std::size_t kChunk = ListColumns::kChunk;

  struct Border {
    std::size_t chunk;
    std::size_t at;
    Key key;
  };

  static bool is_nearer(Key left, Key right) { return kUpwards ? left < right : left > right; }

  void visit(std::size_t number) {
    const auto* chunk = columns_.chunks()[number].get();
    if (chunk == nullptr) return;
    const auto range = keys_.range(*chunk);
    const auto nearest = kUpwards ? range.lowest : range.highest;
    const auto farthest = kUpwards ? range.highest : range.lowest;
    if (border_ && is_nearer(farthest, border_->key)) return;
    if (border_ && number == border_->chunk) {
      const auto [low, high] = std::pair(border_->at, border_->at + 1);
      look(*chunk, number, kUpwards ? 0 : high, kUpwards ? low : kChunk, false);
      look(*chunk, number, kUpwards ? high : 0, kUpwards ? kChunk : low, true);
      return;
    }
    const bool behind = !border_ || (kUpwards ? number > border_->chunk : number < border_->chunk);
    if (!behind && farthest == border_->key) return;
    const bool all_beyond = !border_ || is_nearer(border_->key, nearest) || (behind && nearest == border_->key);
    const auto* kept = builder_.farthest_kept();
    if (all_beyond && kept != nullptr && !is_nearer(nearest, kept->first)) {
      beyond_ += columns_.count_in(number);
    } else {
      look(*chunk, number, 0, kChunk, behind);
    }
  }

  /// At those from place `from` to before `to`; of those with the border's key, travel meets the border first if they
  /// are `behind` it.
  void look(const ListColumns::Chunk& chunk, std::size_t number, std::size_t from, std::size_t to, bool behind) {
    const bool all = !border_;
    const auto border = border_ ? border_->key : Key{0};
    const auto* kept = builder_.farthest_kept();
    for (std::size_t step = from; step < to; ++step) {
      const auto at = kUpwards ? step : to - 1 - (step - from);
      const auto key = keys_.at(chunk, at);
      // Whether a key lies beyond the border cannot be foretold, so that each branch on it would cost more than the
      // rest.
      const bool beyond = all | is_nearer(border, key) | (behind & (key == border));
      const bool counts = beyond & chunk.held[at];
      beyond_ += static_cast<std::size_t>(counts);
      const bool fits = kept == nullptr || is_nearer(key, kept->first);
      if (!(counts & fits)) continue;
      builder_.add(KeyedPlace(key, RequestId{number * kChunk + at + 1}));
      kept = builder_.farthest_kept();
    }
  }

  const ListColumns& columns_;
  const Keys& keys_;
  std::optional<Border> border_;
  PageBuilder<KeyedPlace> builder_;
  std::size_t beyond_ = 0;
};

template <class Keys>
Page<FoundRequest> page_of_all_by(const Farm& farm, const RequestQuery& query, const Keys& keys) {
  if (travels_upwards(query.paging)) return SortedScan<true, Keys>(farm.list_columns(), keys, query).page(farm);
  return SortedScan<false, Keys>(farm.list_columns(), keys, query).page(farm);
}

/// The page by id of all requests: it is found without looking at those before it.
Page<FoundRequest> page_of_all(const Farm& farm, const RequestQuery& query) {
  const auto& paging = query.paging;
  const auto& columns = farm.list_columns();
  const bool upwards = travels_upwards(paging);
  std::size_t beyond = columns.size();
  if (query.border) beyond = columns.count_before(*query.border);
  if (query.border && upwards) beyond = columns.size() - beyond - 1;
  const auto count = std::min<std::size_t>(beyond, paging.limit);
  std::vector<RequestId> ids;
  ids.reserve(count);
  RequestId from = upwards ? RequestId{} : columns.last_id();
  if (query.border) from = RequestId{upwards ? query.border->value + 1 : query.border->value - 1};
  while (ids.size() < count) {
    ids.push_back(upwards ? *columns.first_from(from) : *columns.last_to(from));
    from = RequestId{upwards ? ids.back().value + 1 : ids.back().value - 1};
  }
  if (paging.direction == PageDirection::kBackward) std::ranges::reverse(ids);
  Page<FoundRequest> page{.items = {}, .total = columns.size(), .remaining = beyond - count};
  page.items.reserve(count);
  for (const auto id : ids) page.items.push_back(farm.find_request(id));
  return page;
}

std::unexpected<Refusal> no_border(std::string_view kind) {
  return std::unexpected(Refusal{.code = RefusalCode::kPageBorderNotFound, .detail = std::string(kind)});
}

}  // namespace

std::expected<Page<FoundRequest>, Refusal> list_requests(const Farm& farm, const RequestQuery& query) {
  if (query.border && farm.find_request(*query.border) == nullptr) return no_border("request");
  if (query.sort == RequestSort::kId && is_unfiltered(query.filter)) return page_of_all(farm, query);
  return with_keys_of(query.sort, [&](const auto& keys) {
    return is_unfiltered(query.filter) ? page_of_all_by(farm, query, keys) : page_by(farm, query, keys);
  });
}

std::expected<Page<const Worker*>, Refusal> list_workers(const Farm& farm, const WorkerQuery& query) {
  const Worker* border = query.border ? farm.find_worker(*query.border) : nullptr;
  if (query.border && border == nullptr) return no_border("worker");
  auto groups = query.filter.groups;
  if (groups) normalize(*groups);
  PageBuilder<const Worker*, WorkerLess> builder(query.paging, border == nullptr ? std::nullopt : std::optional(border),
                                                 less_by(query.sort));
  for (const auto& [uuid, worker] : farm.workers()) {
    if (groups && !intersects(*groups, groups_of(worker))) continue;
    if (offers(worker.registration.caps, query.filter.caps)) builder.add(&worker);
  }
  auto found = builder.take();
  return Page<const Worker*>{.items = std::move(found.items), .total = found.total, .remaining = found.remaining};
}

}  // namespace boruta::farm

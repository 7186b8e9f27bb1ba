#include <algorithm>

#include "match/index.hpp"

/// Who competes with whom: for positions, explanations and estimates.
namespace boruta::match {

bool Matcher::Index::share_worker(const Signature& left, const Signature& right) const {
  if (!left.pinned && !right.pinned) return Bits::intersect(left.classes, right.classes);
  const auto& pinned = left.pinned ? left : right;
  const auto& other = left.pinned ? right : left;
  return std::ranges::any_of(pinned.pinned_to, [&](WorkerUuid uuid) {
    return other.pinned ? other.pinned_to.contains(uuid) : other.classes.test(workers_.at(uuid).of->slot);
  });
}

std::size_t Matcher::Index::count_idle(const Signature& signature) const {
  std::size_t idle = 0;
  Bits::for_each_common(signature.classes, idle_classes_,
                        [&](std::size_t slot) { idle += class_slots_.at(slot).idle.size(); });
  for (const auto uuid : signature.pinned_to) {
    if (workers_.at(uuid).idle_since) ++idle;
  }
  return idle;
}

std::size_t Matcher::Index::count_before(const farm::Farm& farm, const Signature& signature, const Choice& rank,
                                         UserId owner, Instant now) const {
  const auto& queue = signature.ready;
  const auto priority = priority_of(rank.key);
  const bool by_id = farm.policy().order == farm::QueueOrder::kFifo || priority == kOverdue || !signature.needs.owner ||
                     *signature.needs.owner == owner;
  if (by_id) return queue.count_before(rank.key);
  const double use = farm.loads().use(*signature.needs.owner, now);
  if (use == rank.use) return queue.count_before(rank.key);
  const auto border = use < rank.use ? static_cast<std::uint8_t>(priority + 1) : priority;
  return queue.count_before(key_of(border, RequestId{}));
}

Standing Matcher::Index::standing(const farm::Farm& farm, RequestId id, Now now) const {
  const auto& waiting = requests_.at(id);
  const auto& own = *waiting.signature;
  const Choice rank{.key = waiting.key, .use = use_of(farm, waiting.key, now.wall)};
  Standing standing{.position = 1, .competing = waiting.ready ? 0U : 1U, .fits = own.fitting_workers};
  standing.fits_idle = count_idle(own);
  signature_slots_.for_each([&](const Signature& other) {
    if (&other != &own && !share_worker(own, other)) return;
    standing.competing += other.ready.size();
    standing.position += count_before(farm, other, rank, waiting.owner, now.wall);
  });
  return standing;
}

Competition Matcher::Index::competition(const farm::Farm& farm, const Ask& ask, Now now) const {
  const auto waiting = ask.id ? requests_.find(*ask.id) : requests_.end();
  Signature probe;
  if (waiting == requests_.end()) {
    probe.needs = needs_of(farm, ask.demand, ask.owner);
    find_fitting(farm, probe);
  }
  const auto& own = waiting == requests_.end() ? probe : *waiting->second.signature;
  const auto id = ask.id.value_or(farm.requests().next_id());
  const bool fair = farm.policy().order == farm::QueueOrder::kFair;
  const auto key = waiting == requests_.end() ? key_of(ask.priority.value, id) : waiting->second.key;
  const Choice rank{.key = key, .use = fair ? farm.loads().use(ask.owner, now.wall) : 0};

  Competition all;
  all.overdue = priority_of(key) == kOverdue;
  const bool counted = waiting != requests_.end() && waiting->second.ready;
  all.standing = Standing{.position = 1, .competing = counted ? 0U : 1U, .fits = own.fitting_workers};
  all.standing.fits_idle = count_idle(own);
  std::vector<Choice> ahead;
  const auto sort_in = [&](QueueKey other) {
    const auto other_id = id_of(other);
    if (other_id == id) return;
    const Choice found{.key = other, .use = use_of(farm, other, now.wall)};
    const bool first = precedes(found, rank);
    // Use changes as time goes on: in a fair queue those of the same priority may swap places.
    const bool same_owner = requests_.at(other_id).owner == ask.owner;
    const bool may_overtake = fair && !same_owner && priority_of(other) <= priority_of(rank.key);
    (first || may_overtake ? all.rivals : all.behind).push_back(other_id);
    if (first && requests_.at(other_id).ready) ahead.push_back(found);
  };
  signature_slots_.for_each([&](const Signature& other) {
    if (&other != &own && !share_worker(own, other)) return;
    all.standing.competing += other.ready.size();
    for (const auto one : other.ready) sort_in(one);
    for (const auto one : other.later) sort_in(one);
  });
  all.standing.position += ahead.size();
  const auto shown = std::min(ahead.size(), kMostShownAhead);
  std::ranges::partial_sort(ahead, ahead.begin() + static_cast<std::ptrdiff_t>(shown), precedes);
  for (std::size_t place = 0; place < shown; ++place) all.ahead.push_back(id_of(ahead[place].key));
  return all;
}

}  // namespace boruta::match

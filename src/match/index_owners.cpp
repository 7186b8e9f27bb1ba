#include <algorithm>

#include "base/assert.hpp"
#include "farm/ceilings.hpp"
#include "match/index.hpp"

/// What concerns all requests of an owner together: the overdue one that goes first, and ceilings on running jobs.
namespace boruta::match {

void Matcher::Index::follow_job(const farm::Farm& farm, RequestId id, const farm::Request* request, Now now) {
  const auto known = overdue_jobs_.find(id);
  if (request == nullptr) {
    if (known == overdue_jobs_.end()) return;
    const auto owner = known->second;
    overdue_jobs_.erase(known);
    if (--owners_with_overdue_jobs_[owner] == 0) owners_with_overdue_jobs_.erase(owner);
    refresh_overdue(farm, owner, now);
  } else if (request->job->overdue && known == overdue_jobs_.end()) {
    overdue_jobs_.emplace(id, request->owner);
    ++owners_with_overdue_jobs_[request->owner];
    refresh_overdue(farm, request->owner, now);
  }
}

/// Of the owner's ready requests that a registered worker could serve, the oldest goes first if it is overdue and no
/// job that came so to its worker still runs.
void Matcher::Index::refresh_overdue(const farm::Farm& farm, UserId owner, Now now) {
  const auto found = owners_.find(owner);
  if (found == owners_.end()) return;
  auto& queue = found->second;
  const auto after = farm.policy().overdue_after;
  std::optional<RequestId> overdue;
  std::optional<Instant> check_at;
  if (after > Duration::zero() && !owners_with_overdue_jobs_.contains(owner) && !queue.by_age.empty()) {
    const auto& [since, id] = *queue.by_age.begin();
    if (since + after > now.wall) {
      check_at = since + after;
    } else {
      overdue = id;
    }
  }
  set_overdue(farm, queue, overdue);
  if (queue.check_at != check_at) {
    if (queue.check_at) overdue_checks_.erase({*queue.check_at, owner});
    queue.check_at = check_at;
    if (check_at) overdue_checks_.emplace(*check_at, owner);
  }
  if (queue.ready == 0) owners_.erase(found);
}

void Matcher::Index::set_overdue(const farm::Farm& farm, OwnerQueue& queue, std::optional<RequestId> id) {
  if (queue.overdue == id) return;
  if (queue.overdue) set_key(*queue.overdue, farm.find_open_request(*queue.overdue)->priority.value);
  queue.overdue = id;
  if (id) set_key(*id, kOverdue);
}

void Matcher::Index::set_key(RequestId id, std::uint8_t priority) {
  auto& waiting = requests_.at(id);
  auto& signature = *waiting.signature;
  signature.ready.erase(waiting.key);
  waiting.key = key_of(priority, id);
  signature.ready.insert(waiting.key);
  heads_.set(signature.slot, signature.head());
}

void Matcher::Index::check_overdue(const farm::Farm& farm, Now now) {
  while (!overdue_checks_.empty() && overdue_checks_.begin()->first <= now.wall) {
    refresh_overdue(farm, overdue_checks_.begin()->second, now);
  }
}

bool Matcher::Index::is_held(const farm::Farm& farm, const Needs& needs) const {
  return needs.owner && farm::reached_running_ceiling(farm, *needs.owner).has_value();
}

void Matcher::Index::refresh_limits(const farm::Farm& farm) {
  signature_slots_.for_each([&](Signature& signature) {
    const auto owner = signature.needs.owner;
    if (!owner) return;
    if (farm::has_running_ceiling(farm, *owner)) {
      limited_signatures_.insert(signature.slot);
    } else {
      limited_signatures_.erase(signature.slot);
    }
    refresh_hold(farm, signature);
  });
}

void Matcher::Index::refresh_hold(const farm::Farm& farm, Signature& signature) {
  const bool held = is_held(farm, signature.needs);
  if (held == signature.held) return;
  signature.held = held;
  heads_.set(signature.slot, signature.head());
  if (held) {
    hot_signatures_.reset(signature.slot);
  } else {
    hot_signatures_.set(signature.slot);
  }
}

}  // namespace boruta::match

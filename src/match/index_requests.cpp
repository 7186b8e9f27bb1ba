#include <algorithm>

#include "base/assert.hpp"
#include "match/index.hpp"

namespace boruta::match {

Matcher::Index::Index(const farm::Farm& farm, Now now) {
  for (const auto& [uuid, worker] : farm.workers()) add(farm, worker, now);
  for (const auto id : farm.open_requests()) follow(farm, id, now);
}

void Matcher::Index::observe(const farm::Farm& farm, const farm::Touched& touched, Now now) {
  std::set<UserId> owners(touched.users.begin(), touched.users.end());
  for (const auto& group : touched.groups) {
    for (const auto& [id, user] : farm.users()) {
      if (std::ranges::binary_search(user.groups, group)) owners.insert(id);
    }
  }
  if (!owners.empty()) judge_anew(farm, owners, now);
  for (const auto uuid : touched.offers) follow_offer(farm, uuid, now);
  for (const auto uuid : touched.workers) follow_availability(farm, uuid);
  for (const auto id : touched.requests) follow(farm, id, now);
  if (!owners.empty()) {
    refresh_limits(farm);
  } else if (!touched.requests.empty()) {
    for (const auto slot : limited_signatures_) refresh_hold(farm, signature_slots_.at(slot));
  }
  if (!std::exchange(servability_changed_, false)) return;
  std::vector<UserId> all;
  for (const auto& [owner, queue] : owners_) all.push_back(owner);
  std::ranges::sort(all);
  for (const auto owner : all) refresh_overdue(farm, owner, now);
}

void Matcher::Index::follow(const farm::Farm& farm, RequestId id, Now now) {
  const auto* request = farm.find_open_request(id);
  const auto known = requests_.find(id);
  if (request == nullptr || request->state != farm::RequestState::kWaiting) {
    if (known != requests_.end()) {
      const auto waiting = known->second;
      requests_.erase(known);
      remove(farm, id, waiting, now);
    }
    follow_job(farm, id, request, now);
  } else if (known == requests_.end()) {
    add(farm, *request, now);
  } else {
    requeue(farm, *request, known->second, now);
  }
}

void Matcher::Index::add(const farm::Farm& farm, const farm::Request& request, Now now) {
  auto& signature = signature_for(farm, needs_of(farm, request.demand, request.owner), now);
  auto& waiting = requests_[request.id];
  waiting = WaitingRequest{.signature = &signature,
                           .owner = request.owner,
                           .key = key_of(request.priority.value, request.id),
                           .valid_after = request.valid_after.at,
                           .ready_since = ready_since(request),
                           .ready = request.valid_after.at <= now.wall};
  enqueue(request.id, waiting);
  if (signature.fitting_workers == 0 && request.was_servable && !signature.invalid_at) {
    set_invalid_at(signature, now.lease + farm.policy().invalid_after);
  }
  if (!waiting.ready) return;
  const auto& check_at = owners_.at(request.owner).check_at;
  const bool checked_in_time =
      check_at && *check_at > now.wall && *check_at <= waiting.ready_since + farm.policy().overdue_after;
  if (!checked_in_time) refresh_overdue(farm, request.owner, now);
}

void Matcher::Index::enqueue(RequestId id, WaitingRequest& waiting) {
  auto& signature = *waiting.signature;
  if (!waiting.ready) {
    signature.later.insert(waiting.key);
    later_.emplace(waiting.valid_after, id);
    return;
  }
  signature.ready.insert(waiting.key);
  if (signature.ready.head() == waiting.key) heads_.set(signature.slot, signature.head());
  if (!signature.held) hot_signatures_.set(signature.slot);
  auto& queue = owners_[waiting.owner];
  ++queue.ready;
  if (signature.fitting_workers > 0) queue.by_age.emplace_hint(queue.by_age.end(), waiting.ready_since, id);
  if (signature.needs.owner) queue.signatures.set(signature.slot);
}

void Matcher::Index::dequeue(RequestId id, const WaitingRequest& waiting) {
  auto& signature = *waiting.signature;
  if (!waiting.ready) {
    signature.later.erase(waiting.key);
    later_.erase({waiting.valid_after, id});
    return;
  }
  const bool was_head = signature.ready.head() == waiting.key;
  signature.ready.erase(waiting.key);
  if (was_head) heads_.set(signature.slot, signature.head());
  auto& queue = owners_.at(waiting.owner);
  --queue.ready;
  queue.by_age.erase({waiting.ready_since, id});
  if (signature.needs.owner && signature.ready.empty()) queue.signatures.reset(signature.slot);
  if (queue.overdue == id) queue.overdue.reset();
}

void Matcher::Index::remove(const farm::Farm& farm, RequestId id, const WaitingRequest& waiting, Now now) {
  auto& signature = *waiting.signature;
  dequeue(id, waiting);
  if (signature.unused()) drop(signature);
  if (!waiting.ready) return;
  // By its going none of the others becomes overdue, unless it stood in their way.
  const bool stood_first = priority_of(waiting.key) == kOverdue;
  if (stood_first || owners_.at(waiting.owner).ready == 0) refresh_overdue(farm, waiting.owner, now);
}

void Matcher::Index::requeue(const farm::Farm& farm, const farm::Request& request, WaitingRequest& waiting, Now now) {
  const bool same_priority = priority_of(waiting.key) == request.priority.value || priority_of(waiting.key) == kOverdue;
  if (same_priority && request.valid_after.at == waiting.valid_after) return;
  dequeue(request.id, waiting);
  waiting.key = key_of(request.priority.value, request.id);
  waiting.valid_after = request.valid_after.at;
  waiting.ready_since = ready_since(request);
  waiting.ready = request.valid_after.at <= now.wall;
  enqueue(request.id, waiting);
  refresh_overdue(farm, request.owner, now);
}

void Matcher::Index::judge_anew(const farm::Farm& farm, const std::set<UserId>& owners, Now now) {
  std::vector<RequestId> theirs;
  for (const auto& [id, waiting] : requests_) {
    if (!owners.contains(waiting.owner)) continue;
    const auto* request = farm.find_open_request(id);
    if (request != nullptr && request->state == farm::RequestState::kWaiting) theirs.push_back(id);
  }
  std::ranges::sort(theirs);
  for (const auto id : theirs) {
    const auto waiting = requests_.at(id);
    const auto* request = farm.find_open_request(id);
    if (needs_of(farm, request->demand, request->owner) == waiting.signature->needs) continue;
    const bool was_servable = waiting.signature->fitting_workers > 0;
    requests_.erase(id);
    remove(farm, id, waiting, now);
    add(farm, *request, now);
    auto& moved = requests_.at(id);
    auto& signature = *moved.signature;
    if (!was_servable || signature.fitting_workers > 0) continue;
    newly_unservable_.push_back(id);
    moved.unservable_since = now.lease;
    if (!signature.invalid_at) set_invalid_at(signature, now.lease + farm.policy().invalid_after);
  }
}

void Matcher::Index::promote(const farm::Farm& farm, Now now) {
  while (!later_.empty() && later_.begin()->first <= now.wall) {
    const auto id = later_.begin()->second;
    auto& waiting = requests_.at(id);
    dequeue(id, waiting);
    waiting.ready = true;
    enqueue(id, waiting);
    refresh_overdue(farm, waiting.owner, now);
  }
}

}  // namespace boruta::match

#include <algorithm>

#include "base/assert.hpp"
#include "match/index.hpp"

namespace boruta::match {

Matcher::Index::Index(const farm::Farm& farm, Now now) {
  for (const auto& [uuid, worker] : farm.workers()) add(farm, worker, now);
  for (const auto id : farm.open_requests()) follow(farm, id, now);
}

void Matcher::Index::observe(const farm::Farm& farm, const farm::Touched& touched, Now now) {
  for (const auto id : touched.users) judge_anew(farm, id, now);
  for (const auto uuid : touched.workers) follow(farm, uuid, now);
  for (const auto id : touched.requests) follow(farm, id, now);
}

void Matcher::Index::follow(const farm::Farm& farm, RequestId id, Now now) {
  const auto* request = farm.find_request(id);
  const auto known = requests_.find(id);
  if (request->state != farm::RequestState::kWaiting) {
    if (known == requests_.end()) return;
    const auto waiting = known->second;
    requests_.erase(known);
    remove(id, waiting);
  } else if (known == requests_.end()) {
    add(farm, *request, now);
  } else {
    requeue(*request, known->second, now);
  }
}

void Matcher::Index::add(const farm::Farm& farm, const farm::Request& request, Now now) {
  auto& signature = signature_for(farm, needs_of(farm, *request.caps, request.owner), now);
  auto& waiting = requests_[request.id];
  waiting = WaitingRequest{.signature = &signature,
                           .key = key_of(request.priority, request.id),
                           .valid_after = request.valid_after.at,
                           .ready = request.valid_after.at <= now.wall};
  enqueue(request.id, waiting);
  if (signature.fitting_workers == 0 && request.was_servable && !signature.invalid_at) {
    set_invalid_at(signature, now.lease + farm.policy().invalid_after);
  }
}

void Matcher::Index::enqueue(RequestId id, WaitingRequest& waiting) {
  auto& signature = *waiting.signature;
  if (waiting.ready) {
    signature.ready.insert(waiting.key);
    if (signature.head() == waiting.key) publish_head(signature);
    hot_signatures_.insert(signature.serial);
  } else {
    signature.later.insert(waiting.key);
    later_.emplace(waiting.valid_after, id);
  }
}

void Matcher::Index::remove(RequestId id, const WaitingRequest& waiting) {
  auto& signature = *waiting.signature;
  if (waiting.ready) {
    const bool was_head = signature.head() == waiting.key;
    signature.ready.erase(waiting.key);
    if (was_head) publish_head(signature);
  } else {
    signature.later.erase(waiting.key);
    later_.erase({waiting.valid_after, id});
  }
  if (signature.unused()) drop(signature);
}

void Matcher::Index::requeue(const farm::Request& request, WaitingRequest& waiting, Now now) {
  const auto key = key_of(request.priority, request.id);
  if (key == waiting.key && request.valid_after.at == waiting.valid_after) return;
  auto& signature = *waiting.signature;
  if (waiting.ready) {
    signature.ready.erase(waiting.key);
    publish_head(signature);
  } else {
    signature.later.erase(waiting.key);
    later_.erase({waiting.valid_after, request.id});
  }
  waiting.key = key;
  waiting.valid_after = request.valid_after.at;
  waiting.ready = request.valid_after.at <= now.wall;
  enqueue(request.id, waiting);
}

void Matcher::Index::judge_anew(const farm::Farm& farm, UserId owner, Now now) {
  std::vector<RequestId> theirs;
  for (const auto& [id, waiting] : requests_) {
    const auto* request = farm.find_request(id);
    if (request->owner == owner && request->state == farm::RequestState::kWaiting) theirs.push_back(id);
  }
  std::ranges::sort(theirs);
  for (const auto id : theirs) {
    const auto waiting = requests_.at(id);
    const auto needs = needs_of(farm, *farm.find_request(id)->caps, owner);
    const auto& before = waiting.signature->needs;
    if (needs.owner_groups == before.owner_groups && needs.any_group == before.any_group) continue;
    const bool was_servable = waiting.signature->fitting_workers > 0;
    requests_.erase(id);
    remove(id, waiting);
    add(farm, *farm.find_request(id), now);
    auto& moved = requests_.at(id);
    auto& signature = *moved.signature;
    if (!was_servable || signature.fitting_workers > 0) continue;
    newly_unservable_.push_back(id);
    moved.unservable_since = now.lease;
    if (!signature.invalid_at) set_invalid_at(signature, now.lease + farm.policy().invalid_after);
  }
}

void Matcher::Index::promote(Now now) {
  while (!later_.empty() && later_.begin()->first <= now.wall) {
    const auto id = later_.begin()->second;
    later_.erase(later_.begin());
    auto& waiting = requests_.at(id);
    waiting.signature->later.erase(waiting.key);
    waiting.ready = true;
    enqueue(id, waiting);
  }
}

Signature& Matcher::Index::signature_for(const farm::Farm& farm, Needs needs, Now now) {
  const auto found = signatures_.find(needs);
  if (found != signatures_.end()) return *found->second;
  auto& signature = *signatures_.emplace(needs, std::make_unique<Signature>()).first->second;
  signature.serial = ++last_serial_;
  by_serial_.emplace(signature.serial, &signature);
  const auto take = [&needs](std::string_view cap) -> std::optional<std::string> {
    const auto node = needs.caps.find(cap);
    if (node == needs.caps.end()) return std::nullopt;
    auto value = node->second;
    needs.caps.erase(node);
    return value;
  };
  signature.uuid = take(kUuidCap);
  signature.name = take(kNameCap);
  signature.needs = std::move(needs);
  if (signature.is_pinned()) {
    pin(farm, signature);
  } else {
    for (const auto& [key, of] : classes_) link(signature, *of);
  }
  if (signature.fitting_workers == 0) set_invalid_at(signature, now.lease + farm.policy().invalid_after);
  return signature;
}

void Matcher::Index::drop(Signature& signature) {
  set_invalid_at(signature, std::nullopt);
  unlink_all(signature);
  for (const auto uuid : signature.pinned_to) std::erase(workers_.at(uuid).pinned, &signature);
  const auto forget = [&](auto& map, const std::optional<std::string>& key) {
    if (!key) return;
    const auto found = map.find(*key);
    if (found == map.end()) return;
    found->second.erase(signature.serial);
    if (found->second.empty()) map.erase(found);
  };
  forget(pinned_by_uuid_, signature.uuid);
  forget(pinned_by_name_, signature.name);
  hot_signatures_.erase(signature.serial);
  by_serial_.erase(signature.serial);
  auto key = signature.needs;
  if (signature.uuid) key.caps.emplace(kUuidCap, *signature.uuid);
  if (signature.name) key.caps.emplace(kNameCap, *signature.name);
  const auto erased = signatures_.erase(key);
  BORUTA_ASSERT(erased == 1);
}

void Matcher::Index::publish_head(Signature& signature) {
  const auto head = signature.head();
  for (const auto& link : signature.classes) link.fitting->heads[link.place] = head;
}

void Matcher::Index::set_invalid_at(Signature& signature, std::optional<Instant> at) {
  if (signature.invalid_at) invalid_at_.erase({*signature.invalid_at, signature.serial});
  signature.invalid_at = at;
  if (at) invalid_at_.emplace(*at, signature.serial);
}

/// The signatures that share a worker with `own`, itself included.
std::set<const Signature*> Matcher::Index::competitors_of(const Signature& own) const {
  std::set<const Signature*> competing{&own};
  std::set<const Class*> shared;
  const auto share = [&](const Class& of) {
    if (!shared.insert(&of).second) return;
    for (const auto& link : of.signatures) competing.insert(link.fitting);
  };
  for (const auto uuid : own.pinned_to) {
    const auto& known = workers_.at(uuid);
    share(*known.of);
    competing.insert(known.pinned.begin(), known.pinned.end());
  }
  for (const auto& link : own.classes) share(*link.fitting);
  if (own.is_pinned()) return competing;
  for (const auto& [needs, other] : signatures_) {
    const bool meet =
        std::ranges::any_of(other->pinned_to, [&](WorkerUuid uuid) { return shared.contains(workers_.at(uuid).of); });
    if (meet) competing.insert(other.get());
  }
  return competing;
}

Standing Matcher::Index::standing(RequestId id) const {
  const auto& waiting = requests_.at(id);
  const auto& own = *waiting.signature;
  Standing standing{.fits = own.fitting_workers};
  for (const auto& link : own.classes) standing.fits_idle += link.fitting->idle.size();
  for (const auto uuid : own.pinned_to) {
    if (workers_.at(uuid).idle_since) ++standing.fits_idle;
  }
  for (const auto* signature : competitors_of(own)) {
    standing.competing += signature->ready.size();
    standing.position +=
        static_cast<std::size_t>(std::distance(signature->ready.begin(), signature->ready.lower_bound(waiting.key)));
  }
  ++standing.position;
  if (!waiting.ready) ++standing.competing;
  return standing;
}

std::pair<std::size_t, std::size_t> Matcher::Index::count_fitting(const farm::Farm& farm, const Capabilities& caps,
                                                                  UserId owner) const {
  const auto needs = needs_of(farm, caps, owner);
  std::pair<std::size_t, std::size_t> counts;
  for (const auto& [uuid, worker] : farm.workers()) {
    if (!fits(needs, worker)) continue;
    ++counts.first;
    if (workers_.at(uuid).idle_since) ++counts.second;
  }
  return counts;
}

}  // namespace boruta::match

#include <algorithm>

#include "base/assert.hpp"
#include "match/index.hpp"

namespace boruta::match {
namespace {

std::optional<std::string> name_cap(const farm::Worker& worker) {
  const auto name = worker.registration.caps.find(kNameCap);
  return name == worker.registration.caps.end() ? std::nullopt : std::optional(name->second);
}

std::optional<EventSeq> availability(const farm::Worker& worker) {
  if (worker.state != farm::WorkerState::kIdle || !worker.connected) return std::nullopt;
  return worker.idle_since;
}

}  // namespace

void Matcher::Index::follow_offer(const farm::Farm& farm, WorkerUuid uuid, Now now) {
  const auto* worker = farm.find_worker(uuid);
  const bool known = workers_.contains(uuid);
  if (worker == nullptr) {
    if (known) remove(farm, uuid, now);
  } else if (known) {
    move(farm, *worker, now);
  } else {
    add(farm, *worker, now);
  }
}

void Matcher::Index::follow_availability(const farm::Farm& farm, WorkerUuid uuid) {
  if (const auto* worker = farm.find_worker(uuid)) set_idle(uuid, workers_.at(uuid), availability(*worker));
}

/// The new place comes first: what both places serve must not look unservable in between.
void Matcher::Index::move(const farm::Farm& farm, const farm::Worker& worker, Now now) {
  const auto found = workers_.find(worker.uuid);
  auto old = std::move(found->second);
  set_idle(worker.uuid, old, std::nullopt);
  workers_.erase(found);
  forget_name(worker.uuid, old.name);
  add(farm, worker, now);
  for (auto* signature : old.pinned) {
    const auto& pinned = workers_.at(worker.uuid).pinned;
    if (std::ranges::find(pinned, signature) == pinned.end()) signature->pinned_to.erase(worker.uuid);
    count_fitting(farm, *signature, -1, now);
  }
  --old.of->members;
  old.of->signatures.for_each([&](std::size_t slot) { count_fitting(farm, signature_slots_.at(slot), -1, now); });
  if (old.of->members == 0) drop(*old.of);
}

void Matcher::Index::add(const farm::Farm& farm, const farm::Worker& worker, Now now) {
  auto& of = class_for(worker);
  auto& known = workers_[worker.uuid];
  known = KnownWorker{.of = &of, .name = name_cap(worker), .idle_since = std::nullopt, .pinned = {}};
  ++of.members;
  of.signatures.for_each([&](std::size_t slot) { count_fitting(farm, signature_slots_.at(slot), 1, now); });
  if (known.name) workers_by_name_[*known.name].insert(worker.uuid);
  std::set<std::size_t> candidates(pinned_by_requirement_);
  const auto consider = [&](const auto& map, const std::string& key) {
    if (const auto found = map.find(key); found != map.end()) {
      candidates.insert(found->second.begin(), found->second.end());
    }
  };
  consider(pinned_by_uuid_, worker.uuid.to_string());
  if (known.name) consider(pinned_by_name_, *known.name);
  for (const auto slot : candidates) {
    auto& signature = signature_slots_.at(slot);
    if (!fits(signature.needs, worker)) continue;
    signature.pinned_to.insert(worker.uuid);
    known.pinned.push_back(&signature);
    count_fitting(farm, signature, 1, now);
  }
  set_idle(worker.uuid, known, availability(worker));
}

void Matcher::Index::remove(const farm::Farm& farm, WorkerUuid uuid, Now now) {
  auto& known = workers_.at(uuid);
  set_idle(uuid, known, std::nullopt);
  for (auto* signature : known.pinned) {
    signature->pinned_to.erase(uuid);
    count_fitting(farm, *signature, -1, now);
  }
  forget_name(uuid, known.name);
  auto& of = *known.of;
  workers_.erase(uuid);
  --of.members;
  of.signatures.for_each([&](std::size_t slot) { count_fitting(farm, signature_slots_.at(slot), -1, now); });
  if (of.members == 0) drop(of);
}

void Matcher::Index::set_idle(WorkerUuid uuid, KnownWorker& known, std::optional<EventSeq> idle_since) {
  if (known.idle_since == idle_since) return;
  auto& of = *known.of;
  if (known.idle_since) {
    of.idle.erase({*known.idle_since, uuid});
    if (of.idle.empty()) idle_classes_.reset(of.slot);
    --idle_workers_;
    hot_workers_.erase(uuid);
  }
  known.idle_since = idle_since;
  if (idle_since) {
    of.idle.emplace_hint(of.idle.end(), *idle_since, uuid);
    idle_classes_.set(of.slot);
    ++idle_workers_;
    hot_workers_.insert(uuid);
  }
}

void Matcher::Index::forget_name(WorkerUuid uuid, const std::optional<std::string>& name) {
  if (!name) return;
  const auto found = workers_by_name_.find(*name);
  found->second.erase(uuid);
  if (found->second.empty()) workers_by_name_.erase(found);
}

}  // namespace boruta::match

#include <algorithm>
#include <functional>

#include "base/assert.hpp"
#include "farm/ceilings.hpp"
#include "match/index.hpp"

namespace boruta::match {
namespace {

bool names_worker(std::string_view capability) { return capability == kUuidCap || capability == kNameCap; }

bool is_pinned(const Demand& demand) {
  return demand.caps.contains(kUuidCap) || demand.caps.contains(kNameCap) ||
         std::ranges::any_of(demand.requirements, [](const auto& needed) { return names_worker(needed.capability); });
}

std::optional<std::string> named(const Demand& demand, std::string_view cap) {
  const auto found = demand.caps.find(cap);
  return found == demand.caps.end() ? std::nullopt : std::optional(found->second);
}

Capabilities class_caps(const farm::Worker& worker) {
  auto caps = worker.registration.caps;
  caps.erase(std::string(kUuidCap));
  caps.erase(std::string(kNameCap));
  return caps;
}

}  // namespace

std::size_t Matcher::Index::NeedsHash::operator()(const Needs& needs) const {
  constexpr std::size_t kMix = 0x9E3779B97F4A7C15;
  std::size_t hash = std::hash<const Demand*>{}(needs.demand.get());
  const auto mix = [&hash](std::size_t more) { hash = (hash ^ more) * kMix; };
  for (const auto& group : needs.owner_groups) mix(std::hash<std::string>{}(group));
  mix(needs.any_group ? 1 : 0);
  mix(needs.owner ? needs.owner->value : 0);
  return hash;
}

Signature& Matcher::Index::signature_for(const farm::Farm& farm, Needs needs, Now now) {
  auto& owned = signatures_[needs];
  if (owned) return *owned;
  owned = std::make_unique<Signature>();
  auto& signature = *owned;
  signature.needs = std::move(needs);
  signature.slot = signature_slots_.add(&signature);
  signature.held = is_held(farm, signature.needs);
  heads_.set(signature.slot, signature.head());
  find_fitting(farm, signature);
  signature.classes.for_each([&](std::size_t slot) { class_slots_.at(slot).signatures.set(signature.slot); });
  for (const auto uuid : signature.pinned_to) workers_.at(uuid).pinned.push_back(&signature);
  const auto owner = signature.needs.owner;
  if (owner && farm::has_running_ceiling(farm, *owner)) limited_signatures_.insert(signature.slot);
  if (signature.pinned) {
    const auto& demand = *signature.needs.demand;
    const auto uuid = named(demand, kUuidCap);
    const auto name = named(demand, kNameCap);
    if (uuid) pinned_by_uuid_[*uuid].insert(signature.slot);
    if (name) pinned_by_name_[*name].insert(signature.slot);
    if (!uuid && !name) pinned_by_requirement_.insert(signature.slot);
  }
  if (signature.fitting_workers == 0) set_invalid_at(signature, now.lease + farm.policy().invalid_after);
  return signature;
}

void Matcher::Index::find_fitting(const farm::Farm& farm, Signature& signature) const {
  const auto& needs = signature.needs;
  const auto& demand = *needs.demand;
  signature.pinned = is_pinned(demand);
  if (signature.pinned) {
    signature.pinned_to = find_pinned(farm, needs);
    signature.fitting_workers = signature.pinned_to.size();
    return;
  }
  // Those that have what must be equal come from an index; only for them the rest is looked at.
  Bits candidates;
  if (demand.caps.empty()) {
    class_slots_.for_each([&](const Class& of) { candidates.set(of.slot); });
  } else {
    bool first = true;
    for (const auto& cap : demand.caps) {
      const auto having = classes_with_.find(cap);
      if (having == classes_with_.end()) return;
      if (std::exchange(first, false)) {
        candidates = having->second;
      } else {
        candidates.keep_common(having->second);
      }
    }
  }
  candidates.for_each([&](std::size_t slot) {
    const auto& of = class_slots_.at(slot);
    if (!meets(of.caps, demand.requirements) || !admits(needs, of.groups)) return;
    signature.classes.set(slot);
    signature.fitting_workers += of.members;
  });
}

std::set<WorkerUuid> Matcher::Index::find_pinned(const farm::Farm& farm, const Needs& needs) const {
  std::set<WorkerUuid> found;
  // A worker that is being moved or removed is no longer among those that are known.
  const auto consider = [&](WorkerUuid uuid) {
    if (workers_.contains(uuid) && fits(needs, *farm.find_worker(uuid))) found.insert(uuid);
  };
  if (const auto uuid = named(*needs.demand, kUuidCap)) {
    if (const auto parsed = WorkerUuid::parse(*uuid)) consider(*parsed);
  } else if (const auto name = named(*needs.demand, kNameCap)) {
    if (const auto known = workers_by_name_.find(*name); known != workers_by_name_.end()) {
      for (const auto worker : known->second) consider(worker);
    }
  } else {
    for (const auto& [worker, known] : workers_) consider(worker);
  }
  return found;
}

void Matcher::Index::drop(Signature& signature) {
  set_invalid_at(signature, std::nullopt);
  signature.classes.for_each([&](std::size_t slot) { class_slots_.at(slot).signatures.reset(signature.slot); });
  for (const auto uuid : signature.pinned_to) std::erase(workers_.at(uuid).pinned, &signature);
  const auto forget = [&](auto& map, const std::optional<std::string>& key) {
    const auto found = key ? map.find(*key) : map.end();
    if (found == map.end()) return;
    found->second.erase(signature.slot);
    if (found->second.empty()) map.erase(found);
  };
  forget(pinned_by_uuid_, named(*signature.needs.demand, kUuidCap));
  forget(pinned_by_name_, named(*signature.needs.demand, kNameCap));
  pinned_by_requirement_.erase(signature.slot);
  limited_signatures_.erase(signature.slot);
  hot_signatures_.reset(signature.slot);
  heads_.set(signature.slot, kNoKey);
  signature_slots_.remove(signature.slot);
  const auto needs = signature.needs;
  const auto erased = signatures_.erase(needs);
  BORUTA_ASSERT(erased == 1);
}

Class& Matcher::Index::class_for(const farm::Worker& worker) {
  std::pair key(class_caps(worker), farm::groups_of(worker));
  const auto found = classes_.find(key);
  if (found != classes_.end()) return *found->second;
  auto made = std::make_unique<Class>();
  auto& of = *made;
  of.caps = key.first;
  of.groups = key.second;
  of.surplus = surplus_of(worker);
  of.slot = class_slots_.add(&of);
  classes_.emplace(std::move(key), std::move(made));
  for (const auto& cap : of.caps) classes_with_[cap].set(of.slot);
  signature_slots_.for_each([&](Signature& signature) {
    const auto& needs = signature.needs;
    if (signature.pinned || !admits(needs, of.groups) || !meets(of.caps, *needs.demand)) return;
    of.signatures.set(signature.slot);
    signature.classes.set(of.slot);
  });
  return of;
}

void Matcher::Index::drop(Class& of) {
  BORUTA_ASSERT(of.idle.empty());
  of.signatures.for_each([&](std::size_t slot) { signature_slots_.at(slot).classes.reset(of.slot); });
  for (const auto& cap : of.caps) {
    const auto having = classes_with_.find(cap);
    having->second.reset(of.slot);
    if (having->second.none()) classes_with_.erase(having);
  }
  class_slots_.remove(of.slot);
  const auto erased = classes_.erase(std::pair(of.caps, of.groups));
  BORUTA_ASSERT(erased == 1);
}

/// The number of workers that fit has changed: the clock towards INVALID may start or stop.
void Matcher::Index::count_fitting(const farm::Farm& farm, Signature& signature, std::ptrdiff_t change, Now now) {
  const auto before = signature.fitting_workers;
  signature.fitting_workers += static_cast<std::size_t>(change);
  if ((before == 0) == (signature.fitting_workers == 0)) return;
  servability_changed_ = true;
  follow_servability(signature);
  if (before == 0) {
    set_invalid_at(signature, std::nullopt);
  } else {
    mark_unservable(farm, signature);
    set_invalid_at(signature, now.lease + farm.policy().invalid_after);
  }
}

void Matcher::Index::follow_servability(const Signature& signature) {
  for (const auto key : signature.ready) {
    const auto id = id_of(key);
    const auto& waiting = requests_.at(id);
    auto& by_age = owners_.at(waiting.owner).by_age;
    if (signature.fitting_workers > 0) {
      by_age.emplace(waiting.ready_since, id);
    } else {
      by_age.erase({waiting.ready_since, id});
    }
  }
}

void Matcher::Index::mark_unservable(const farm::Farm& farm, const Signature& signature) {
  const auto mark = [&](const auto& queue) {
    for (const auto key : queue) {
      const auto* request = farm.find_open_request(id_of(key));
      const bool unmarked =
          request != nullptr && request->state == farm::RequestState::kWaiting && !request->was_servable;
      if (unmarked) newly_unservable_.push_back(request->id);
    }
  };
  mark(signature.ready);
  mark(signature.later);
}

void Matcher::Index::set_invalid_at(Signature& signature, std::optional<Instant> at) {
  if (signature.invalid_at) invalid_at_.erase({*signature.invalid_at, signature.slot});
  signature.invalid_at = at;
  if (at) invalid_at_.emplace(*at, signature.slot);
}

}  // namespace boruta::match

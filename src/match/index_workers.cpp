#include <algorithm>

#include "base/assert.hpp"
#include "match/index.hpp"

namespace boruta::match {
namespace {

Capabilities class_caps(const farm::Worker& worker) {
  auto caps = worker.registration.caps;
  caps.erase(std::string(kUuidCap));
  caps.erase(std::string(kNameCap));
  return caps;
}

/// Whether the worker still offers what its class does; cheaper than making the class's key.
bool is_of(const farm::Worker& worker, const Class& of) {
  if (farm::groups_of(worker) != of.groups) return false;
  auto expected = of.caps.begin();
  for (const auto& cap : worker.registration.caps) {
    if (cap.first == kUuidCap || cap.first == kNameCap) continue;
    if (expected == of.caps.end() || *expected != cap) return false;
    ++expected;
  }
  return expected == of.caps.end();
}

bool class_fits(const Signature& signature, const Class& of) {
  const bool has_caps = std::ranges::all_of(signature.needs.caps, [&](const auto& needed) {
    const auto found = of.caps.find(needed.first);
    return found != of.caps.end() && found->second == needed.second;
  });
  const auto& needs = signature.needs;
  return has_caps && (needs.any_group || of.groups.empty() || intersects(needs.owner_groups, of.groups));
}

std::optional<std::string> name_cap(const farm::Worker& worker) {
  const auto name = worker.registration.caps.find(kNameCap);
  return name == worker.registration.caps.end() ? std::nullopt : std::optional(name->second);
}

std::optional<EventSeq> availability(const farm::Worker& worker) {
  if (worker.state != farm::WorkerState::kIdle || !worker.connected) return std::nullopt;
  return worker.idle_since;
}

}  // namespace

void Matcher::Index::follow(const farm::Farm& farm, WorkerUuid uuid, Now now) {
  const auto* worker = farm.find_worker(uuid);
  const auto found = workers_.find(uuid);
  if (worker == nullptr) {
    if (found != workers_.end()) remove(farm, uuid, now);
    return;
  }
  if (found != workers_.end() && is_of(*worker, *found->second.of) && name_cap(*worker) == found->second.name) {
    set_idle(uuid, found->second, availability(*worker));
    return;
  }
  // The new place comes first: what both places serve must not look unservable in between.
  if (found != workers_.end()) {
    auto old = std::move(found->second);
    set_idle(uuid, old, std::nullopt);
    workers_.erase(found);
    forget_name(uuid, old.name);
    add(farm, *worker, now);
    for (auto* signature : old.pinned) {
      const auto& pinned = workers_.at(uuid).pinned;
      if (std::ranges::find(pinned, signature) == pinned.end()) signature->pinned_to.erase(uuid);
      --signature->fitting_workers;
      add_fitting(farm, *signature, signature->fitting_workers + 1, now);
    }
    --old.of->members;
    for (const auto& link : old.of->signatures) {
      --link.fitting->fitting_workers;
      add_fitting(farm, *link.fitting, link.fitting->fitting_workers + 1, now);
    }
    if (old.of->members == 0) drop(*old.of);
    return;
  }
  add(farm, *worker, now);
}

void Matcher::Index::add(const farm::Farm& farm, const farm::Worker& worker, Now now) {
  auto& of = class_for(worker);
  auto& known = workers_[worker.uuid];
  known = KnownWorker{.of = &of, .name = name_cap(worker), .idle_since = std::nullopt, .pinned = {}};
  ++of.members;
  for (const auto& link : of.signatures) {
    ++link.fitting->fitting_workers;
    add_fitting(farm, *link.fitting, link.fitting->fitting_workers - 1, now);
  }
  if (known.name) workers_by_name_[*known.name].insert(worker.uuid);
  const auto pin_found = [&](const auto& map, const std::string& key) {
    const auto found = map.find(key);
    if (found == map.end()) return;
    for (const auto serial : found->second) {
      auto& signature = *by_serial_.at(serial);
      const bool named = (!signature.uuid || *signature.uuid == worker.uuid.to_string()) &&
                         (!signature.name || signature.name == known.name);
      if (!named || !class_fits(signature, of) || std::ranges::find(known.pinned, &signature) != known.pinned.end()) {
        continue;
      }
      signature.pinned_to.insert(worker.uuid);
      known.pinned.push_back(&signature);
      ++signature.fitting_workers;
      add_fitting(farm, signature, signature.fitting_workers - 1, now);
    }
  };
  pin_found(pinned_by_uuid_, worker.uuid.to_string());
  if (known.name) pin_found(pinned_by_name_, *known.name);
  set_idle(worker.uuid, known, availability(worker));
}

void Matcher::Index::remove(const farm::Farm& farm, WorkerUuid uuid, Now now) {
  auto& known = workers_.at(uuid);
  set_idle(uuid, known, std::nullopt);
  for (auto* signature : known.pinned) {
    signature->pinned_to.erase(uuid);
    --signature->fitting_workers;
    add_fitting(farm, *signature, signature->fitting_workers + 1, now);
  }
  forget_name(uuid, known.name);
  auto& of = *known.of;
  workers_.erase(uuid);
  --of.members;
  for (const auto& link : of.signatures) {
    --link.fitting->fitting_workers;
    add_fitting(farm, *link.fitting, link.fitting->fitting_workers + 1, now);
  }
  if (of.members == 0) drop(of);
}

void Matcher::Index::set_idle(WorkerUuid uuid, KnownWorker& known, std::optional<EventSeq> idle_since) {
  if (known.idle_since == idle_since) return;
  if (known.idle_since) {
    known.of->idle.erase({*known.idle_since, uuid});
    --idle_workers_;
    hot_workers_.erase(uuid);
  }
  known.idle_since = idle_since;
  if (idle_since) {
    known.of->idle.emplace(*idle_since, uuid);
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

/// The number of workers that fit has changed from `before`: the clock towards INVALID starts or stops.
void Matcher::Index::add_fitting(const farm::Farm& farm, Signature& signature, std::size_t before, Now now) {
  if (before == 0 && signature.fitting_workers > 0) {
    set_invalid_at(signature, std::nullopt);
  } else if (before > 0 && signature.fitting_workers == 0) {
    mark_unservable(farm, signature);
    set_invalid_at(signature, now.lease + farm.policy().invalid_after);
  }
}

void Matcher::Index::mark_unservable(const farm::Farm& farm, const Signature& signature) {
  for (const auto* queue : {&signature.ready, &signature.later}) {
    for (const auto key : *queue) {
      const auto* request = farm.find_request(id_of(key));
      const bool unmarked = request->state == farm::RequestState::kWaiting && !request->was_servable;
      if (unmarked) newly_unservable_.push_back(request->id);
    }
  }
}

void Matcher::Index::pin(const farm::Farm& farm, Signature& signature) {
  if (signature.uuid) pinned_by_uuid_[*signature.uuid].insert(signature.serial);
  if (signature.name) pinned_by_name_[*signature.name].insert(signature.serial);
  std::set<WorkerUuid> named;
  if (signature.uuid) {
    if (const auto uuid = WorkerUuid::parse(*signature.uuid)) named.insert(*uuid);
  } else if (const auto found = workers_by_name_.find(*signature.name); found != workers_by_name_.end()) {
    named = found->second;
  }
  for (const auto uuid : named) {
    const auto known = workers_.find(uuid);
    if (known == workers_.end() || !class_fits(signature, *known->second.of)) continue;
    if (signature.name && known->second.name != signature.name) continue;
    signature.pinned_to.insert(uuid);
    known->second.pinned.push_back(&signature);
    ++signature.fitting_workers;
  }
  BORUTA_ASSERT(signature.fitting_workers <= farm.workers().size());
}

Class& Matcher::Index::class_for(const farm::Worker& worker) {
  std::pair key(class_caps(worker), farm::groups_of(worker));
  const auto found = classes_.find(key);
  if (found != classes_.end()) return *found->second;
  auto made = std::make_unique<Class>(Class{.caps = key.first, .groups = key.second, .surplus = surplus_of(worker)});
  auto& of = *classes_.emplace(std::move(key), std::move(made)).first->second;
  for (const auto& [needs, signature] : signatures_) {
    if (!signature->is_pinned()) link(*signature, of);
  }
  return of;
}

void Matcher::Index::drop(Class& of) {
  BORUTA_ASSERT(of.idle.empty());
  unlink_all(of);
  const auto erased = classes_.erase({of.caps, of.groups});
  BORUTA_ASSERT(erased == 1);
}

void Matcher::Index::link(Signature& signature, Class& of) {
  if (!class_fits(signature, of)) return;
  const auto place_in_class = static_cast<std::uint32_t>(of.signatures.size());
  const auto place_in_signature = static_cast<std::uint32_t>(signature.classes.size());
  signature.classes.push_back(ClassLink{.fitting = &of, .place = place_in_class});
  of.signatures.push_back(SignatureLink{.fitting = &signature, .place = place_in_signature});
  of.heads.push_back(signature.head());
  signature.fitting_workers += of.members;
}

void Matcher::Index::unlink_all(Signature& signature) {
  for (const auto& link : signature.classes) {
    auto& of = *link.fitting;
    of.signatures[link.place] = of.signatures.back();
    of.heads[link.place] = of.heads.back();
    const auto& moved = of.signatures[link.place];
    moved.fitting->classes[moved.place].place = link.place;
    of.signatures.pop_back();
    of.heads.pop_back();
  }
  signature.classes.clear();
}

void Matcher::Index::unlink_all(Class& of) {
  for (const auto& link : of.signatures) {
    auto& signature = *link.fitting;
    signature.classes[link.place] = signature.classes.back();
    const auto& moved = signature.classes[link.place];
    moved.fitting->signatures[moved.place].place = link.place;
    signature.classes.pop_back();
  }
  of.signatures.clear();
  of.heads.clear();
}

}  // namespace boruta::match

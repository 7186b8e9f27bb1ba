#include <algorithm>
#include <tuple>

#include "base/assert.hpp"
#include "farm/emitter.hpp"
#include "match/index.hpp"

namespace boruta::match {

farm::Events Matcher::Index::next(const farm::Farm& farm, Now now) {
  promote(now);
  if (auto events = mark_servable(farm, now); !events.empty()) return events;
  if (auto events = invalidate(farm, now); !events.empty()) return events;
  if (!farm.free_tunnel_port()) return {};
  const auto choice = choose();
  if (choice.key == kNoKey) return {};
  return start_job(farm, choice, now);
}

farm::NextDeadline Matcher::Index::next_deadline() const {
  farm::NextDeadline next;
  if (!later_.empty()) next.wall = later_.begin()->first;
  if (!invalid_at_.empty()) next.lease = invalid_at_.begin()->first;
  return next;
}

/// The most important request that what has just changed can serve. What can serve nothing is not hot any more.
Matcher::Index::Choice Matcher::Index::choose() {
  Choice choice;
  if (idle_workers_ == 0) {
    hot_signatures_.clear();
    return choice;
  }
  for (auto serial = hot_signatures_.begin(); serial != hot_signatures_.end();) {
    const auto& signature = *by_serial_.at(*serial);
    const auto worker = signature.ready.empty() ? std::nullopt : best_worker(signature);
    if (!worker) {
      serial = hot_signatures_.erase(serial);
      continue;
    }
    if (signature.head() < choice.key) choice = Choice{.key = signature.head(), .worker = *worker};
    ++serial;
  }
  for (auto uuid = hot_workers_.begin(); uuid != hot_workers_.end();) {
    const auto [key, signature] = best_for(workers_.at(*uuid));
    if (key == kNoKey) {
      uuid = hot_workers_.erase(uuid);
      continue;
    }
    if (key < choice.key || (key == choice.key && better(*uuid, choice.worker))) {
      choice = Choice{.key = key, .worker = *uuid};
    }
    ++uuid;
  }
  return choice;
}

std::pair<QueueKey, Signature*> Matcher::Index::best_for(const KnownWorker& known) const {
  std::pair<QueueKey, Signature*> best{kNoKey, nullptr};
  const auto& of = *known.of;
  if (!of.heads.empty()) {
    const auto head = std::ranges::min_element(of.heads);
    best = {*head, of.signatures[static_cast<std::size_t>(head - of.heads.begin())].fitting};
  }
  for (auto* signature : known.pinned) {
    if (signature->head() < best.first) best = {signature->head(), signature};
  }
  return best;
}

std::optional<WorkerUuid> Matcher::Index::best_worker(const Signature& signature) const {
  const Class* best = nullptr;
  for (const auto& link : signature.classes) {
    const auto& of = *link.fitting;
    if (of.idle.empty()) continue;
    const auto rank = [](const Class& ranked) { return std::pair(ranked.surplus, *ranked.idle.begin()); };
    if (best == nullptr || rank(of) < rank(*best)) best = &of;
  }
  if (best != nullptr) return best->idle.begin()->second;
  std::optional<WorkerUuid> pinned;
  for (const auto uuid : signature.pinned_to) {
    if (!workers_.at(uuid).idle_since) continue;
    if (!pinned || better(uuid, *pinned)) pinned = uuid;
  }
  return pinned;
}

bool Matcher::Index::better(WorkerUuid left, WorkerUuid right) const {
  const auto rank = [this](WorkerUuid uuid) {
    const auto& known = workers_.at(uuid);
    return std::tuple(known.of->surplus, *known.idle_since, uuid);
  };
  return rank(left) < rank(right);
}

farm::Events Matcher::Index::start_job(const farm::Farm& farm, const Choice& choice, Now now) const {
  const auto* request = farm.find_request(id_of(choice.key));
  const auto* worker = farm.find_worker(choice.worker);
  BORUTA_ASSERT(request != nullptr && worker != nullptr);
  const auto& policy = farm.policy();
  const auto timeout_max = now.lease + policy.lease_max;
  farm::Emitter out(farm, farm::Actor{}, now);
  out.add(farm::JobStarted{.id = request->id,
                           .worker = worker->uuid,
                           .generation = Generation{worker->generation.value + 1},
                           .timeout = std::min(now.lease + request->lease, timeout_max),
                           .timeout_max = timeout_max,
                           .claim_by = request->claim_within > Duration::zero()
                                           ? std::optional(now.lease + request->claim_within)
                                           : std::nullopt,
                           .respond_by = now.lease + policy.grant_within,
                           .tunnel_port = *farm.free_tunnel_port()});
  return out.take();
}

/// Of the requests that lost their last worker, those that are waiting still and not known as once servable.
farm::Events Matcher::Index::mark_servable(const farm::Farm& farm, Now now) {
  auto ids = std::exchange(newly_unservable_, {});
  std::erase_if(ids, [&](RequestId id) {
    const auto* request = farm.find_request(id);
    return request->state != farm::RequestState::kWaiting || request->was_servable;
  });
  if (ids.empty()) return {};
  std::ranges::sort(ids);
  farm::Emitter out(farm, farm::Actor{}, now);
  out.add(farm::RequestsServable{.ids = std::move(ids)});
  return out.take();
}

farm::Events Matcher::Index::invalidate(const farm::Farm& farm, Now now) {
  farm::Emitter out(farm, farm::Actor{}, now);
  while (!invalid_at_.empty() && invalid_at_.begin()->first <= now.lease) {
    auto& signature = *by_serial_.at(invalid_at_.begin()->second);
    // Requests that came here later have time left.
    std::optional<Instant> next;
    for (const auto* queue : {&signature.ready, &signature.later}) {
      for (const auto key : *queue) {
        const auto id = id_of(key);
        if (!farm.find_request(id)->was_servable) continue;
        const auto since = requests_.at(id).unservable_since;
        if (since && *since + farm.policy().invalid_after > now.lease) {
          next = std::min(next.value_or(Instant::max()), *since + farm.policy().invalid_after);
          continue;
        }
        out.add(farm::RequestEnded{.id = id,
                                   .from = farm::RequestState::kWaiting,
                                   .state = farm::RequestState::kInvalid,
                                   .reason = "no registered worker could serve it any more"});
      }
    }
    set_invalid_at(signature, next);
  }
  return out.take();
}

}  // namespace boruta::match

#include <algorithm>
#include <tuple>

#include "base/assert.hpp"
#include "farm/emitter.hpp"
#include "match/index.hpp"

namespace boruta::match {

farm::Events Matcher::Index::next(const farm::Farm& farm, Now now) {
  promote(farm, now);
  check_overdue(farm, now);
  if (auto events = mark_servable(farm, now); !events.empty()) return events;
  if (auto events = invalidate(farm, now); !events.empty()) return events;
  if (hot_workers_.empty() && hot_signatures_.none()) return {};
  const auto tunnel_port = farm.free_tunnel_port();
  if (!tunnel_port) return {};
  const auto choice = choose(farm, now);
  if (choice.key == kNoKey) return {};
  return start_job(farm, choice, *tunnel_port, now);
}

farm::NextDeadline Matcher::Index::next_deadline() const {
  farm::NextDeadline next;
  if (!later_.empty()) next.wall = later_.begin()->first;
  if (!overdue_checks_.empty()) next.wall = earlier(next.wall, overdue_checks_.begin()->first);
  if (!invalid_at_.empty()) next.lease = invalid_at_.begin()->first;
  return next;
}

/// In the order in which requests are served: priority, then in a fair queue the owner's use, then id.
bool Matcher::Index::precedes(const Choice& left, const Choice& right) {
  const auto left_priority = priority_of(left.key);
  const auto right_priority = priority_of(right.key);
  if (left_priority != right_priority || left_priority == kOverdue || left.use == right.use) {
    return left.key < right.key;
  }
  return left.use < right.use;
}

double Matcher::Index::use_of(const farm::Farm& farm, QueueKey key, Instant now) const {
  const bool fair = farm.policy().order == farm::QueueOrder::kFair && key != kNoKey;
  return fair ? farm.loads().use(requests_.at(id_of(key)).owner, now) : 0;
}

/// The first request that what has just changed can serve. What can serve nothing is not hot any more.
Matcher::Index::Choice Matcher::Index::choose(const farm::Farm& farm, Now now) {
  Choice choice;
  if (idle_workers_ == 0) {
    hot_signatures_.clear();
    return choice;
  }
  hot_signatures_.for_each([&](std::size_t slot) {
    const auto& signature = signature_slots_.at(slot);
    const auto head = signature.head();
    const auto worker = head == kNoKey ? std::nullopt : best_worker(signature);
    if (!worker) {
      hot_signatures_.reset(slot);
      return;
    }
    const Choice found{.key = head, .use = use_of(farm, head, now.wall), .worker = *worker};
    if (precedes(found, choice)) choice = found;
  });
  for (auto uuid = hot_workers_.begin(); uuid != hot_workers_.end();) {
    const auto found = best_for(farm, *uuid, now);
    if (found.key == kNoKey) {
      uuid = hot_workers_.erase(uuid);
      continue;
    }
    if (precedes(found, choice) || (found.key == choice.key && better(*uuid, choice.worker))) choice = found;
    ++uuid;
  }
  return choice;
}

Matcher::Index::Choice Matcher::Index::best_for(const farm::Farm& farm, WorkerUuid uuid, Now now) const {
  const auto& known = workers_.at(uuid);
  Choice best{.key = heads_.first_of(known.of->signatures), .worker = uuid};
  for (const auto* signature : known.pinned) best.key = std::min(best.key, signature->head());
  const auto priority = priority_of(best.key);
  const bool by_key = farm.policy().order == farm::QueueOrder::kFifo || best.key == kNoKey || priority == kOverdue;
  return by_key ? best : fairest_for(farm, uuid, priority, now);
}

Matcher::Index::Choice Matcher::Index::fairest_for(const farm::Farm& farm, WorkerUuid uuid, std::uint8_t priority,
                                                   Now now) const {
  const auto& known = workers_.at(uuid);
  const auto shrink = farm.loads().shrink(now.wall);
  Choice best{.worker = uuid};
  const auto consider = [&](UserId owner, auto first) {
    Choice found{.use = farm.loads().use(owner, now.wall, shrink), .worker = uuid};
    if (best.key != kNoKey && found.use > best.use) return;
    found.key = first(found.use == best.use ? best.key : kNoKey);
    if (priority_of(found.key) == priority && precedes(found, best)) best = found;
  };
  for (const auto& [owner, queue] : owners_) {
    consider(owner, [&, &own = queue.signatures](QueueKey limit) {
      return heads_.first_of(known.of->signatures, own, limit);
    });
  }
  for (const auto* signature : known.pinned) {
    consider(*signature->needs.owner, [signature](QueueKey /*limit*/) { return signature->head(); });
  }
  return best;
}

std::optional<WorkerUuid> Matcher::Index::best_worker(const Signature& signature) const {
  const Class* best = nullptr;
  const auto rank = [](const Class& ranked) { return std::pair(ranked.surplus, *ranked.idle.begin()); };
  Bits::for_each_common(signature.classes, idle_classes_, [&](std::size_t slot) {
    const auto& of = class_slots_.at(slot);
    if (best == nullptr || of.surplus < best->surplus || (of.surplus == best->surplus && rank(of) < rank(*best))) {
      best = &of;
    }
  });
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

farm::Events Matcher::Index::start_job(const farm::Farm& farm, const Choice& choice, std::uint16_t tunnel_port,
                                       Now now) const {
  const auto* request = farm.find_open_request(id_of(choice.key));
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
                           .tunnel_port = tunnel_port,
                           .overdue = priority_of(choice.key) == kOverdue,
                           .own_keys = policy.access_control && !farm.keys_of(request->owner).empty()});
  return out.take();
}

/// Of the requests that lost their last worker, those that are waiting still and not known as once servable.
farm::Events Matcher::Index::mark_servable(const farm::Farm& farm, Now now) {
  if (newly_unservable_.empty()) return {};
  auto ids = std::exchange(newly_unservable_, {});
  std::erase_if(ids, [&](RequestId id) {
    const auto* request = farm.find_open_request(id);
    return request == nullptr || request->state != farm::RequestState::kWaiting || request->was_servable;
  });
  if (ids.empty()) return {};
  std::ranges::sort(ids);
  farm::Emitter out(farm, farm::Actor{}, now);
  out.add(farm::RequestsServable{.ids = std::move(ids)});
  return out.take();
}

farm::Events Matcher::Index::invalidate(const farm::Farm& farm, Now now) {
  const auto is_due = [&] { return !invalid_at_.empty() && invalid_at_.begin()->first <= now.lease; };
  if (!is_due()) return {};
  farm::Emitter out(farm, farm::Actor{}, now);
  while (is_due()) {
    auto& signature = signature_slots_.at(invalid_at_.begin()->second);
    // Requests that came here later have time left.
    std::optional<Instant> next;
    const auto judge = [&](const auto& queue) {
      for (const auto key : queue) {
        const auto id = id_of(key);
        if (!farm.find_open_request(id)->was_servable) continue;
        const auto since = requests_.at(id).unservable_since;
        if (since && *since + farm.policy().invalid_after > now.lease) {
          next = earlier(next, *since + farm.policy().invalid_after);
          continue;
        }
        out.add(farm::RequestEnded{.id = id,
                                   .from = farm::RequestState::kWaiting,
                                   .state = farm::RequestState::kInvalid,
                                   .reason = "no registered worker could serve it any more"});
      }
    };
    judge(signature.ready);
    judge(signature.later);
    set_invalid_at(signature, next);
  }
  return out.take();
}

}  // namespace boruta::match

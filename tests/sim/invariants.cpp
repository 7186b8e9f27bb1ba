#include "sim/invariants.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "farm/invariants.hpp"
#include "property/naive_model.hpp"
#include "property/replay.hpp"
#include "server/access.hpp"

namespace boruta::sim {
namespace {

constexpr Duration kClosedWithin = std::chrono::seconds(1);
/// What time alone can break is looked at when it would break, and so often besides.
constexpr Duration kLongestLook = std::chrono::minutes(1);

using Transitions = std::set<std::pair<std::string_view, std::string_view>>;

const Transitions& legal_for_requests() {
  static const Transitions kLegal{{"", "WAITING"},          {"WAITING", "IN PROGRESS"}, {"WAITING", "CANCELLED"},
                                  {"WAITING", "TIMEOUT"},   {"WAITING", "INVALID"},     {"IN PROGRESS", "DONE"},
                                  {"IN PROGRESS", "FAILED"}};
  return kLegal;
}

const Transitions& legal_for_workers() {
  static const Transitions kLegal{{"", "MAINTENANCE"},
                                  {"MAINTENANCE", "PREPARE"},
                                  {"MAINTENANCE", "BUSY"},
                                  {"MAINTENANCE", "MAINTENANCE"},
                                  {"PREPARE", "PREPARE"},
                                  {"PREPARE", "IDLE"},
                                  {"PREPARE", "BUSY"},
                                  {"PREPARE", "FAILED"},
                                  {"IDLE", "PREPARE"},
                                  {"IDLE", "RUNNING"},
                                  {"IDLE", "BUSY"},
                                  {"IDLE", "FAILED"},
                                  {"RUNNING", "PREPARE"},
                                  {"RUNNING", "BUSY"},
                                  {"RUNNING", "FAILED"},
                                  {"RUNNING", "MAINTENANCE"},
                                  {"BUSY", "MAINTENANCE"},
                                  {"BUSY", "BUSY"},
                                  {"BUSY", "FAILED"},
                                  {"FAILED", "PREPARE"},
                                  {"FAILED", "BUSY"},
                                  {"FAILED", "MAINTENANCE"},
                                  // It went there untold, and could not be told later.
                                  {"MAINTENANCE", "FAILED"}};
  return kLegal;
}

std::string name_of(RequestId id) { return fmt::format("request {}", id.value); }
std::string name_of(WorkerUuid uuid) { return fmt::format("worker {}", uuid.to_string()); }

}  // namespace

void Invariants::acknowledged(const farm::Events& events) {
  if (events.empty()) return;
  acknowledged_ = std::max(acknowledged_, events.back().seq);
  if (events.back().seq <= world_.disk().last_seq()) return;
  world_.violate(fmt::format("event {} was acknowledged and is not durable", events.back().seq.value));
}

void Invariants::logged_in(const Secret& token, const farm::Actor& actor, Instant wall) {
  const auto user = known_.users.find(actor.user);
  const bool admin = user != known_.users.end() && user->second.role == farm::Role::kAdmin;
  if (user == known_.users.end() || user->second.deleted || user->second.name != actor.name ||
      admin != (actor.kind == farm::Actor::Kind::kAdmin)) {
    world_.violate(fmt::format("somebody is taken for {}, who is none", actor.name));
  }
  if (!policy_.access_control) return;
  const auto* shown = known_.find_token(server::hash_of(token));
  if (shown == nullptr || shown->revoked || shown->user != actor.user || (shown->expires && *shown->expires <= wall)) {
    world_.violate(fmt::format("somebody is taken for {} by a token that opens nothing", actor.name));
  }
}

void Invariants::obeyed(const farm::Actor& actor, std::optional<RequestId> id) {
  if (actor.kind == farm::Actor::Kind::kAdmin) return;
  if (!id) {
    world_.violate(fmt::format("{} was obeyed as if an admin", actor.name));
    return;
  }
  const auto& requests = world_.disk().requests();
  const auto request = requests.find(*id);
  if (request == requests.end() || request->second.owner == actor.user) return;
  world_.violate(fmt::format("{} was obeyed, whose {} is not", actor.name, name_of(*id)));
}

void Invariants::access_given(const Secret& token, const farm::Actor& actor, RequestId id,
                              const server::Access& access) {
  promises_[id].in_progress = true;
  obeyed(actor, id);
  const auto now = world_.clock().now().lease;
  const auto* shown = policy_.access_control ? known_.find_token(server::hash_of(token)) : nullptr;
  const auto revoked = shown == nullptr ? revoked_at_.end() : revoked_at_.find(shown->id);
  if (revoked != revoked_at_.end() && revoked->second < now) {
    world_.violate(fmt::format("access to {} was handed out for a token that was revoked", name_of(id)));
  }
  const auto& requests = world_.disk().requests();
  const auto request = requests.find(id);
  const bool known = request != requests.end() && request->second.job;
  if (!known || request->second.job->worker != access.worker) {
    world_.violate(fmt::format("access to {} was handed out that was not durable", name_of(id)));
  }
  const bool own_keys = known && request->second.job->own_keys;
  if (access.private_key.reveal() != (own_keys ? "" : agent_key().reveal())) {
    world_.violate(fmt::format("access to {} was handed out with a key that opens nothing", name_of(id)));
  }
}

void Invariants::server_ends(const farm::Farm& farm) {
  if (farm.last_event() != world_.disk().last_seq()) return;
  if (world_.disk().load()->rows != farm.rows()) world_.violate("the rows on the disk are not those of the farm");
}

void Invariants::server_started(const farm::Rows& durable) {
  check_promises();
  if (durable.last_event < acknowledged_) world_.violate("events that were acknowledged are lost");
  known_.begin(durable);
  worker_states_.clear();
  for (const auto& request : durable.requests) {
    request_states_[request.id] = to_string(request.state);
    if (farm::is_terminal(request.state) && request.job && !ended_at_.contains(request.id)) note_end(request.id);
  }
  for (const auto& worker : durable.workers) worker_states_[worker.uuid] = to_string(worker.state);
  note_revoked();
}

void Invariants::on_durable(const farm::Events& events, const farm::Touched& /*touched*/) {
  for (const auto& event : events) {
    follow(event);
    note_forgotten(event);
  }
}

template <class Id>
void Invariants::step(std::string_view& state, Id whose, const farm::Transition& transition, const Transitions& legal) {
  if (state != transition.from) {
    world_.violate(fmt::format("{} is {} and changes from {}", name_of(whose), state, transition.from));
  }
  if (!legal.contains(std::pair(transition.from, transition.to))) {
    world_.violate(fmt::format("{} changes from {} to {}", name_of(whose), transition.from, transition.to));
  }
  state = transition.to;
}

void Invariants::follow(const farm::Event& event) {
  const auto request = farm::request_of(event.body);
  if (const auto transition = farm::request_transition_of(event.body); transition && request) {
    step(request_states_[*request], *request, *transition, legal_for_requests());
  }
  const auto worker = farm::worker_of(event.body);
  if (const auto transition = farm::worker_transition_of(event.body); transition && worker) {
    step(worker_states_[*worker], *worker, *transition, legal_for_workers());
  }
  check_rights(event);
  check_ceilings(event);
  if (const auto* started = std::get_if<farm::JobStarted>(&event.body)) {
    check_start(*started, event.at);
  } else if (const auto* ended = std::get_if<farm::RequestEnded>(&event.body)) {
    note_end(ended->id);
  } else if (const auto* left = std::get_if<farm::WorkerDeregistered>(&event.body)) {
    worker_states_.erase(left->uuid);
  } else if (const auto* prolonged = std::get_if<farm::JobProlonged>(&event.body)) {
    const auto& job = known_.open.at(prolonged->id).job;
    if (!job || prolonged->timeout > job->timeout_max) {
      world_.violate(fmt::format("the job of {} is prolonged past its maximum", name_of(prolonged->id)));
    }
  }
  known_.follow(event);
  if (std::holds_alternative<farm::TokenRevoked>(event.body) || std::holds_alternative<farm::UserDeleted>(event.body)) {
    note_revoked();
  }
}

/// Whoever changed something was there, and either an admin or somebody whose own it is.
void Invariants::check_rights(const farm::Event& event) {
  const auto& actor = event.actor;
  if (actor.kind != farm::Actor::Kind::kUser && actor.kind != farm::Actor::Kind::kAdmin) return;
  const auto user = known_.users.find(actor.user);
  if (user == known_.users.end() || user->second.deleted) {
    world_.violate(fmt::format("{}: by {}, who is not there", farm::kind_of(event.body), actor.name));
  } else if (user->second.role != farm::Role::kAdmin && !is_own(event)) {
    world_.violate(fmt::format("{}: by {}, who may not do that", farm::kind_of(event.body), actor.name));
  }
}

/// What users may do that are no admins, and what follows from it.
bool Invariants::is_own(const farm::Event& event) const {
  const auto user = event.actor.user;
  const auto is_of = [user](const auto& known, auto id, auto owner) {
    const auto found = known.find(id);
    return found != known.end() && owner(found->second) == user;
  };
  const auto token_owner = [](const farm::Token& token) { return token.user; };
  const auto itself = [](UserId owner) { return owner; };
  if (const auto* created = std::get_if<farm::RequestCreated>(&event.body)) return created->owner == user;
  if (const auto* given = std::get_if<farm::TokenCreated>(&event.body)) return given->user == user;
  if (const auto* revoked = std::get_if<farm::TokenRevoked>(&event.body)) {
    return is_of(known_.tokens, revoked->id, token_owner);
  }
  if (const auto* used = std::get_if<farm::TokenUsed>(&event.body)) return is_of(known_.tokens, used->id, token_owner);
  if (const auto* added = std::get_if<farm::UserKeyAdded>(&event.body)) return added->user == user;
  if (const auto* removed = std::get_if<farm::UserKeyRemoved>(&event.body)) {
    return is_of(known_.keys, removed->id, itself);
  }
  if (const auto* changed = std::get_if<farm::WorkerStateChanged>(&event.body)) {
    return changed->from == farm::WorkerState::kRunning && is_of(known_.last_served, changed->uuid, itself);
  }
  const auto request = farm::request_of(event.body);
  return request && is_of(known_.open, *request, [](const farm::Request& known) { return known.owner; });
}

/// Nobody gets more than the ceilings of that moment let them have.
void Invariants::check_ceilings(const farm::Event& event) {
  const auto check_priority = [&](RequestId id, farm::Priority priority, farm::Priority before) {
    if (event.actor.kind != farm::Actor::Kind::kUser || priority == before) return;
    if (priority >= known_.priority_ceiling(event.actor.user)) return;
    world_.violate(fmt::format("{} has a priority above the ceiling of its owner", name_of(id)));
  };
  if (const auto* created = std::get_if<farm::RequestCreated>(&event.body)) {
    check_priority(created->id, created->priority, {});
    if (known_.beyond(&farm::Ceilings::waiting, created->owner).value_or(-1) >= 0) {
      world_.violate(fmt::format("{} is one more than may wait", name_of(created->id)));
    }
  } else if (const auto* updated = std::get_if<farm::RequestUpdated>(&event.body)) {
    check_priority(updated->id, updated->priority, known_.open.at(updated->id).priority);
  } else if (const auto* started = std::get_if<farm::JobStarted>(&event.body)) {
    if (is_held(known_.open.at(started->id).owner)) {
      world_.violate(fmt::format("{} is one more than may run", name_of(started->id)));
    }
  }
}

bool Invariants::is_held(UserId owner) const {
  return known_.beyond(&farm::Ceilings::running, owner).value_or(-1) >= 0;
}

/// Whether `left`, as ready as `right`, is served first at `at` on the wall clock. Uses that are nearly equal may be
/// rounded either way: then neither is.
bool Invariants::comes_before(const farm::Request& left, const farm::Request& right, Instant at) const {
  if (left.priority != right.priority) return left.priority < right.priority;
  if (policy_.order == farm::QueueOrder::kFifo || left.owner == right.owner) return left.id < right.id;
  const auto difference = known_.use(left.owner, at) - known_.use(right.owner, at);
  constexpr double kRounding = 1e-3;
  return difference < -kRounding || (difference == 0 && left.id < right.id);
}

/// Nobody who comes first was ready for that worker and left waiting.
void Invariants::check_start(const farm::JobStarted& event, Instant at) {
  const auto& worker = known_.workers.at(event.worker);
  if (!worker.connected) {
    world_.violate(fmt::format("{} starts on {}, which is not connected", name_of(event.id), name_of(event.worker)));
  }
  const auto& started = known_.open.at(event.id);
  if (!known_.admits(worker, started.owner)) {
    world_.violate(fmt::format("{} starts on {}, which serves others", name_of(event.id), name_of(event.worker)));
  }
  for (const auto& [id, other] : known_.open) {
    if (other.job || id == event.id || !comes_before(other, started, at)) continue;
    // What became ready in that very moment may have come too late.
    if (other.valid_after.at + std::chrono::seconds(1) > at) continue;
    if (!meets(worker.registration.caps, *other.demand) || !known_.admits(worker, other.owner)) continue;
    if (is_held(other.owner)) continue;
    world_.violate(fmt::format("{} goes before {} on {}", name_of(event.id), name_of(id), name_of(event.worker)));
  }
}

void Invariants::note_revoked() {
  for (const auto& [id, token] : known_.tokens) {
    if (token.revoked) revoked_at_.try_emplace(id, world_.clock().now().lease);
  }
}

void Invariants::check(const farm::Farm& farm) {
  for (const auto& violation : farm::check_invariants(farm)) world_.violate(violation);
  if (const auto match = property::next_match(farm, world_.clock().now())) {
    world_.violate(fmt::format("{} waits while {} idles", name_of(match->request), name_of(match->worker)));
  }
  for (const auto& [uuid, worker] : farm.workers()) {
    if (worker.state == farm::WorkerState::kIdle && !world_.guests(uuid).empty()) {
      world_.violate(fmt::format("{} is IDLE and something of a user is left on it", name_of(uuid)));
    }
    if (worker.job) check_keys(farm, uuid, *farm.find_open_request(*worker.job));
  }
}

/// What opens the worker of a job that was granted is the owner's still.
void Invariants::check_keys(const farm::Farm& farm, WorkerUuid uuid, const farm::Request& request) {
  if (!request.job->own_keys || !request.job->granted) return;
  for (const auto& opener : world_.openers(uuid)) {
    const auto registered = farm.keys_of(request.owner);
    const auto is_opener = [&opener](const farm::UserKey* key) { return key->public_key == opener; };
    if (std::ranges::any_of(registered, is_opener)) continue;
    world_.violate(
        fmt::format("the key {} opens {} of {} and is not its owner's", opener, name_of(uuid), name_of(request.id)));
  }
}

void Invariants::note_end(RequestId id) {
  const auto now = world_.clock().now().lease;
  ended_at_[id] = now;
  next_look_ = std::min(next_look_, now + std::min(kClosedWithin, cleaned_within_));
}

void Invariants::check_time(const std::set<RequestId>& open_tunnels) {
  const auto now = world_.clock().now().lease;
  if (now <= next_look_ && world_.entries() == entries_) return;
  entries_ = world_.entries();
  next_look_ = now + kLongestLook;
  // By when it must be over; nothing while the job runs.
  const auto limit = [&](RequestId job, Duration within) {
    const auto ended = ended_at_.find(job);
    if (ended == ended_at_.end()) return Instant::max();
    next_look_ = std::min(next_look_, std::max(now, ended->second + within));
    return ended->second + within;
  };
  for (const auto& [uuid, guests] : world_.all_guests()) {
    for (const auto job : guests) {
      if (now <= limit(job, cleaned_within_)) continue;
      world_.violate(fmt::format("something of {} is left on {} {} after its end", name_of(job), name_of(uuid),
                                 format_duration(now - ended_at_.at(job))));
    }
  }
  for (const auto job : open_tunnels) {
    if (now <= limit(job, kClosedWithin)) continue;
    world_.violate(fmt::format("the tunnel of {} is open after its end", name_of(job)));
  }
}

void Invariants::learn_what_is_forgotten() {
  const auto untold = world_.disk().read({.after = looked_at_, .limit = SIZE_MAX});
  for (const auto& event : *untold) note_forgotten(event);
}

void Invariants::note_forgotten(const farm::Event& event) {
  looked_at_ = event.seq;
  const auto* forgotten = std::get_if<farm::RequestsForgotten>(&event.body);
  if (forgotten == nullptr) return;
  world_.count("requests forgotten");
  if (forgotten->ended_until + policy_.keep_requests > event.at) {
    world_.violate(fmt::format("event {} forgets what has not ended long ago", event.seq.value));
  }
  for (const auto& range : forgotten->ranges) {
    for (auto id = range.first; id <= range.last; ++id.value) forgotten_.insert(id);
  }
}

void Invariants::check_promises() {
  learn_what_is_forgotten();
  const auto& requests = world_.disk().requests();
  for (const auto& [id, promise] : promises_) {
    const auto found = requests.find(id);
    if (found == requests.end()) {
      if (!forgotten_.contains(id)) world_.violate(fmt::format("{} was acknowledged and is not there", name_of(id)));
      continue;
    }
    const auto& request = found->second;
    if (promise.closed && !farm::is_terminal(request.state)) {
      world_.violate(fmt::format("{} was closed and is {}", name_of(id), to_string(request.state)));
    }
    if (promise.in_progress && !request.job) {
      world_.violate(fmt::format("{} was in progress and has no job", name_of(id)));
    }
  }
}

void Invariants::check_end(const farm::Farm& farm) {
  const auto durable = world_.disk().load();
  check_promises();
  for (const auto& [uuid, worker] : farm.workers()) {
    const bool settled = worker.state == farm::WorkerState::kMaintenance || worker.state == farm::WorkerState::kIdle ||
                         worker.state == farm::WorkerState::kFailed;
    if (!settled || !worker.connected || worker.untold) {
      world_.violate(fmt::format("{} is {} ({}connected) at the end", name_of(uuid), to_string(worker.state),
                                 worker.connected ? "" : "not "));
    }
    if (worker.dirty || !world_.guests(uuid).empty()) {
      world_.violate(fmt::format("something of a user is left on {} at the end, which is {} and {}", name_of(uuid),
                                 to_string(worker.state), worker.dirty ? "dirty" : "not dirty"));
    }
  }
  if (!farm.open_requests().empty()) {
    world_.violate(fmt::format("{} has not ended", name_of(*farm.open_requests().begin())));
  }
  for (const auto& key : durable->keys) {
    const auto* worker = farm.find_worker(key.worker);
    if (worker == nullptr || worker->state != farm::WorkerState::kIdle) {
      world_.violate(fmt::format("a key of {} is kept that opens nothing", name_of(key.worker)));
    }
  }
  check_replay(durable->rows);
}

void Invariants::check_replay(const farm::Rows& durable) {
  const auto events = world_.disk().read({.after = EventSeq{}, .limit = SIZE_MAX});
  check_creations(*events);
  if (events->front().seq == EventSeq{1}) check_replay_behind(farm::Rows{}, durable, *events);
  const auto checkpoint = world_.disk().read_checkpoint();
  if (*checkpoint) {
    world_.count("checkpoint kept");
    check_replay_behind(**checkpoint, durable, *events);
  } else if (events->front().seq != EventSeq{1}) {
    world_.violate("events were forgotten without a checkpoint");
  }
}

void Invariants::check_replay_behind(const farm::Rows& checkpoint, const farm::Rows& durable,
                                     const farm::Events& events) {
  const auto seq = checkpoint.last_event;
  farm::Farm replayed(policy_, property::rows_behind(checkpoint, durable));
  for (const auto& event : events) {
    if (event.seq <= seq) continue;
    farm::Touched touched;
    farm::apply_event(replayed, event, touched);
  }
  if (replayed.rows() != durable) {
    world_.violate(fmt::format("replaying the journal behind event {} does not give the rows", seq.value));
  }
}

/// Keys are kept for longer than a simulation lasts.
void Invariants::check_creations(const farm::Events& events) {
  std::set<std::pair<UserId, std::string>> filed;
  for (const auto& event : events) {
    const auto* created = std::get_if<farm::RequestCreated>(&event.body);
    if (created == nullptr || !created->idempotency_key) continue;
    if (filed.emplace(created->owner, *created->idempotency_key).second) continue;
    world_.violate(fmt::format("{} was filed once more under its key", name_of(created->id)));
  }
}

}  // namespace boruta::sim

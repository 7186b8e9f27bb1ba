#include "sim/invariants.hpp"

#include <fmt/format.h>

#include <tuple>

#include "farm/invariants.hpp"
#include "property/naive_model.hpp"
#include "property/replay.hpp"

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

void Invariants::access_given(RequestId id, const server::Access& access) {
  promises_[id].in_progress = true;
  const auto& requests = world_.disk().requests();
  const auto request = requests.find(id);
  const bool known = request != requests.end() && request->second.job;
  if (!known || request->second.job->worker != access.worker) {
    world_.violate(fmt::format("access to {} was handed out that was not durable", name_of(id)));
  }
  if (access.private_key.reveal() != agent_key().reveal()) {
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
  open_.clear();
  workers_.clear();
  worker_states_.clear();
  for (const auto& request : durable.requests) {
    request_states_[request.id] = to_string(request.state);
    if (!farm::is_terminal(request.state)) {
      open_.emplace(request.id, request);
    } else if (request.job) {
      if (!ended_at_.contains(request.id)) note_end(request.id);
    }
  }
  for (const auto& worker : durable.workers) {
    workers_.emplace(worker.uuid, worker);
    worker_states_[worker.uuid] = to_string(worker.state);
  }
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
  if (const auto* created = std::get_if<farm::RequestCreated>(&event.body)) {
    open_.emplace(created->id, farm::Request{.id = created->id,
                                             .owner = created->owner,
                                             .priority = created->priority,
                                             .demand = std::make_shared<const Demand>(
                                                 Demand{.caps = created->caps, .requirements = created->requirements}),
                                             .valid_after = created->valid_after,
                                             .deadline = created->deadline,
                                             .job = std::nullopt,
                                             .reason = {}});
  } else if (const auto* updated = std::get_if<farm::RequestUpdated>(&event.body)) {
    open_.at(updated->id).priority = updated->priority;
  } else if (const auto* ended = std::get_if<farm::RequestEnded>(&event.body)) {
    open_.erase(ended->id);
    note_end(ended->id);
  } else if (const auto* started = std::get_if<farm::JobStarted>(&event.body)) {
    follow(*started, event.at);
  } else if (const auto* registered = std::get_if<farm::WorkerRegistered>(&event.body)) {
    workers_.emplace(registered->uuid,
                     farm::Worker{.uuid = registered->uuid, .registration = registered->registration});
  } else if (const auto* connected = std::get_if<farm::WorkerConnected>(&event.body)) {
    workers_.at(connected->uuid).connected = true;
  } else if (const auto* disconnected = std::get_if<farm::WorkerDisconnected>(&event.body)) {
    workers_.at(disconnected->uuid).connected = false;
  } else if (std::holds_alternative<farm::ServerStarted>(event.body)) {
    for (auto& [uuid, known] : workers_) known.connected = false;
  } else if (const auto* left = std::get_if<farm::WorkerDeregistered>(&event.body)) {
    workers_.erase(left->uuid);
    worker_states_.erase(left->uuid);
  } else if (const auto* prolonged = std::get_if<farm::JobProlonged>(&event.body)) {
    const auto& job = open_.at(prolonged->id).job;
    if (!job || prolonged->timeout > job->timeout_max) {
      world_.violate(fmt::format("the job of {} is prolonged past its maximum", name_of(prolonged->id)));
    }
  } else if (const auto* resumed = std::get_if<farm::JobResumed>(&event.body)) {
    open_.at(resumed->id).job->timeout_max = resumed->timeout_max;
  }
}

/// Nobody more important, or as important and earlier, was ready for that worker and left waiting.
void Invariants::follow(const farm::JobStarted& event, Instant at) {
  const auto& worker = workers_.at(event.worker);
  if (!worker.connected) {
    world_.violate(fmt::format("{} starts on {}, which is not connected", name_of(event.id), name_of(event.worker)));
  }
  auto& started = open_.at(event.id);
  const auto rank = [](const farm::Request& request) { return std::tuple(request.priority, request.id); };
  for (const auto& [id, other] : open_) {
    if (other.job || id == event.id || rank(started) < rank(other)) continue;
    // What became ready in that very moment may have come too late.
    if (other.valid_after.at + std::chrono::seconds(1) > at) continue;
    if (!meets(worker.registration.caps, *other.demand)) continue;
    world_.violate(fmt::format("{} goes before {} on {}", name_of(event.id), name_of(id), name_of(event.worker)));
  }
  started.job = farm::Job{.worker = event.worker,
                          .timeout = event.timeout,
                          .timeout_max = event.timeout_max,
                          .claim_by = std::nullopt,
                          .paused_since = std::nullopt};
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
  if (events->front().seq == EventSeq{1}) check_replay_behind(EventSeq{}, farm::Rows{}, durable, *events);
  for (const auto& event : *events) {
    if (!std::holds_alternative<farm::Checkpoint>(event.body)) continue;
    const auto state = world_.disk().read_checkpoint(event.seq);
    if (!*state) {
      world_.violate(fmt::format("the state of checkpoint {} is not kept", event.seq.value));
      continue;
    }
    world_.count("checkpoint kept");
    check_replay_behind(event.seq, **state, durable, *events);
  }
}

void Invariants::check_replay_behind(EventSeq seq, const farm::Rows& state, const farm::Rows& durable,
                                     const farm::Events& events) {
  farm::Farm replayed(policy_, property::rows_behind(seq, state, durable));
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

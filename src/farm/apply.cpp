#include <algorithm>

#include "base/assert.hpp"
#include "base/limits.hpp"
#include "farm/farm.hpp"

namespace boruta::farm {

/// Applies one event. Each `operator()` sets what the event says and nothing else: decisions were made before.
class Applier {
 public:
  Applier(Farm& farm, const Event& event, Touched& touched) : farm_(farm), event_(event), touched_(touched) {
    BORUTA_ASSERT(event.seq.value == farm.last_event_.value + 1);
    farm.last_event_ = event.seq;
  }

  void operator()(const ServerStarted& event) {
    for (auto& [uuid, worker] : farm_.workers_) {
      change(uuid, [&](Worker& changed) {
        changed.connected = false;
        changed.lost = false;
        const bool running = changed.state == WorkerState::kRunning;
        changed.lost_at = running ? std::nullopt : std::optional(event.lease_now + event.lost_after);
        const bool asked = changed.state == WorkerState::kPrepare || changed.state == WorkerState::kBusy;
        changed.respond_by = asked ? std::optional(event.lease_now + event.respond_within) : std::nullopt;
      });
    }
  }

  void operator()(const UserCreated& event) {
    farm_.users_by_name_.emplace(event.name, event.id);
    farm_.users_.emplace(
        event.id, User{.id = event.id, .name = event.name, .role = event.role, .groups = event.groups, .ceilings = {}});
    touched_.users.push_back(event.id);
  }

  void operator()(const UserGroupsSet& event) {
    farm_.users_.at(event.id).groups = event.groups;
    touched_.users.push_back(event.id);
  }

  void operator()(const UserCeilingsSet& event) {
    farm_.users_.at(event.id).ceilings = event.ceilings;
    touched_.users.push_back(event.id);
  }

  void operator()(const GroupCeilingsSet& event) {
    farm_.groups_.insert_or_assign(event.group, LimitedGroup{.name = event.group, .ceilings = event.ceilings});
    touched_.groups.push_back(event.group);
  }

  void operator()(const UserDeleted& event) {
    auto& user = farm_.users_.at(event.id);
    user.deleted = true;
    farm_.users_by_name_.erase(user.name);
    touched_.users.push_back(event.id);
    for (auto& [id, token] : farm_.tokens_) {
      if (token.role == Role::kWorker || token.user != event.id || token.revoked) continue;
      token.revoked = true;
      touched_.tokens.push_back(id);
    }
    const auto keys = farm_.keys_by_user_.find(event.id);
    if (keys == farm_.keys_by_user_.end()) return;
    for (const auto id : keys->second) {
      farm_.user_keys_.at(id).removed = true;
      touched_.user_keys.push_back(id);
    }
    farm_.keys_by_user_.erase(keys);
  }

  void operator()(const TokenCreated& event) {
    farm_.tokens_by_hash_.emplace(event.hash, event.id);
    farm_.tokens_.emplace(event.id, Token{.id = event.id,
                                          .hash = event.hash,
                                          .name = event.name,
                                          .role = event.role,
                                          .user = event.user,
                                          .created = event_.at,
                                          .expires = event.expires,
                                          .reusable = event.reusable,
                                          .max_workers = event.max_workers,
                                          .workers = {},
                                          .in_service = event.in_service});
    touched_.tokens.push_back(event.id);
  }

  void operator()(const TokenBound& event) {
    auto& token = farm_.tokens_.at(event.id);
    if (token.reusable) {
      token.workers.push_back(event.worker);
    } else {
      token.bound = event.worker;
    }
    touched_.tokens.push_back(event.id);
  }

  void operator()(const TokenRevoked& event) {
    farm_.tokens_.at(event.id).revoked = true;
    touched_.tokens.push_back(event.id);
  }

  void operator()(const TokenUsed& event) {
    farm_.tokens_.at(event.id).last_used = event_.at;
    touched_.tokens.push_back(event.id);
  }

  void operator()(const UserKeyAdded& event) {
    farm_.keys_by_user_[event.user].insert(event.id);
    farm_.user_keys_.emplace(event.id, UserKey{.id = event.id,
                                               .user = event.user,
                                               .name = event.name,
                                               .public_key = event.public_key,
                                               .fingerprint = event.fingerprint,
                                               .created = event_.at});
    touched_.user_keys.push_back(event.id);
  }

  void operator()(const UserKeyRemoved& event) {
    auto& key = farm_.user_keys_.at(event.id);
    key.removed = true;
    auto& left = farm_.keys_by_user_.at(key.user);
    left.erase(event.id);
    if (left.empty()) farm_.keys_by_user_.erase(key.user);
    touched_.user_keys.push_back(event.id);
  }

  void operator()(const ActionRefused& /*event*/) {}

  void operator()(const RequestCreated& event) {
    Request request{.id = event.id,
                    .owner = event.owner,
                    .priority = event.priority,
                    .demand = farm_.intern(Demand{event.caps, event.requirements}),
                    .valid_after = event.valid_after,
                    .deadline = event.deadline,
                    .created = event_.at,
                    .changed = event_.at,
                    .lease = event.lease,
                    .claim_within = event.claim_within,
                    .job = std::nullopt,
                    .reason = {},
                    .last_event = event_.seq};
    farm_.open_requests_.insert(event.id);
    farm_.index(request);
    farm_.requests_.append(std::move(request));
    touched_.requests.push_back(event.id);
    if (event.idempotency_key) remember(event);
  }

  void operator()(const RequestUpdated& event) {
    change(event.id, [&](Request& request) {
      request.priority = event.priority;
      request.valid_after = event.valid_after;
      request.deadline = event.deadline;
    });
  }

  void operator()(const RequestsServable& event) {
    for (const auto id : event.ids) change(id, [](Request& request) { request.was_servable = true; });
  }

  void operator()(const RequestEnded& event) {
    change(event.id, [&](Request& request) {
      request.state = event.state;
      request.changed = event_.at;
      request.reason = event.reason;
      if (request.job) farm_.loads_.finish(request.owner, request.job->started, event_.at);
    });
    farm_.open_requests_.erase(event.id);
  }

  /// Who replays from a checkpoint begins without those that were forgotten since.
  void operator()(const RequestsForgotten& event) {
    std::vector<RequestId> ids;
    for (const auto& range : event.ranges) {
      for (auto id = range.first; id <= range.last; ++id.value) ids.push_back(id);
    }
    farm_.requests_.forget(ids);
    for (const auto id : ids) {
      const auto creation = farm_.creations_.find(id);
      if (creation == farm_.creations_.end()) continue;
      farm_.remove_creation(creation);
      touched_.creations.push_back(id);
    }
    farm_.forgotten_until_ = std::max(farm_.forgotten_until_.value_or(event.ended_until), event.ended_until);
    touched_.requests.insert(touched_.requests.end(), ids.begin(), ids.end());
  }

  void operator()(const Checkpoint& /*event*/) {}

  void operator()(const JobStarted& event) {
    change(event.id, [&](Request& request) {
      request.state = RequestState::kInProgress;
      request.changed = event_.at;
      request.job = Job{.worker = event.worker,
                        .started = event_.at,
                        .timeout = event.timeout,
                        .timeout_max = event.timeout_max,
                        .claim_by = event.claim_by,
                        .paused_since = std::nullopt,
                        .tunnel_port = event.tunnel_port,
                        .overdue = event.overdue,
                        .own_keys = event.own_keys};
    });
    farm_.pass_port(event.tunnel_port);
    change(event.worker, [&](Worker& worker) {
      worker.state = WorkerState::kRunning;
      worker.generation = event.generation;
      worker.dirty = true;
      worker.job = event.id;
      worker.respond_by = event.respond_by;
      worker.changed = event_.at;
      worker.changed_by = event_.actor.name;
      worker.reason.clear();
    });
  }

  void operator()(const JobAcquired& event) {
    change_job(event.id, [](Job& job) { job.claim_by.reset(); });
  }

  void operator()(const JobProlonged& event) {
    change_job(event.id, [&](Job& job) { job.timeout = event.timeout; });
  }

  void operator()(const JobGranted& event) {
    change_job(event.id, [](Job& job) { job.granted = true; });
    change(farm_.find_open_request(event.id)->job->worker, [](Worker& worker) { worker.respond_by.reset(); });
  }

  void operator()(const JobKeysChanged& event) {
    change_job(event.id, [](Job& job) { job.granted = false; });
    change(farm_.find_open_request(event.id)->job->worker, [&](Worker& worker) {
      worker.respond_by = event.respond_by;
      worker.generation = std::max(worker.generation, event.generation);
    });
  }

  void operator()(const JobPaused& event) {
    change_job(event.id, [&](Job& job) { job.paused_since = event.since; });
  }

  void operator()(const JobResumed& event) {
    change_job(event.id, [&](Job& job) {
      job.paused_since.reset();
      job.timeout = event.timeout;
      job.timeout_max = event.timeout_max;
      job.claim_by = event.claim_by;
      job.pause_used = event.pause_used;
    });
  }

  void operator()(const JobTunnelMoved& event) {
    change_job(event.id, [&](Job& job) { job.tunnel_port = event.tunnel_port; });
    farm_.pass_port(event.tunnel_port);
  }

  void operator()(const WorkerRegistered& event) {
    farm_.add_worker(Worker{.uuid = event.uuid, .registration = event.registration});
    touched_.offers.push_back(event.uuid);
    change(event.uuid, [&](Worker& worker) {
      worker.changed = event_.at;
      worker.changed_by = event_.actor.name;
      worker.reason = "new";
    });
  }

  void operator()(const WorkerChanged& event) {
    change(event.uuid, [&](Worker& worker) {
      worker.registration = event.registration;
      worker.pending.reset();
    });
    touched_.offers.push_back(event.uuid);
  }

  void operator()(const WorkerChangePending& event) {
    change(event.uuid, [&](Worker& worker) { worker.pending = event.registration; });
  }

  void operator()(const WorkerConnected& event) {
    change(event.uuid, [&](Worker& worker) {
      worker.connected = true;
      worker.lost = false;
      worker.lost_at.reset();
      worker.instance = event.instance;
      worker.registration.ssh_address = event.ssh_address;
      worker.generation = event.generation;
      worker.dirty = worker.dirty || event.dirty;
      if (event.respond_by) worker.respond_by = event.respond_by;
    });
  }

  void operator()(const WorkerDisconnected& event) {
    change(event.uuid, [&](Worker& worker) {
      worker.connected = false;
      worker.lost_at = event.lost_at;
      // The answer to Grant is awaited anew when the agent is back.
      if (worker.state == WorkerState::kRunning) worker.respond_by.reset();
    });
  }

  void operator()(const WorkerLost& event) {
    change(event.uuid, [](Worker& worker) {
      worker.lost = true;
      worker.lost_at.reset();
    });
  }

  void operator()(const WorkerStateChanged& event) {
    change(event.uuid, [&](Worker& worker) {
      // An agent that did as it was told changes nothing of who told it.
      const bool settled = worker.state == WorkerState::kBusy && event.to == WorkerState::kMaintenance;
      // Nor does who ends the job have a hand in what was to follow it.
      const bool drained = worker.draining && event.to == WorkerState::kBusy;
      if (!settled) worker.changed_by = drained ? worker.drain_by : event_.actor.name;
      worker.state = event.to;
      worker.reason = event.reason;
      worker.generation = event.generation;
      worker.respond_by = event.respond_by;
      worker.untold = event.untold;
      worker.changed = event_.at;
      worker.job.reset();
      worker.draining = false;
      worker.drain_reason.clear();
      worker.drain_by.clear();
      if (event.to == WorkerState::kFailed) worker.needs_full_check = true;
      if (event.to == WorkerState::kIdle) {
        worker.needs_full_check = false;
        worker.idle_since = event_.seq;
      } else {
        worker.username.clear();
        worker.key_fingerprint.clear();
      }
    });
  }

  void operator()(const WorkerPrepared& event) {
    change(event.uuid, [&](Worker& worker) {
      worker.username = event.username;
      worker.key_fingerprint = event.key_fingerprint;
    });
  }

  void operator()(const WorkerCleaned& event) {
    change(event.uuid, [](Worker& worker) { worker.dirty = false; });
  }

  void operator()(const WorkerTold& event) {
    change(event.uuid, [](Worker& worker) { worker.untold = false; });
  }

  void operator()(const WorkerNoted& event) {
    change(event.uuid, [](Worker&) {});
  }

  void operator()(const WorkerDrainSet& event) {
    change(event.uuid, [&](Worker& worker) {
      worker.draining = event.draining;
      worker.drain_reason = event.reason;
      worker.drain_by = event.draining ? event_.actor.name : std::string{};
    });
  }

  void operator()(const WorkerGroupsSet& event) {
    change(event.uuid, [&](Worker& worker) { worker.groups = event.groups; });
    touched_.offers.push_back(event.uuid);
  }

  void operator()(const WorkerDeregistered& event) {
    const auto* worker = farm_.find_worker(event.uuid);
    BORUTA_ASSERT(worker != nullptr);
    farm_.move_timeout(event.uuid, timeout_of(*worker), {});
    farm_.remove_worker(event.uuid);
    touched_.workers.push_back(event.uuid);
    touched_.offers.push_back(event.uuid);
  }

 private:
  /// Keys that are too old to count make room.
  void remember(const RequestCreated& event) {
    const auto oldest = [this] { return farm_.creations_.begin(); };
    while (oldest() != farm_.creations_.end() && oldest()->second.at + limits::kIdempotencyKept <= event_.at) {
      touched_.creations.push_back(oldest()->first);
      farm_.remove_creation(oldest());
    }
    farm_.add_creation(Creation{.request = event.id,
                                .owner = event.owner,
                                .key = *event.idempotency_key,
                                .body_hash = event.body_hash.value_or(std::string{}),
                                .at = event_.at});
    touched_.creations.push_back(event.id);
  }

  /// Events of one decision are often about the same.
  template <class Key>
  static void touch(std::vector<Key>& keys, Key key) {
    if (keys.empty() || keys.back() != key) keys.push_back(key);
  }

  template <class Change>
  void change(RequestId id, Change what) {
    auto* request = farm_.requests_.find_open(id);
    BORUTA_ASSERT(request != nullptr);
    farm_.unindex(*request);
    what(*request);
    request->last_event = event_.seq;
    farm_.index(*request);
    farm_.requests_.update(*request);
    touch(touched_.requests, id);
  }

  template <class Change>
  void change_job(RequestId id, Change what) {
    change(id, [&](Request& request) {
      BORUTA_ASSERT(request.job.has_value());
      what(*request.job);
    });
  }

  template <class Change>
  void change(WorkerUuid uuid, Change what) {
    auto* worker = farm_.find_worker(uuid);
    BORUTA_ASSERT(worker != nullptr);
    const auto timeout = timeout_of(*worker);
    what(*worker);
    worker->last_event = event_.seq;
    farm_.move_timeout(uuid, timeout, timeout_of(*worker));
    touch(touched_.workers, uuid);
  }

  Farm& farm_;
  const Event& event_;
  Touched& touched_;
};

namespace {

template <class Key>
void sort_unique(std::vector<Key>& keys) {
  if (keys.size() < 2) return;
  std::ranges::sort(keys);
  const auto repeated = std::ranges::unique(keys);
  keys.erase(repeated.begin(), repeated.end());
}

}  // namespace

void apply_event(Farm& farm, const Event& event, Touched& touched) {
  std::visit(Applier(farm, event, touched), event.body);
}

void Touched::normalize() {
  sort_unique(users);
  sort_unique(groups);
  sort_unique(tokens);
  sort_unique(requests);
  sort_unique(workers);
  sort_unique(creations);
  sort_unique(user_keys);
  sort_unique(offers);
}

}  // namespace boruta::farm

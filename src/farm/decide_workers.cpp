#include <fmt/format.h>

#include <algorithm>

#include "farm/decisions.hpp"

namespace boruta::farm {
namespace {

std::string by_whom(const Actor& actor, const std::string& reason) {
  return reason.empty() ? fmt::format("put in maintenance by {}", actor.name)
                        : fmt::format("put in maintenance by {}: {}", actor.name, reason);
}

Verdict decide_idle(Emitter& out, const Worker& worker) {
  switch (worker.state) {
    case WorkerState::kMaintenance:
      if (worker.lost) {
        out.fail(worker, "agent lost");
      } else {
        out.change_state(worker, WorkerState::kPrepare, {});
      }
      return {};
    case WorkerState::kPrepare:
      return {};
    case WorkerState::kRunning:
      if (!worker.draining) return refuse(RefusalCode::kWrongTransition);
      out.add(WorkerDrainSet{.uuid = worker.uuid, .draining = false, .reason = {}});
      return {};
    case WorkerState::kIdle:
    case WorkerState::kBusy:
    case WorkerState::kFailed:
      return refuse(RefusalCode::kWrongTransition);
  }
  return refuse(RefusalCode::kWrongTransition);
}

Verdict decide_maintenance(Emitter& out, const Worker& worker, const SetWorkerState& command) {
  if (worker.state == WorkerState::kBusy) return {};
  if (command.drain && worker.job) {
    out.add(WorkerDrainSet{.uuid = worker.uuid, .draining = true, .reason = command.reason});
    return {};
  }
  if (worker.job) {
    out.add(RequestEnded{.id = *worker.job,
                         .from = RequestState::kInProgress,
                         .state = RequestState::kFailed,
                         .reason = fmt::format("worker {} {}", name_of(worker), by_whom(out.actor(), command.reason))});
  }
  if (worker.pending) out.add(WorkerChanged{.uuid = worker.uuid, .registration = *worker.pending});
  if (worker.lost) {
    out.put_in_maintenance_untold(worker, command.reason);
  } else {
    out.change_state(worker, WorkerState::kBusy, command.reason);
  }
  return {};
}

/// The agent is not there yet, so the job's lease clock stands still until it is. A timeout that passed while the
/// server was down is put off by the grace; a maximum that passed is not, and such a job is over now.
void outlive_restart(Emitter& out, const Worker& worker) {
  const auto& job = *out.farm().find_open_request(*worker.job)->job;
  const auto now = out.now().lease;
  out.add(WorkerLost{.uuid = worker.uuid});
  if (job.paused_since) {
    // It has stood still since before the restart. Only the grace begins anew.
    const auto pause = std::max(now - *job.paused_since, Duration::zero());
    out.add(resumed_after(pause, *worker.job, job, job.pause_used));
  } else if (job.timeout <= now) {
    const auto timeout = std::min(now + out.policy().lost_grace, job.timeout_max);
    if (timeout > job.timeout) out.add(JobProlonged{.id = *worker.job, .timeout = timeout});
    if (timeout <= now) return;
  }
  out.add(JobPaused{.id = *worker.job, .since = now});
}

}  // namespace

Verdict decide_on(Emitter& out, const StartServer&) {
  const auto now = out.now();
  const auto& policy = out.policy();
  for (const auto id : out.farm().open_requests()) {
    const auto* request = out.farm().find_open_request(id);
    if (request->state == RequestState::kWaiting && request->deadline.at <= now.wall) out.time_out(id);
  }
  out.add(
      ServerStarted{.lease_now = now.lease, .respond_within = policy.respond_within, .lost_after = policy.lost_after});
  for (const auto& [uuid, worker] : out.farm().workers()) {
    if (worker.state == WorkerState::kRunning) outlive_restart(out, worker);
  }
  return {};
}

Verdict decide_on(Emitter& out, const SetWorkerState& command) {
  if (auto verdict = check_admin(out.actor()); !verdict) return verdict;
  if (auto verdict = check_reason(command.reason); !verdict) return verdict;
  if (command.state != WorkerState::kIdle && command.state != WorkerState::kMaintenance) {
    return refuse(RefusalCode::kInvalid, "Only state changes to IDLE and MAINTENANCE are allowed");
  }
  const auto* worker = out.farm().find_worker(command.uuid);
  if (worker == nullptr) return refuse(RefusalCode::kWorkerNotFound);
  return command.state == WorkerState::kIdle ? decide_idle(out, *worker) : decide_maintenance(out, *worker, command);
}

Verdict decide_on(Emitter& out, const SetWorkerGroups& command) {
  if (auto verdict = check_admin(out.actor()); !verdict) return verdict;
  const auto* worker = out.farm().find_worker(command.uuid);
  if (worker == nullptr) return refuse(RefusalCode::kWorkerNotFound);
  auto groups = command.groups;
  if (groups) {
    if (auto wrong = check_limits(*groups)) return refuse(RefusalCode::kInvalid, std::move(*wrong));
    normalize(*groups);
  }
  if (groups != worker->groups) out.add(WorkerGroupsSet{.uuid = command.uuid, .groups = std::move(groups)});
  return {};
}

Verdict decide_on(Emitter& out, const DeregisterWorker& command) {
  if (auto verdict = check_admin(out.actor()); !verdict) return verdict;
  const auto* worker = out.farm().find_worker(command.uuid);
  if (worker == nullptr) return refuse(RefusalCode::kWorkerNotFound);
  if (worker->state != WorkerState::kMaintenance && worker->state != WorkerState::kFailed) {
    return refuse(RefusalCode::kNotInMaintenance);
  }
  for (const auto& [id, token] : out.farm().tokens()) {
    if (token.bound == command.uuid && !token.revoked) out.add(TokenRevoked{.id = id});
  }
  out.add(WorkerDeregistered{.uuid = command.uuid});
  return {};
}

}  // namespace boruta::farm

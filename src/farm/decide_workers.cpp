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

}  // namespace

Verdict decide_on(Emitter& out, const StartServer&) {
  const auto now = out.now();
  const auto& policy = out.policy();
  out.add(
      ServerStarted{.lease_now = now.lease, .respond_within = policy.respond_within, .lost_after = policy.lost_after});
  for (const auto& [uuid, worker] : out.farm().workers()) {
    if (worker.state != WorkerState::kRunning) continue;
    const auto& job = *out.farm().find_request(*worker.job)->job;
    out.add(WorkerLost{.uuid = uuid});
    if (!job.paused_since && job.timeout <= now.lease) {
      const auto timeout = std::min(now.lease + policy.lost_grace, job.timeout_max);
      if (timeout > job.timeout) out.add(JobProlonged{.id = *worker.job, .timeout = timeout});
    }
    out.add(JobPaused{.id = *worker.job, .since = now.lease});
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

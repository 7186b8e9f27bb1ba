#include <fmt/format.h>

#include <algorithm>

#include "base/assert.hpp"
#include "farm/decide.hpp"
#include "farm/decisions.hpp"

namespace boruta::farm {
namespace {

std::string reason_or(const std::string& reason, std::string_view otherwise) {
  return reason.empty() ? std::string(otherwise) : reason;
}

std::expected<WorkerUuid, Refusal> check_registration(const Registration& registration) {
  if (auto wrong = check_limits(registration.caps)) return refuse(RefusalCode::kInvalid, std::move(*wrong));
  const auto cap = registration.caps.find(kUuidCap);
  if (cap == registration.caps.end()) return refuse(RefusalCode::kInvalid, "the capability UUID is missing");
  const auto uuid = WorkerUuid::parse(cap->second);
  if (!uuid) {
    return refuse(RefusalCode::kInvalid,
                  fmt::format("the capability UUID is \"{}\", a lower-case RFC 4122 UUID is expected", cap->second));
  }
  if (registration.ssh_port == 0) return refuse(RefusalCode::kInvalid, "the ssh port is 0, 1 to 65535 is expected");
  return *uuid;
}

bool has_admitted(const Token& token, WorkerUuid uuid) {
  return token.bound == uuid || std::ranges::find(token.workers, uuid) != token.workers.end();
}

Verdict bind_token(Emitter& out, std::optional<TokenId> id, WorkerUuid uuid) {
  if (!id) return {};
  const auto found = out.farm().tokens().find(*id);
  BORUTA_ASSERT(found != out.farm().tokens().end());
  const auto& token = found->second;
  if (auto verdict = check_admits(token, uuid); !verdict) return verdict;
  const bool counts = !token.reusable || token.max_workers;
  if (counts && !has_admitted(token, uuid)) out.add(TokenBound{.id = *id, .worker = uuid});
  return {};
}

/// Whether the change is one that an admin should look at. The address may change freely.
bool differs(const Registration& before, const Registration& after) {
  return before.caps != after.caps || before.ssh_port != after.ssh_port || before.host_keys != after.host_keys;
}

void reconnect_running(Emitter& out, Worker worker, const RegisterWorker& command, bool changed) {
  if (changed) {
    out.add(WorkerChangePending{.uuid = worker.uuid, .registration = command.registration});
    worker.pending = command.registration;
  } else if (worker.pending) {
    // The agent is again what it was when the job began: nothing waits for the job's end.
    out.add(WorkerChanged{.uuid = worker.uuid, .registration = command.registration});
    worker.pending.reset();
  }
  const auto& job = *out.farm().find_open_request(*worker.job)->job;
  // Before its answer to Grant is here, the agent has the job already or stands prepared for it.
  const bool known = command.job == worker.job || (!job.granted && command.prepared && !command.job);
  if (!known) {
    out.fail(worker, "the agent does not know its job any more");
  } else if (command.key_lost) {
    worker.lost = false;
    out.end_job_of(worker, RequestState::kInProgress, RequestState::kFailed,
                   "the server has lost the key to its worker, as after a restore: file it again");
  } else if (job.paused_since) {
    const auto pause = out.now().lease - *job.paused_since;
    out.add(resumed_after(pause, *worker.job, job, job.pause_used + pause));
  }
}

void reconnect(Emitter& out, const Worker& before, const RegisterWorker& command) {
  // Later changes of state go beyond what the agent obeyed, also when the server's records are older than that.
  Worker worker = before;
  worker.generation = std::max(worker.generation, command.generation);
  const bool changed = differs(before.registration, command.registration);
  const bool running = worker.state == WorkerState::kRunning;
  const bool awaits_grant = running && !out.farm().find_open_request(*worker.job)->job->granted;
  out.add(WorkerConnected{
      .uuid = worker.uuid,
      .instance = command.instance,
      .ssh_address = command.registration.ssh_address,
      .generation = worker.generation,
      .dirty = command.job.has_value() && command.job != worker.job,
      .respond_by = awaits_grant ? std::optional(out.now().lease + out.policy().grant_within) : std::nullopt});
  if (running) {
    reconnect_running(out, worker, command, changed);
    return;
  }
  if (changed) {
    out.add(WorkerChanged{.uuid = worker.uuid, .registration = command.registration});
    const bool in_admins_hands = worker.state == WorkerState::kBusy || worker.untold;
    out.change_state(worker, WorkerState::kBusy, in_admins_hands ? worker.reason : "its capabilities or ports changed");
    return;
  }
  switch (worker.state) {
    case WorkerState::kFailed:
      out.change_state(worker, WorkerState::kPrepare, {});
      return;
    case WorkerState::kIdle:
      if (command.job) {
        out.change_state(worker, WorkerState::kPrepare, "its agent held a job that is over");
      } else if (!command.prepared) {
        out.change_state(worker, WorkerState::kPrepare, "its agent was not prepared any more");
      } else if (command.key_lost) {
        out.change_state(worker, WorkerState::kPrepare, "the server has lost the key to it");
      }
      return;
    case WorkerState::kPrepare:
    case WorkerState::kBusy:
      out.change_state(worker, worker.state, worker.reason);
      return;
    case WorkerState::kMaintenance:
    case WorkerState::kRunning:
      return;
  }
}

/// The worker that `generation` is about, unless the answer comes too late to matter.
template <class Answer>
const Worker* addressed(const Emitter& out, const Answer& answer) {
  const auto* worker = out.farm().find_worker(answer.uuid);
  return worker != nullptr && worker->generation == answer.generation ? worker : nullptr;
}

}  // namespace

Verdict check_admits(const Token& token, std::optional<WorkerUuid> worker) {
  if (worker && has_admitted(token, *worker)) return {};
  const auto who = worker ? worker->to_string() : std::string("a new one");
  if (token.reusable && token.max_workers && token.workers.size() >= *token.max_workers) {
    return refuse(RefusalCode::kForbidden,
                  fmt::format("this token has admitted {} of {} workers, and {} is none of them", token.workers.size(),
                              *token.max_workers, who));
  }
  if (!token.reusable && token.bound) {
    return refuse(RefusalCode::kForbidden,
                  fmt::format("this token belongs to worker {}, not to {}", token.bound->to_string(), who));
  }
  return {};
}

Verdict decide_on(Emitter& out, const RegisterWorker& command) {
  const auto uuid = check_registration(command.registration);
  if (!uuid) return std::unexpected(uuid.error());
  if (auto verdict = bind_token(out, command.token, *uuid); !verdict) return verdict;
  const auto* worker = out.farm().find_worker(*uuid);
  if (worker != nullptr) {
    const bool taken = worker->connected || worker->state == WorkerState::kRunning;
    if (taken && worker->instance != command.instance) {
      return refuse(RefusalCode::kAlreadyExists,
                    fmt::format("another agent speaks for worker {}: stop it, or give this one a UUID of its own",
                                uuid->to_string()));
    }
    reconnect(out, *worker, command);
    return {};
  }
  out.add(WorkerRegistered{.uuid = *uuid, .registration = command.registration});
  out.add(WorkerConnected{.uuid = *uuid,
                          .instance = command.instance,
                          .ssh_address = command.registration.ssh_address,
                          .generation = command.generation,
                          // Of its life before it was removed: its agent need not have heard of the job yet.
                          .dirty = command.job.has_value() || command.prepared,
                          .respond_by = std::nullopt});
  if (command.token && out.farm().tokens().at(*command.token).in_service) {
    const Worker fresh{.uuid = *uuid, .generation = command.generation};
    out.change_state(fresh, WorkerState::kPrepare, "admitted straight to service by its token");
  }
  return {};
}

Verdict decide_on(Emitter& out, const DisconnectAgent& command) {
  const auto* worker = out.farm().find_worker(command.uuid);
  if (worker == nullptr || !worker->connected) return {};
  out.add(WorkerDisconnected{.uuid = command.uuid, .lost_at = command.last_heard + out.policy().lost_after});
  return {};
}

Verdict decide_on(Emitter& out, const SetFail& command) {
  const auto* worker = out.farm().find_worker(command.uuid);
  if (worker == nullptr) return refuse(RefusalCode::kWorkerNotFound);
  const auto reason = reason_or(command.reason, "no reason given");
  const bool in_admins_hands = worker->state == WorkerState::kMaintenance || worker->state == WorkerState::kBusy;
  if (in_admins_hands) {
    out.add(WorkerNoted{.uuid = command.uuid, .text = fmt::format("failure told while out of service: {}", reason)});
  } else {
    out.fail(*worker, reason);
  }
  return {};
}

Verdict decide_on(Emitter& out, const NoteWorker& command) {
  if (out.farm().find_worker(command.uuid) == nullptr) return refuse(RefusalCode::kWorkerNotFound);
  out.add(WorkerNoted{.uuid = command.uuid, .text = command.text});
  return {};
}

Verdict decide_on(Emitter& out, const FinishPrepare& command) {
  const auto* worker = addressed(out, command);
  if (worker == nullptr || worker->state != WorkerState::kPrepare || worker->dirty) return {};
  if (!command.error.empty()) {
    out.fail(*worker, fmt::format("Prepare failed: {}", command.error));
    return {};
  }
  out.add(
      WorkerPrepared{.uuid = command.uuid, .username = command.username, .key_fingerprint = command.key_fingerprint});
  out.change_state(*worker, WorkerState::kIdle, {});
  return {};
}

Verdict decide_on(Emitter& out, const FinishGrant& command) {
  const auto* worker = addressed(out, command);
  if (worker == nullptr || worker->state != WorkerState::kRunning) return {};
  if (!command.error.empty()) {
    out.fail(*worker, fmt::format("Grant failed: {}", command.error));
  } else if (!out.farm().find_open_request(*worker->job)->job->granted) {
    out.add(JobGranted{.id = *worker->job});
  }
  return {};
}

Verdict decide_on(Emitter& out, const FinishEndJob& command) {
  const auto* worker = addressed(out, command);
  if (worker == nullptr || worker->state == WorkerState::kRunning || !worker->dirty) return {};
  if (command.error.empty()) {
    out.add(WorkerCleaned{.uuid = command.uuid});
    return {};
  }
  const auto reason = fmt::format("EndJob failed: {}", command.error);
  if (worker->state == WorkerState::kPrepare || worker->state == WorkerState::kBusy) {
    out.fail(*worker, reason);
  } else {
    out.add(WorkerNoted{.uuid = command.uuid, .text = reason});
  }
  return {};
}

Verdict decide_on(Emitter& out, const FinishMaintenance& command) {
  const auto* worker = addressed(out, command);
  if (worker == nullptr) return {};
  const bool asked = worker->state == WorkerState::kBusy || worker->untold;
  if (!asked) return {};
  if (!command.error.empty()) {
    out.fail(*worker, fmt::format("PutInMaintenance failed: {}", command.error));
  } else if (worker->state == WorkerState::kBusy) {
    out.change_state(*worker, WorkerState::kMaintenance, worker->reason);
  } else {
    out.add(WorkerTold{.uuid = command.uuid});
  }
  return {};
}

}  // namespace boruta::farm

#include <fmt/format.h>

#include <algorithm>

#include "base/limits.hpp"
#include "farm/ceilings.hpp"
#include "farm/decide.hpp"
#include "farm/decisions.hpp"

namespace boruta::farm {
namespace {

Verdict check_times(Now now, Instant valid_after, Instant deadline) {
  if (deadline < now.wall) return refuse(RefusalCode::kInvalid, "deadline in the past");
  if (valid_after > deadline) {
    return refuse(RefusalCode::kInvalid, "requested time range illegal - ValidAfter must be before Deadline");
  }
  return {};
}

Verdict check_priority(std::int64_t priority) {
  if (priority >= limits::kHighestPriority && priority <= limits::kLowestPriority) return {};
  return refuse(RefusalCode::kInvalid, "requested priority out of bounds");
}

std::string whose(const Emitter& out, const ReachedCeiling& reached) {
  return reached.group.empty() ? out.actor().name : fmt::format("group {}", reached.group);
}

/// Admins stand above ceilings on priority: they may move anybody's request.
Verdict check_priority_ceiling(const Emitter& out, std::int64_t priority) {
  if (out.actor().kind == Actor::Kind::kAdmin) return {};
  const auto ceiling = priority_ceiling(out.farm(), out.actor().user);
  if (!ceiling || priority >= ceiling->ceiling) return {};
  return refuse(RefusalCode::kForbidden,
                fmt::format("Priority is {}, which is more important than {} may ask for: {} to {} are allowed",
                            priority, whose(out, *ceiling), ceiling->ceiling, limits::kLowestPriority));
}

Verdict check_ceilings(const Emitter& out, std::int64_t priority) {
  if (auto verdict = check_priority_ceiling(out, priority); !verdict) return verdict;
  const auto reached = reached_waiting_ceiling(out.farm(), out.actor().user);
  if (!reached) return {};
  return refuse(
      RefusalCode::kTooMany,
      fmt::format("{} has {} requests waiting, at most {} are allowed: close some, or wait until they are served",
                  whose(out, *reached), reached->reached, reached->ceiling));
}

/// `longest` zero: no limit.
Verdict check_duration(std::string_view field, std::optional<Duration> value, Duration shortest, Duration longest) {
  if (!value) return {};
  if (*value < shortest) {
    return refuse(RefusalCode::kInvalid, fmt::format("{} is {}, at least {} is allowed", field, format_duration(*value),
                                                     format_duration(shortest)));
  }
  if (longest > Duration::zero() && *value > longest) {
    return refuse(RefusalCode::kInvalid, fmt::format("{} is {}, at most {} is allowed", field, format_duration(*value),
                                                     format_duration(longest)));
  }
  return {};
}

Verdict check_new(const Emitter& out, const CreateRequest& command, Instant valid_after, Instant deadline) {
  if (auto verdict = check_times(out.now(), valid_after, deadline); !verdict) return verdict;
  if (auto verdict = check_priority(command.priority); !verdict) return verdict;
  if (auto wrong = check_limits(command.caps)) return refuse(RefusalCode::kInvalid, std::move(*wrong));
  if (auto verdict = check_ceilings(out, command.priority); !verdict) return verdict;
  if (auto verdict = check_duration("Lease", command.lease, std::chrono::seconds(1), out.policy().lease); !verdict) {
    return verdict;
  }
  return check_duration("ClaimWithin", command.claim_within, Duration::zero(), Duration::zero());
}

/// What the actor has filed under the command's key, as long as that counts.
const Creation* find_repeated(const Emitter& out, const CreateRequest& command) {
  if (command.idempotency_key.empty()) return nullptr;
  const auto* earlier = out.farm().find_creation(out.actor().user, command.idempotency_key);
  return earlier != nullptr && out.now().wall < earlier->at + limits::kIdempotencyKept ? earlier : nullptr;
}

std::optional<std::string> keyed(const std::string& text) { return text.empty() ? std::nullopt : std::optional(text); }

WallTime in_utc(WallTime time) { return WallTime{.at = time.at, .offset_minutes = 0}; }

/// The instant that the job's lease clock shows: it stands still while the agent is lost.
Instant job_now(const Job& job, Now now) { return job.paused_since.value_or(now.lease); }

/// How far the job may be prolonged now.
Instant prolonged(const Request& request, Now now) {
  const auto& job = *request.job;
  return std::max(job.timeout, std::min(job_now(job, now) + request.lease, job.timeout_max));
}

}  // namespace

Verdict decide_on(Emitter& out, const CreateRequest& command) {
  const bool is_user = out.actor().kind == Actor::Kind::kUser || out.actor().kind == Actor::Kind::kAdmin;
  if (!is_user) return refuse(RefusalCode::kForbidden, "only users file requests");
  const auto now = out.now();
  if (const auto* earlier = find_repeated(out, command)) {
    return earlier->body_hash == command.body_hash ? Verdict{} : refuse(RefusalCode::kKeyReused);
  }
  const auto valid_after = in_utc(command.valid_after.value_or(WallTime{.at = now.wall}));
  const auto deadline = in_utc(command.deadline.value_or(WallTime{.at = add_calendar_month(now.wall)}));
  if (auto verdict = check_new(out, command, valid_after.at, deadline.at); !verdict) return verdict;
  const auto& policy = out.policy();
  out.add(RequestCreated{
      .id = out.farm().requests().next_id(),
      .owner = out.actor().user,
      .caps = command.caps,
      .requirements = command.requirements,
      .priority = Priority{static_cast<std::uint8_t>(command.priority)},
      .valid_after = valid_after,
      .deadline = deadline,
      .lease = command.lease.value_or(policy.lease),
      .claim_within = command.claim_within.value_or(policy.access_control ? policy.claim_within : Duration::zero()),
      .idempotency_key = keyed(command.idempotency_key),
      .body_hash = keyed(command.body_hash)});
  return {};
}

Verdict decide_on(Emitter& out, const UpdateRequest& command) {
  const auto request = out.farm().find_request(command.id);
  if (auto verdict = check_owner(out.farm(), out.actor(), command.id); !verdict) return verdict;
  if (!command.priority && !command.valid_after && !command.deadline) return {};
  if (request->state != RequestState::kWaiting) return refuse(RefusalCode::kWrongRequestState);
  const auto valid_after = command.valid_after.value_or(request->valid_after);
  const auto deadline = command.deadline.value_or(request->deadline);
  if (auto verdict = check_times(out.now(), valid_after.at, deadline.at); !verdict) return verdict;
  const auto priority = command.priority.value_or(request->priority.value);
  if (auto verdict = check_priority(priority); !verdict) return verdict;
  if (command.priority) {
    if (auto verdict = check_priority_ceiling(out, priority); !verdict) return verdict;
  }
  out.add(RequestUpdated{.id = command.id,
                         .priority = Priority{static_cast<std::uint8_t>(priority)},
                         .valid_after = valid_after,
                         .deadline = deadline});
  return {};
}

Verdict decide_on(Emitter& out, const CloseRequest& command) {
  if (auto verdict = check_owner(out.farm(), out.actor(), command.id); !verdict) return verdict;
  const auto request = out.farm().find_request(command.id);
  auto reason = fmt::format("closed by {}", out.actor().name);
  switch (request->state) {
    case RequestState::kWaiting:
      out.add(RequestEnded{.id = command.id,
                           .from = RequestState::kWaiting,
                           .state = RequestState::kCancelled,
                           .reason = std::move(reason)});
      return {};
    case RequestState::kInProgress:
      out.end_job(*request, RequestState::kDone, std::move(reason));
      return {};
    case RequestState::kCancelled:
    case RequestState::kTimeout:
    case RequestState::kInvalid:
    case RequestState::kDone:
    case RequestState::kFailed:
      return refuse(RefusalCode::kWrongRequestState);
  }
  return refuse(RefusalCode::kWrongRequestState);
}

Verdict decide_on(Emitter& out, const ProlongAccess& command) {
  if (auto verdict = check_owner(out.farm(), out.actor(), command.id); !verdict) return verdict;
  const auto request = out.farm().find_request(command.id);
  if (request->state != RequestState::kInProgress) return refuse(RefusalCode::kNotAssigned);
  const auto timeout = prolonged(*request, out.now());
  if (timeout > request->job->timeout) {
    out.add(JobProlonged{.id = command.id, .timeout = timeout});
    return {};
  }
  if (request->job->timeout < request->job->timeout_max) return {};
  return refuse(RefusalCode::kLeaseLimit, format_duration_spaced(out.policy().lease_max));
}

Verdict decide_on(Emitter& out, const AcquireWorker& command) {
  if (auto verdict = check_owner(out.farm(), out.actor(), command.id); !verdict) return verdict;
  const auto request = out.farm().find_request(command.id);
  if (request->state != RequestState::kInProgress) return refuse(RefusalCode::kNotAssigned);
  if (request->job->claim_by) out.add(JobAcquired{.id = command.id});
  const auto timeout = prolonged(*request, out.now());
  if (timeout > request->job->timeout) out.add(JobProlonged{.id = command.id, .timeout = timeout});
  return {};
}

Verdict decide_on(Emitter& out, const MoveTunnel& command) {
  const auto request = out.farm().find_request(command.id);
  if (request == nullptr || request->state != RequestState::kInProgress) return {};
  if (request->job->tunnel_port != command.port) return {};
  if (const auto port = out.farm().free_tunnel_port()) {
    out.add(JobTunnelMoved{.id = command.id, .tunnel_port = *port});
  }
  return {};
}

}  // namespace boruta::farm

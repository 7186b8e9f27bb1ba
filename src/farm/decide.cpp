#include "farm/decide.hpp"

#include <fmt/format.h>

#include "base/limits.hpp"
#include "farm/decisions.hpp"

namespace boruta::farm {

Verdict check_admin(const Actor& actor) {
  if (actor.kind == Actor::Kind::kAdmin || actor.kind == Actor::Kind::kServer) return {};
  return refuse(RefusalCode::kForbidden, fmt::format("only admins may do this, and {} is none", actor.name));
}

Verdict check_reason(const std::string& reason) {
  if (reason.size() <= limits::kReasonBytes) return {};
  return refuse(RefusalCode::kInvalid,
                fmt::format("Reason has {} bytes, at most {} are allowed", reason.size(), limits::kReasonBytes));
}

Verdict check_owner(const Farm& farm, const Actor& actor, RequestId id) {
  const auto request = farm.find_request(id);
  if (request == nullptr) return refuse(RefusalCode::kRequestNotFound);
  const bool may = actor.kind == Actor::Kind::kAdmin || actor.kind == Actor::Kind::kServer ||
                   (actor.kind == Actor::Kind::kUser && actor.user == request->owner);
  if (may) return {};
  const auto* owner = farm.find_user(request->owner);
  return refuse(RefusalCode::kForbidden, fmt::format("request {} belongs to {}, only its owner and admins may do this",
                                                     id.value, owner == nullptr ? "another user" : owner->name));
}

JobResumed resumed_after(Duration pause, RequestId id, const Job& job, Duration pause_used) {
  return JobResumed{.id = id,
                    .timeout = job.timeout + pause,
                    .timeout_max = job.timeout_max + pause,
                    .claim_by = job.claim_by ? std::optional(*job.claim_by + pause) : std::nullopt,
                    .pause_used = pause_used};
}

std::expected<Events, Refusal> decide(const Farm& farm, const Command& command, Now now) {
  Emitter out(farm, command.actor, now);
  const auto verdict = std::visit([&](const auto& body) { return decide_on(out, body); }, command.body);
  if (!verdict) return std::unexpected(verdict.error());
  return out.take();
}

}  // namespace boruta::farm

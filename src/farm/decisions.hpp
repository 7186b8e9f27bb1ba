#pragma once

#include <expected>

#include "base/refusal.hpp"
#include "farm/command.hpp"
#include "farm/emitter.hpp"

/// One function a command, shared between the files of `decide`. Each adds its events to the emitter, or refuses and
/// has added none that count.
namespace boruta::farm {

using Verdict = std::expected<void, Refusal>;

[[nodiscard]] inline std::unexpected<Refusal> refuse(RefusalCode code, std::string detail = {}) {
  return std::unexpected(Refusal{.code = code, .detail = std::move(detail)});
}

[[nodiscard]] Verdict check_admin(const Actor& actor);
/// Names end up in tables, logs and URLs, so they are of one word.
[[nodiscard]] Verdict check_name(std::string_view field, const std::string& name, std::size_t limit);
[[nodiscard]] Verdict check_reason(const std::string& reason);

/// The job's lease clock goes on after it stood still for `pause`; what was left of its time is left still.
[[nodiscard]] JobResumed resumed_after(Duration pause, RequestId id, const Job& job, Duration pause_used);

[[nodiscard]] Verdict decide_on(Emitter& out, const StartServer& command);
[[nodiscard]] Verdict decide_on(Emitter& out, const CreateRequest& command);
[[nodiscard]] Verdict decide_on(Emitter& out, const UpdateRequest& command);
[[nodiscard]] Verdict decide_on(Emitter& out, const CloseRequest& command);
[[nodiscard]] Verdict decide_on(Emitter& out, const ProlongAccess& command);
[[nodiscard]] Verdict decide_on(Emitter& out, const AcquireWorker& command);
[[nodiscard]] Verdict decide_on(Emitter& out, const MoveTunnel& command);
[[nodiscard]] Verdict decide_on(Emitter& out, const SetWorkerState& command);
[[nodiscard]] Verdict decide_on(Emitter& out, const SetWorkerGroups& command);
[[nodiscard]] Verdict decide_on(Emitter& out, const DeregisterWorker& command);
[[nodiscard]] Verdict decide_on(Emitter& out, const RegisterWorker& command);
[[nodiscard]] Verdict decide_on(Emitter& out, const DisconnectAgent& command);
[[nodiscard]] Verdict decide_on(Emitter& out, const SetFail& command);
[[nodiscard]] Verdict decide_on(Emitter& out, const NoteWorker& command);
[[nodiscard]] Verdict decide_on(Emitter& out, const FinishPrepare& command);
[[nodiscard]] Verdict decide_on(Emitter& out, const FinishGrant& command);
[[nodiscard]] Verdict decide_on(Emitter& out, const FinishEndJob& command);
[[nodiscard]] Verdict decide_on(Emitter& out, const FinishMaintenance& command);
[[nodiscard]] Verdict decide_on(Emitter& out, const CreateUser& command);
[[nodiscard]] Verdict decide_on(Emitter& out, const SetUserGroups& command);
[[nodiscard]] Verdict decide_on(Emitter& out, const SetUserCeilings& command);
[[nodiscard]] Verdict decide_on(Emitter& out, const SetGroupCeilings& command);
[[nodiscard]] Verdict decide_on(Emitter& out, const DeleteUser& command);
[[nodiscard]] Verdict decide_on(Emitter& out, const CreateToken& command);
[[nodiscard]] Verdict decide_on(Emitter& out, const RevokeToken& command);
[[nodiscard]] Verdict decide_on(Emitter& out, const AddUserKey& command);
[[nodiscard]] Verdict decide_on(Emitter& out, const RemoveUserKey& command);
[[nodiscard]] Verdict decide_on(Emitter& out, const NoteTokenUse& command);
[[nodiscard]] Verdict decide_on(Emitter& out, const NoteRefusal& command);
[[nodiscard]] Verdict decide_on(Emitter& out, const ForgetRequests& command);

}  // namespace boruta::farm

#include "cli/run_outcome.hpp"

#include <fmt/format.h>

#include "cli/text.hpp"

namespace boruta::cli {
namespace {

using client::RequestState;

constexpr int kSshOwnFailure = 255;

std::string with_reason(std::string_view what, std::string_view reason) {
  return reason.empty() ? std::string(what) : fmt::format("{}: {}", what, printable(reason));
}

Verdict make(ExitCode code, std::string message) { return {.code = to_int(code), .message = std::move(message)}; }

}  // namespace

std::optional<Verdict> judge_wait(const client::RequestInfo& request) {
  switch (request.state) {
    case RequestState::kWaiting:
    case RequestState::kInProgress:
    case RequestState::kUnknown:
      return std::nullopt;
    case RequestState::kCancelled:
      return make(ExitCode::kNotStarted, with_reason("was cancelled", request.reason));
    case RequestState::kTimeout:
      return make(ExitCode::kNotStarted, with_reason("found no worker before its deadline", request.reason));
    case RequestState::kInvalid:
      return make(ExitCode::kNotStarted, with_reason("can no longer be served by any worker", request.reason));
    case RequestState::kDone:
      return make(ExitCode::kLeaseLost, with_reason("ended before anyone logged in", request.reason));
    case RequestState::kFailed:
      return make(ExitCode::kWorkerFailed, with_reason("worker failed", request.reason));
  }
  return std::nullopt;
}

Verdict judge_command(const RunFacts& facts) {
  const auto code = shell_code(facts.command);
  if (code == 0) return {};
  // A job that is over took the command with it; a request that is ours and in order still runs here.
  if (facts.state == RequestState::kFailed) {
    return make(ExitCode::kWorkerFailed, with_reason("the worker failed while the command ran", facts.reason));
  }
  if (facts.state && client::is_terminal(*facts.state)) {
    return make(ExitCode::kLeaseLost, with_reason("the job ended while the command ran", facts.reason));
  }
  const bool ssh_failed = facts.over_ssh && !facts.command.signaled && facts.command.value == kSshOwnFailure;
  if (facts.interrupted && (ssh_failed || facts.command.signaled)) return make(ExitCode::kInterrupted, {});
  if (ssh_failed)
    return make(ExitCode::kSshFailed,
                "ssh could not log in or lost its connection, unless 255 is the command's own code");
  return {.code = code, .message = {}};
}

}  // namespace boruta::cli

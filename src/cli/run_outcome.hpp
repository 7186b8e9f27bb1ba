#pragma once

#include <optional>
#include <string>

#include "cli/exit_codes.hpp"
#include "client/api_types.hpp"

/// What a run amounts to. Pure.
namespace boruta::cli {

/// How a child process ended.
struct ChildEnd {
  bool signaled = false;
  /// The exit code, or the signal's number.
  int value = 0;

  friend bool operator==(const ChildEnd&, const ChildEnd&) = default;
};

/// As shells count: the exit code, or 128 and the signal's number.
[[nodiscard]] constexpr int shell_code(ChildEnd end) { return end.signaled ? 128 + end.value : end.value; }

struct Verdict {
  int code = 0;
  /// For people; empty when there is nothing to add to the command's own words.
  std::string message;

  friend bool operator==(const Verdict&, const Verdict&) = default;
};

/// A request that left WAITING without access: nothing while it still waits or has just started.
[[nodiscard]] std::optional<Verdict> judge_wait(const client::RequestInfo& request);

/// What is known when the command is over.
struct RunFacts {
  ChildEnd command;
  /// The command ran over ssh, whose own failures exit with 255.
  bool over_ssh = true;
  /// A signal asked us to stop while it ran.
  bool interrupted = false;
  /// The request's state just after, if it could be asked.
  std::optional<client::RequestState> state;
  std::string reason;
};

/// The command's own code, unless the job ended under it or ssh itself failed.
[[nodiscard]] Verdict judge_command(const RunFacts& facts);

}  // namespace boruta::cli

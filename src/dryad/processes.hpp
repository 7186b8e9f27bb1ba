#pragma once

#include <expected>
#include <functional>
#include <string>
#include <string_view>
#include <sys/types.h>
#include <vector>

#include "base/instant.hpp"

/// The system's processes, by /proc. What has ended and only waits to be reaped counts as gone.
namespace boruta::dryad {

using Pids = std::vector<pid_t>;

/// All processes below `root`, those included that were orphaned and that `root`, as their subreaper, took over.
[[nodiscard]] Pids descendants_of(pid_t root);

/// All processes that began with `entry` ("NAME=VALUE") in their environment. Only those that this process may look
/// into: of other users only for root.
[[nodiscard]] Pids processes_with_environment(std::string_view entry);

/// All processes with `uid` as real, effective, saved or file system uid.
[[nodiscard]] Pids processes_of_user(uid_t uid);

/// The command line of a living process, words separated by blanks; empty if there is none.
[[nodiscard]] std::string command_line_of(pid_t pid);

/// Kills what `find` finds until it finds nothing. Stops all before it kills the first, so that none can fork in
/// time. Blocks for at most `limit`; error: who survived.
std::expected<void, std::string> kill_until_gone(const std::function<Pids()>& find, Duration limit);

/// Sends SIGKILL to all processes of `uid` in one step of the kernel, which no fork outruns. One of them that stops its
/// own kind at the right moment can prevent it, but not hold us up: whoever calls looks again.
/// REQUIRES: root; `uid` is that of a user account, never of the system.
void kill_user_at_once(uid_t uid);

}  // namespace boruta::dryad

#pragma once

#include <expected>
#include <filesystem>
#include <string>
#include <sys/types.h>

/// What an account leaves behind beside its processes and its home. Needs root. All block.
namespace boruta::dryad {

/// Asks the system's service manager to end the account's sessions, its own service manager, and lingering. What it
/// does not do in two seconds is left to who kills processes.
void stop_sessions(const std::string& name);

/// Takes away the mounts below `dir`, innermost first: a user makes them through FUSE.
void unmount_below(const std::string& dir);

/// Removes what the account scheduled (cron, at) and its mail, then all that `uid` owns where everybody may write:
/// /tmp, /var/tmp, /dev/shm and their like, and every tmpfs; file systems that it mounted through FUSE; System V IPC
/// and POSIX message queues. `scratch` is a directory of our own. Error: the first thing that would not go; the rest
/// went. REQUIRES: `uid` is of a user account that nobody else uses.
std::expected<void, std::string> remove_remnants(const std::string& name, uid_t uid,
                                                 const std::filesystem::path& scratch);

}  // namespace boruta::dryad

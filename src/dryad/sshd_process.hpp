#pragma once

#include <cstdint>
#include <expected>
#include <filesystem>
#include <string>
#include <sys/types.h>
#include <vector>

namespace boruta::dryad {

/// Starts `argv` (a full path first) in a session of its own, as the subreaper of all that descends from it, so that
/// it outlives this process and no daemon escapes it. Output goes to `log`, which begins anew. It inherits no files.
/// Returns its pid; error: why it could not be started.
std::expected<pid_t, std::string> spawn_subreaper(const std::vector<std::string>& argv,
                                                  const std::filesystem::path& log);

/// A TCP port that nobody listens on now, from the kernel; 0 if there is none.
[[nodiscard]] std::uint16_t find_free_port();

}  // namespace boruta::dryad

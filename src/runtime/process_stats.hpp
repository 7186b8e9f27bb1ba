#pragma once

#include <cstdint>

namespace boruta::runtime {

/// What the system says of this process. What it does not tell is zero.
struct ProcessStats {
  std::uint64_t resident_bytes = 0;
  std::uint64_t virtual_bytes = 0;
  /// User and system time of all threads.
  double cpu_seconds = 0;
  std::uint64_t open_fds = 0;
  /// The limit that holds at present.
  std::uint64_t max_fds = 0;
};

/// Reads /proc, which waits for no disk.
[[nodiscard]] ProcessStats read_process_stats();

/// When the process started, in seconds since 1970. Never changes, but takes longer than the rest: ask once.
[[nodiscard]] double process_start_seconds();

}  // namespace boruta::runtime

#include "runtime/process_stats.hpp"

#include <charconv>
#include <cstddef>
#include <filesystem>
#include <string>
#include <string_view>
#include <sys/resource.h>
#include <system_error>
#include <unistd.h>

#include "runtime/files.hpp"

namespace boruta::runtime {
namespace {

constexpr std::size_t kLargestFile = std::size_t{1} << 20U;

// Fields of /proc/self/stat, counted from 1 as proc(5) does.
constexpr unsigned kStartTicks = 22;
constexpr unsigned kVirtualBytes = 23;
constexpr unsigned kResidentPages = 24;

std::uint64_t number_in(std::string_view text) {
  std::uint64_t number = 0;
  std::from_chars(text.data(), text.data() + text.size(), number);
  return number;
}

/// Field `wanted` of /proc/self/stat, as a number. The second is the program's name, which may hold anything.
std::uint64_t stat_field(std::string_view stat, unsigned wanted) {
  const auto name_end = stat.rfind(") ");
  if (name_end == std::string_view::npos) return 0;
  stat.remove_prefix(name_end + 2);
  constexpr unsigned kFirstBehindName = 3;
  for (unsigned field = kFirstBehindName; field < wanted; ++field) {
    const auto space = stat.find(' ');
    if (space == std::string_view::npos) return 0;
    stat.remove_prefix(space + 1);
  }
  return number_in(stat);
}

double seconds_of(const timeval& time) {
  constexpr double kMicro = 1e-6;
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) * kMicro;
}

std::uint64_t count_open_fds() {
  std::error_code error;
  std::filesystem::directory_iterator entry("/proc/self/fd", error);
  std::uint64_t count = 0;
  for (; !error && entry != std::filesystem::directory_iterator(); entry.increment(error)) ++count;
  // The one that reads the directory does not count.
  return count > 0 ? count - 1 : 0;
}

}  // namespace

ProcessStats read_process_stats() {
  ProcessStats stats;
  if (const auto stat = read_file("/proc/self/stat", kLargestFile)) {
    stats.virtual_bytes = stat_field(*stat, kVirtualBytes);
    stats.resident_bytes = stat_field(*stat, kResidentPages) * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
  }
  rusage usage{};
  if (::getrusage(RUSAGE_SELF, &usage) == 0)
    stats.cpu_seconds = seconds_of(usage.ru_utime) + seconds_of(usage.ru_stime);
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) == 0) stats.max_fds = limit.rlim_cur;
  stats.open_fds = count_open_fds();
  return stats;
}

double process_start_seconds() {
  const auto own = read_file("/proc/self/stat", kLargestFile);
  const auto system = read_file("/proc/stat", kLargestFile);
  if (!own || !system) return 0;
  constexpr std::string_view kBootTime = "\nbtime ";
  const auto boot = system->find(kBootTime);
  if (boot == std::string::npos) return 0;
  const auto booted = number_in(std::string_view(*system).substr(boot + kBootTime.size()));
  const auto ticks = static_cast<double>(stat_field(*own, kStartTicks));
  return static_cast<double>(booted) + ticks / static_cast<double>(::sysconf(_SC_CLK_TCK));
}

}  // namespace boruta::runtime

#include "runtime/process_stats.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <fcntl.h>
#include <unistd.h>

namespace boruta::runtime {
namespace {

double now_seconds() {
  return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
}

TEST(ProcessStats, CountFilesAsTheyAreOpenedAndClosed) {
  const auto before = read_process_stats();
  const int fd = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
  ASSERT_GE(fd, 0);
  EXPECT_EQ(read_process_stats().open_fds, before.open_fds + 1);
  ::close(fd);
  EXPECT_EQ(read_process_stats().open_fds, before.open_fds);
  EXPECT_GE(before.max_fds, before.open_fds);
}

TEST(ProcessStats, TellOfMemoryAndTimeThatAreUsed) {
  const auto stats = read_process_stats();
  constexpr std::uint64_t kMebibyte = std::uint64_t{1} << 20U;
  EXPECT_GT(stats.resident_bytes, kMebibyte);
  EXPECT_GT(stats.virtual_bytes, stats.resident_bytes);
  EXPECT_GT(stats.cpu_seconds, 0);
  const auto give_up = now_seconds() + 10;
  while (read_process_stats().cpu_seconds <= stats.cpu_seconds) ASSERT_LT(now_seconds(), give_up);
}

TEST(ProcessStats, KnowWhenTheProcessStarted) {
  const auto started = process_start_seconds();
  EXPECT_LE(started, now_seconds() + 1);
  EXPECT_GT(started, now_seconds() - 300);
}

}  // namespace
}  // namespace boruta::runtime

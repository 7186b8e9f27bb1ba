#include "runtime/subprocess.hpp"

#include <gtest/gtest.h>

#include <array>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

namespace boruta::runtime {
namespace {

using namespace std::chrono_literals;

Program shell(std::string script) { return {.argv = {"/bin/sh", "-c", std::move(script)}, .keep_output = true}; }

TEST(Subprocess, ReadsItsInputToTheEnd) {
  auto program = shell("wc -c");
  // More than a pipe holds, for a program that has not begun to read.
  program.input = std::string(300'000, 'x');
  const auto result = run_program(program);
  ASSERT_TRUE(result.has_value()) << result.error();
  EXPECT_EQ(result->output, "300000\n");
}

TEST(Subprocess, NeedNotReadItsInput) {
  auto program = shell("true");
  program.input = std::string(300'000, 'x');
  const auto result = run_program(program);
  ASSERT_TRUE(result.has_value()) << result.error();
  EXPECT_TRUE(result->ok());
}

TEST(Subprocess, FindsNothingOnItsInputUnlessThereIsSome) {
  const auto result = run_program(shell("cat"));
  ASSERT_TRUE(result.has_value()) << result.error();
  EXPECT_EQ(result->output, "");
}

TEST(Subprocess, KeepsTheBeginningOfALongOutput) {
  const auto result = run_program(shell("head -c 1000000 /dev/zero | tr '\\0' x"));
  ASSERT_TRUE(result.has_value()) << result.error();
  EXPECT_EQ(result->output, std::string(65'536, 'x'));
}

TEST(Subprocess, InheritsNoOtherFile) {
  std::array<int, 2> pair{};
  // As Asio opens its sockets.
  ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM, 0, pair.data()), 0);
  const auto result = run_program(shell("ls -l /proc/self/fd"));
  for (const int fd : pair) ::close(fd);
  ASSERT_TRUE(result.has_value()) << result.error();
  EXPECT_EQ(result->output.find("socket:"), std::string::npos) << result->output;
}

TEST(Subprocess, IsKilledWithItsChildrenWhenItsTimeIsUp) {
  auto program = shell("sleep 60 & sleep 60");
  program.limit = 200ms;
  const auto start = std::chrono::steady_clock::now();
  const auto result = run_program(program);
  ASSERT_TRUE(result.has_value()) << result.error();
  EXPECT_EQ(result->end, ProgramEnd::kTimedOut);
  EXPECT_LT(std::chrono::steady_clock::now() - start, 3s);
}

TEST(Subprocess, IsKilledInTimeAlsoWhenItNeverStopsWriting) {
  for (const auto* script : {"yes", "yes >&2"}) {
    auto program = shell(script);
    program.limit = 200ms;
    const auto start = std::chrono::steady_clock::now();
    const auto result = run_program(program);
    ASSERT_TRUE(result.has_value()) << result.error();
    EXPECT_EQ(result->end, ProgramEnd::kTimedOut);
    EXPECT_LE(result->output.size(), 65'536U);
    EXPECT_LT(std::chrono::steady_clock::now() - start, 3s);
  }
}

TEST(Subprocess, ThatIsMissingIsNamed) {
  const auto result = run_program({.argv = {"/no/such/program"}});
  ASSERT_FALSE(result.has_value());
  EXPECT_EQ(result.error(), "/no/such/program: No such file or directory");
}

}  // namespace
}  // namespace boruta::runtime

#include "cli/process.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <fmt/format.h>

#include <cerrno>
#include <csignal>
#include <cstring>
#include <fcntl.h>
#include <map>
#include <spawn.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <utility>

#include "base/assert.hpp"

namespace boruta::cli {
namespace {

std::vector<char*> pointers(std::vector<std::string>& texts) {
  std::vector<char*> out;
  out.reserve(texts.size() + 1);
  for (auto& text : texts) out.push_back(text.data());
  out.push_back(nullptr);
  return out;
}

std::vector<std::string> merged_environment(const std::vector<std::pair<std::string, std::string>>& extra) {
  const std::map<std::string, std::string, std::less<>> added(extra.begin(), extra.end());
  std::vector<std::string> merged;
  for (char** entry = ::environ; *entry != nullptr; ++entry) {
    const std::string_view text(*entry);
    if (!added.contains(text.substr(0, text.find('=')))) merged.emplace_back(text);
  }
  for (const auto& [key, value] : added) merged.push_back(fmt::format("{}={}", key, value));
  return merged;
}

/// -1 when there is none to be had: an old kernel.
int open_pidfd(pid_t pid) { return static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)); }

}  // namespace

std::expected<Child, std::string> Child::start(const asio::any_io_executor& executor, Program program) {
  BORUTA_ASSERT(!program.words.empty());
  posix_spawnattr_t attributes;
  ::posix_spawnattr_init(&attributes);
  // We may ignore SIGPIPE; a child must not.
  sigset_t defaults;
  ::sigemptyset(&defaults);
  ::sigaddset(&defaults, SIGPIPE);
  ::posix_spawnattr_setsigdefault(&attributes, &defaults);
  ::posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGDEF);
  auto environment = merged_environment(program.environment);
  const auto words = pointers(program.words);
  const auto variables = pointers(environment);
  posix_spawn_file_actions_t files;
  ::posix_spawn_file_actions_init(&files);
  if (program.output) {
    ::posix_spawn_file_actions_addopen(&files, STDOUT_FILENO, program.output->c_str(), O_WRONLY | O_CREAT | O_TRUNC,
                                       S_IRUSR | S_IWUSR);
    ::posix_spawn_file_actions_addopen(&files, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
  }
  pid_t pid = -1;
  const int error = ::posix_spawnp(&pid, words[0], &files, &attributes, words.data(), variables.data());
  ::posix_spawn_file_actions_destroy(&files);
  ::posix_spawnattr_destroy(&attributes);
  if (error != 0) return std::unexpected(fmt::format("{}: {}", program.words[0], std::strerror(error)));
  return Child(executor, pid);
}

Child::Child(Child&& other) noexcept : executor_(std::move(other.executor_)), pid_(std::exchange(other.pid_, -1)) {}

Child::~Child() {
  if (pid_ < 0) return;
  ::kill(pid_, SIGKILL);
  ::waitpid(pid_, nullptr, 0);
}

void Child::signal(int number) const {
  if (pid_ > 0) ::kill(pid_, number);
}

Task<ChildEnd> Child::wait() {
  if (const int pidfd = open_pidfd(pid_); pidfd >= 0) {
    asio::posix::stream_descriptor descriptor(executor_, pidfd);
    co_await descriptor.async_wait(asio::posix::stream_descriptor::wait_read, asio::as_tuple(asio::use_awaitable));
  }
  int status = 0;
  while (::waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
  }
  pid_ = -1;
  ChildEnd end;
  end.signaled = WIFSIGNALED(status);
  end.value = end.signaled ? WTERMSIG(status) : WEXITSTATUS(status);
  co_return end;
}

}  // namespace boruta::cli

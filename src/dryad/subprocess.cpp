#include "dryad/subprocess.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <fcntl.h>
#include <filesystem>
#include <poll.h>
#include <spawn.h>
#include <string_view>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <system_error>
#include <unistd.h>
#include <utility>

namespace boruta::dryad {
namespace {

using Steady = std::chrono::steady_clock;

constexpr std::size_t kTailBytes = 4096;
constexpr std::size_t kLineBytes = 512;
/// How soon a stop is noticed.
constexpr std::chrono::milliseconds kStopPoll{50};

std::vector<char*> pointers(const std::vector<std::string>& texts) {
  std::vector<char*> result;
  result.reserve(texts.size() + 1);
  for (const auto& text : texts) result.push_back(const_cast<char*>(text.c_str()));
  result.push_back(nullptr);
  return result;
}

std::vector<std::string> merged_environment(const std::vector<std::string>& extra) {
  std::vector<std::string> merged;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string_view text(*entry);
    const auto name = text.substr(0, text.find('='));
    const bool replaced =
        std::ranges::any_of(extra, [&](std::string_view other) { return other.substr(0, other.find('=')) == name; });
    if (!replaced) merged.emplace_back(text);
  }
  merged.insert(merged.end(), extra.begin(), extra.end());
  return merged;
}

/// What a program writes, and the end of what it has written so far.
struct Stream {
  int fd = -1;
  std::string tail;
};

struct Child {
  pid_t pid = -1;
  int pidfd = -1;
  Stream errors;
  /// Without a descriptor unless it is kept.
  Stream output;
};

/// Both ends of a pipe; what was not taken is closed.
struct Pipe {
  int ends[2] = {-1, -1};
  Pipe() = default;
  Pipe(const Pipe&) = delete;
  Pipe& operator=(const Pipe&) = delete;
  ~Pipe() {
    for (const int end : ends) {
      if (end >= 0) ::close(end);
    }
  }

  [[nodiscard]] bool open() { return ::pipe2(ends, O_CLOEXEC) == 0; }
  /// The end to read from, which does not block.
  int take_reader() {
    const int reader = std::exchange(ends[0], -1);
    ::fcntl(reader, F_SETFL, O_NONBLOCK);
    return reader;
  }
};

/// Releases what posix_spawn needed.
struct SpawnSettings {
  posix_spawn_file_actions_t files{};
  posix_spawnattr_t attributes{};
  SpawnSettings() {
    posix_spawn_file_actions_init(&files);
    posix_spawnattr_init(&attributes);
  }
  SpawnSettings(const SpawnSettings&) = delete;
  SpawnSettings& operator=(const SpawnSettings&) = delete;
  ~SpawnSettings() {
    posix_spawn_file_actions_destroy(&files);
    posix_spawnattr_destroy(&attributes);
  }
};

std::expected<Child, std::string> spawn(const Program& program) {
  Pipe errors;
  Pipe output;
  if (!errors.open() || (program.keep_output && !output.open())) {
    return std::unexpected(std::generic_category().message(errno));
  }
  SpawnSettings settings;
  posix_spawn_file_actions_addopen(&settings.files, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  if (program.keep_output) {
    posix_spawn_file_actions_adddup2(&settings.files, output.ends[1], STDOUT_FILENO);
  } else {
    posix_spawn_file_actions_addopen(&settings.files, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
  }
  posix_spawn_file_actions_adddup2(&settings.files, errors.ends[1], STDERR_FILENO);
  sigset_t all;
  sigset_t none;
  sigfillset(&all);
  sigemptyset(&none);
  posix_spawnattr_setsigdefault(&settings.attributes, &all);
  posix_spawnattr_setsigmask(&settings.attributes, &none);
  posix_spawnattr_setpgroup(&settings.attributes, 0);
  posix_spawnattr_setflags(&settings.attributes,
                           POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETPGROUP);
  const auto environment = merged_environment(program.environment);
  Child child;
  const int error = ::posix_spawnp(&child.pid, program.argv.front().c_str(), &settings.files, &settings.attributes,
                                   pointers(program.argv).data(), pointers(environment).data());
  if (error != 0) {
    return std::unexpected(fmt::format("{}: {}", program.argv.front(), std::generic_category().message(error)));
  }
  child.errors.fd = errors.take_reader();
  if (program.keep_output) child.output.fd = output.take_reader();
  child.pidfd = static_cast<int>(::syscall(SYS_pidfd_open, child.pid, 0));
  return child;
}

std::string last_line_of(std::string_view text) {
  constexpr std::string_view kBlank = " \t\r\n";
  const auto end = text.find_last_not_of(kBlank);
  if (end == std::string_view::npos) return {};
  text = text.substr(0, end + 1);
  const auto begin = text.find_last_of("\r\n");
  if (begin != std::string_view::npos) text.remove_prefix(begin + 1);
  return std::string(text.substr(0, kLineBytes));
}

/// Appends what can be read now, keeping the end of it. At the end of the stream its descriptor is closed.
void drain(Stream& stream) {
  char buffer[1024];
  while (stream.fd >= 0) {
    const ssize_t got = ::read(stream.fd, buffer, sizeof buffer);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0 && errno == EAGAIN) return;
    if (got <= 0) {
      ::close(std::exchange(stream.fd, -1));
      return;
    }
    stream.tail.append(buffer, static_cast<std::size_t>(got));
    if (stream.tail.size() > kTailBytes) stream.tail.erase(0, stream.tail.size() - kTailBytes);
  }
}

/// What is there still, and no more: a daemon that the program left may hold it open.
std::string finish(Stream& stream) {
  drain(stream);
  if (stream.fd >= 0) ::close(stream.fd);
  return last_line_of(stream.tail);
}

/// Returns when the program has ended by itself (kExited), or why it must be killed.
ProgramEnd wait_for_end(Child& child, Steady::time_point deadline, const std::stop_token& stop) {
  for (;;) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Steady::now());
    if (left.count() <= 0) return ProgramEnd::kTimedOut;
    if (stop.stop_requested()) return ProgramEnd::kStopped;
    const auto slice = stop.stop_possible() ? std::min(left, kStopPoll) : left;
    // The program's end is what counts: a daemon that it left may hold its standard error open for ever.
    pollfd waits[3] = {{child.pidfd, POLLIN, 0}, {child.errors.fd, POLLIN, 0}, {child.output.fd, POLLIN, 0}};
    const int timeout_ms = static_cast<int>(std::min<std::int64_t>(slice.count(), 60'000));
    if (::poll(waits, 3, timeout_ms) < 0 && errno != EINTR) return ProgramEnd::kTimedOut;
    drain(child.errors);
    drain(child.output);
    if (waits[0].revents != 0) return ProgramEnd::kExited;
  }
}

}  // namespace

std::expected<ProgramResult, std::string> run_program(const Program& program, const std::stop_token& stop) {
  auto child = spawn(program);
  if (!child) return std::unexpected(child.error());
  ProgramResult result;
  const auto deadline = Steady::now() + std::chrono::duration_cast<Steady::duration>(program.limit);
  // A kernel without pidfd_open (before 5.3) can't wait for both; such a program is killed and said to have timed out.
  result.end = child->pidfd < 0 ? ProgramEnd::kTimedOut : wait_for_end(*child, deadline, stop);
  if (result.end != ProgramEnd::kExited) ::kill(-child->pid, SIGKILL);
  int status = 0;
  while (::waitpid(child->pid, &status, 0) < 0 && errno == EINTR) {
  }
  result.last_line = finish(child->errors);
  result.output_line = finish(child->output);
  if (child->pidfd >= 0) ::close(child->pidfd);
  if (result.end == ProgramEnd::kExited && WIFSIGNALED(status)) result.end = ProgramEnd::kSignalled;
  result.code = WIFEXITED(status) ? WEXITSTATUS(status) : WTERMSIG(status);
  return result;
}

std::string describe(const Program& program, const ProgramResult& result) {
  const std::string name = std::filesystem::path(program.argv.front()).filename();
  std::string text;
  switch (result.end) {
    case ProgramEnd::kExited:
      text = fmt::format("{}: exit code {}", name, result.code);
      break;
    case ProgramEnd::kSignalled:
      text = fmt::format("{}: killed by signal {}", name, result.code);
      break;
    case ProgramEnd::kTimedOut:
      text = fmt::format("{}: not done within {}, killed", name, format_duration(program.limit));
      break;
    case ProgramEnd::kStopped:
      text = fmt::format("{}: stopped", name);
      break;
  }
  if (!result.last_line.empty()) text += ": " + result.last_line;
  return text;
}

std::expected<void, std::string> run_or_say_why(const Program& program, const std::stop_token& stop) {
  const auto result = run_program(program, stop);
  if (!result) return std::unexpected(result.error());
  if (!result->ok()) return std::unexpected(describe(program, *result));
  return {};
}

bool has_program(const std::string& name) {
  const char* path = std::getenv("PATH");
  std::string_view rest = path == nullptr ? "/usr/sbin:/usr/bin:/sbin:/bin" : path;
  while (!rest.empty()) {
    const auto colon = rest.find(':');
    const auto dir = rest.substr(0, colon);
    if (!dir.empty() && ::access((std::string(dir) + "/" + name).c_str(), X_OK) == 0) return true;
    rest.remove_prefix(colon == std::string_view::npos ? rest.size() : colon + 1);
  }
  return false;
}

}  // namespace boruta::dryad

#include "runtime/subprocess.hpp"

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
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <system_error>
#include <unistd.h>
#include <utility>

#include "runtime/descriptor.hpp"

namespace boruta::runtime {
namespace {

using Steady = std::chrono::steady_clock;

constexpr std::size_t kTailBytes = 4096;
constexpr std::size_t kLineBytes = 512;
constexpr std::size_t kOutputBytes = std::size_t{64} * 1024;
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

struct Child {
  pid_t pid = -1;
  Descriptor pidfd;
  Descriptor errors;
  /// Not valid: nobody wants it.
  Descriptor output;
};

struct Pipe {
  /// Never blocks.
  Descriptor ours;
  Descriptor theirs;
};

/// Not valid with errno set where there is none to be had.
Pipe make_pipe() {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return {};
  ::fcntl(ends[0], F_SETFL, O_NONBLOCK);
  return {.ours = Descriptor(ends[0]), .theirs = Descriptor(ends[1])};
}

/// What a program said, as far as it is kept.
struct Heard {
  std::string output;
  std::string tail;

  void add_output(std::string_view bytes) { output += bytes.substr(0, kOutputBytes - output.size()); }
  void add_error(std::string_view bytes) {
    tail += bytes;
    if (tail.size() > kTailBytes) tail.erase(0, tail.size() - kTailBytes);
  }
};

/// A file in memory with `content`, read from its beginning: unlike a pipe it holds any amount while nobody reads.
int make_memory_file(const char* name, std::string_view content) {
  const int fd = ::memfd_create(name, MFD_CLOEXEC);
  while (fd >= 0 && !content.empty()) {
    const ssize_t written = ::write(fd, content.data(), content.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) break;
    content.remove_prefix(static_cast<std::size_t>(written));
  }
  if (fd >= 0 && content.empty() && ::lseek(fd, 0, SEEK_SET) == 0) return fd;
  if (fd >= 0) ::close(fd);
  return -1;
}

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

std::unexpected<std::string> system_failure() { return std::unexpected(std::generic_category().message(errno)); }

/// What of the child differs from us: its standard files, no other file, its signals, a process group of its own.
void prepare_settings(SpawnSettings& settings, int input, int output, int errors) {
  if (input >= 0) {
    posix_spawn_file_actions_adddup2(&settings.files, input, STDIN_FILENO);
  } else {
    posix_spawn_file_actions_addopen(&settings.files, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  }
  if (output >= 0) {
    posix_spawn_file_actions_adddup2(&settings.files, output, STDOUT_FILENO);
  } else {
    posix_spawn_file_actions_addopen(&settings.files, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
  }
  posix_spawn_file_actions_adddup2(&settings.files, errors, STDERR_FILENO);
  // Sockets come without FD_CLOEXEC from Asio: a program that stays would keep our ports.
  posix_spawn_file_actions_addclosefrom_np(&settings.files, STDERR_FILENO + 1);
  sigset_t all;
  sigset_t none;
  sigfillset(&all);
  sigemptyset(&none);
  posix_spawnattr_setsigdefault(&settings.attributes, &all);
  posix_spawnattr_setsigmask(&settings.attributes, &none);
  posix_spawnattr_setpgroup(&settings.attributes, 0);
  posix_spawnattr_setflags(&settings.attributes,
                           POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETPGROUP);
}

std::expected<Child, std::string> spawn(const Program& program) {
  const Descriptor input(program.input.empty() ? -1 : make_memory_file("input", program.input));
  if (!input.valid() && !program.input.empty()) return system_failure();
  auto output = program.keep_output ? make_pipe() : Pipe();
  if (!output.ours.valid() && program.keep_output) return system_failure();
  auto errors = make_pipe();
  if (!errors.ours.valid()) return system_failure();
  SpawnSettings settings;
  prepare_settings(settings, input.get(), output.theirs.get(), errors.theirs.get());
  const auto environment = merged_environment(program.environment);
  Child child;
  const int error = ::posix_spawnp(&child.pid, program.argv.front().c_str(), &settings.files, &settings.attributes,
                                   pointers(program.argv).data(), pointers(environment).data());
  if (error != 0) {
    return std::unexpected(fmt::format("{}: {}", program.argv.front(), std::generic_category().message(error)));
  }
  child.errors = std::move(errors.ours);
  child.output = std::move(output.ours);
  child.pidfd = Descriptor(static_cast<int>(::syscall(SYS_pidfd_open, child.pid, 0)));
  return child;
}

/// Hands to `keep` what can be read now, as much as a pipe holds: one that writes without a rest would keep us from
/// looking at the time. False at the end of the stream.
template <class Keep>
bool drain(const Descriptor& stream, Keep keep) {
  constexpr int kPipeful = 16;
  char buffer[4096];
  for (int i = 0; i < kPipeful; ++i) {
    const ssize_t got = ::read(stream.get(), buffer, sizeof buffer);
    if (got == 0) return false;
    if (got < 0) return errno == EAGAIN || errno == EINTR;
    keep(std::string_view(buffer, static_cast<std::size_t>(got)));
  }
  return true;
}

bool drain_errors(const Child& child, Heard& heard) {
  return drain(child.errors, [&](std::string_view bytes) { heard.add_error(bytes); });
}

bool drain_output(const Child& child, Heard& heard) {
  return drain(child.output, [&](std::string_view bytes) { heard.add_output(bytes); });
}

/// Returns when the program has ended by itself (kExited), or why it must be killed.
ProgramEnd wait_for_end(const Child& child, Steady::time_point deadline, const std::stop_token& stop, Heard& heard) {
  bool errors = true;
  bool output = child.output.valid();
  for (;;) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Steady::now());
    if (left.count() <= 0) return ProgramEnd::kTimedOut;
    if (stop.stop_requested()) return ProgramEnd::kStopped;
    const auto slice = stop.stop_possible() ? std::min(left, kStopPoll) : left;
    // The program's end is what counts: a daemon that it left may hold its standard error open for ever.
    pollfd waits[3] = {{child.pidfd.get(), POLLIN, 0},
                       {errors ? child.errors.get() : -1, POLLIN, 0},
                       {output ? child.output.get() : -1, POLLIN, 0}};
    const int timeout_ms = static_cast<int>(std::min<std::int64_t>(slice.count(), 60'000));
    if (::poll(waits, 3, timeout_ms) < 0 && errno != EINTR) return ProgramEnd::kTimedOut;
    if (waits[1].revents != 0) errors = drain_errors(child, heard);
    if (waits[2].revents != 0) output = drain_output(child, heard);
    if (waits[0].revents != 0) return ProgramEnd::kExited;
  }
}

}  // namespace

std::expected<ProgramResult, std::string> run_program(const Program& program, const std::stop_token& stop) {
  const auto child = spawn(program);
  if (!child) return std::unexpected(child.error());
  Heard heard;
  ProgramResult result;
  const auto deadline = Steady::now() + std::chrono::duration_cast<Steady::duration>(program.limit);
  // A kernel without pidfd_open (before 5.3) can't wait for both; such a program is killed and said to have timed out.
  result.end = child->pidfd.valid() ? wait_for_end(*child, deadline, stop, heard) : ProgramEnd::kTimedOut;
  if (result.end != ProgramEnd::kExited) ::kill(-child->pid, SIGKILL);
  int status = 0;
  while (::waitpid(child->pid, &status, 0) < 0 && errno == EINTR) {
  }
  drain_errors(*child, heard);
  drain_output(*child, heard);
  if (result.end == ProgramEnd::kExited && WIFSIGNALED(status)) result.end = ProgramEnd::kSignalled;
  result.code = WIFEXITED(status) ? WEXITSTATUS(status) : WTERMSIG(status);
  result.last_line = last_line_of(heard.tail);
  result.output = std::move(heard.output);
  return result;
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

}  // namespace boruta::runtime

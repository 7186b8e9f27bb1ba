#include "dryad/processes.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <csignal>
#include <dirent.h>
#include <fstream>
#include <ranges>
#include <sstream>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>
#include <unordered_map>

#include "base/assert.hpp"
#include "dryad/users.hpp"

namespace boruta::dryad {
namespace {

constexpr std::chrono::milliseconds kKillPause{5};
constexpr std::size_t kNamedSurvivors = 3;

struct Process {
  pid_t pid = 0;
  pid_t parent = 0;
  std::array<uid_t, 4> uids{};
  bool ended = false;
};

std::string slurp(pid_t pid, const char* file) {
  const std::ifstream stream(fmt::format("/proc/{}/{}", pid, file), std::ios::binary);
  std::ostringstream content;
  content << stream.rdbuf();
  return content.str();
}

/// Nothing sensible for a process that is gone by now: `ended` is set.
Process read_process(pid_t pid) {
  Process process{.pid = pid};
  std::istringstream status(slurp(pid, "status"));
  bool known = false;
  bool zombie = false;
  unsigned threads = 0;
  for (std::string line; std::getline(status, line);) {
    std::istringstream words(line);
    std::string key;
    words >> key;
    if (key == "State:") {
      char state = 'X';
      words >> state;
      zombie = state == 'Z' || state == 'X';
    } else if (key == "PPid:") {
      words >> process.parent;
    } else if (key == "Uid:") {
      for (auto& uid : process.uids) words >> uid;
      known = true;
    } else if (key == "Threads:") {
      words >> threads;
    }
  }
  // A process whose first thread ended looks like a zombie while its other threads live on.
  process.ended = !known || (zombie && threads <= 1);
  return process;
}

std::vector<Process> list_processes() {
  std::vector<Process> processes;
  DIR* proc = ::opendir("/proc");
  if (proc == nullptr) return processes;
  while (const dirent* entry = ::readdir(proc)) {
    const std::string_view name(entry->d_name);
    pid_t pid = 0;
    const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), pid);
    if (error != std::errc{} || end != name.data() + name.size()) continue;
    auto process = read_process(pid);
    if (!process.ended) processes.push_back(process);
  }
  ::closedir(proc);
  return processes;
}

std::string survivors(const Pids& pids) {
  std::string text;
  for (const auto pid : pids | std::views::take(kNamedSurvivors)) {
    text += fmt::format("{}{} ({})", text.empty() ? "" : ", ", pid, command_line_of(pid).substr(0, 64));
  }
  return text;
}

}  // namespace

Pids descendants_of(pid_t root) {
  std::unordered_multimap<pid_t, pid_t> children;
  for (const auto& process : list_processes()) children.emplace(process.parent, process.pid);
  Pids found;
  Pids next{root};
  while (!next.empty()) {
    const pid_t parent = next.back();
    next.pop_back();
    const auto [first, last] = children.equal_range(parent);
    for (auto child = first; child != last; ++child) {
      found.push_back(child->second);
      next.push_back(child->second);
    }
  }
  return found;
}

Pids processes_with_environment(std::string_view entry) {
  Pids found;
  for (const auto& process : list_processes()) {
    std::istringstream entries(slurp(process.pid, "environ"));
    for (std::string text; std::getline(entries, text, '\0');) {
      if (text == entry) {
        found.push_back(process.pid);
        break;
      }
    }
  }
  return found;
}

Pids processes_of_user(uid_t uid) {
  Pids found;
  for (const auto& process : list_processes()) {
    if (std::ranges::find(process.uids, uid) != process.uids.end()) found.push_back(process.pid);
  }
  return found;
}

std::string command_line_of(pid_t pid) {
  std::string line = slurp(pid, "cmdline");
  while (!line.empty() && line.back() == '\0') line.pop_back();
  std::ranges::replace(line, '\0', ' ');
  return line;
}

std::expected<void, std::string> kill_until_gone(const std::function<Pids()>& find, Duration limit) {
  const auto deadline = std::chrono::steady_clock::now() + limit;
  for (;;) {
    const auto pids = find();
    if (pids.empty()) return {};
    if (std::chrono::steady_clock::now() > deadline) {
      return std::unexpected(fmt::format("{} process(es) survived SIGKILL for {}: {}", pids.size(),
                                         format_duration(limit), survivors(pids)));
    }
    for (const auto pid : pids) ::kill(pid, SIGSTOP);
    for (const auto pid : pids) ::kill(pid, SIGKILL);
    std::this_thread::sleep_for(kKillPause);
  }
}

void kill_user_at_once(uid_t uid) {
  BORUTA_ASSERT(::geteuid() == 0);
  BORUTA_ASSERT(is_user_uid(uid));
  const pid_t child = ::fork();
  if (child == 0) {
    // Raw system calls: after a fork of a program with threads, little else is safe. kill(-1) spares the caller.
    if (::syscall(SYS_setresuid, uid, uid, uid) == 0 && ::getuid() == uid && ::geteuid() == uid) ::kill(-1, SIGKILL);
    ::_exit(0);
  }
  if (child < 0) return;
  // For a moment the child is one of the user's own processes, which a process of theirs may stop: it is not waited
  // for.
  int status = 0;
  pid_t changed = 0;
  do changed = ::waitpid(child, &status, WUNTRACED);
  while (changed < 0 && errno == EINTR);
  if (changed != child || !WIFSTOPPED(status)) return;
  ::kill(child, SIGKILL);
  while (::waitpid(child, nullptr, 0) < 0 && errno == EINTR) {
  }
}

}  // namespace boruta::dryad

#include "dryad/sshd_process.hpp"

#include <arpa/inet.h>
#include <cerrno>
#include <csignal>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <system_error>
#include <unistd.h>

#include "dryad/files.hpp"

namespace boruta::dryad {
namespace {

constexpr int kExecFailed = 127;
constexpr int kSignals = 65;

/// In the child of a program that may have threads: only what is safe in a signal handler, then exec.
[[noreturn]] void become(char* const* argv, int log) {
  ::setsid();
  // Kept over exec, unlike most: orphans below sshd become its children instead of init's.
  ::prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
  const int nothing = ::open("/dev/null", O_RDONLY);
  if (nothing < 0) ::_exit(kExecFailed);
  ::dup2(nothing, STDIN_FILENO);
  ::dup2(log, STDOUT_FILENO);
  ::dup2(log, STDERR_FILENO);
  ::syscall(SYS_close_range, 3U, ~0U, 0U);
  for (int number = 1; number < kSignals; ++number) ::signal(number, SIG_DFL);
  sigset_t none;
  ::sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  ::execv(argv[0], argv);
  ::_exit(kExecFailed);
}

}  // namespace

std::expected<pid_t, std::string> spawn_subreaper(const std::vector<std::string>& argv,
                                                  const std::filesystem::path& log) {
  const int log_fd = ::open(log.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (log_fd < 0) return std::unexpected(errno_text(log, errno));
  std::vector<char*> words;
  words.reserve(argv.size() + 1);
  for (const auto& word : argv) words.push_back(const_cast<char*>(word.c_str()));
  words.push_back(nullptr);
  const pid_t pid = ::fork();
  if (pid == 0) become(words.data(), log_fd);
  const int error = errno;
  ::close(log_fd);
  if (pid < 0) return std::unexpected("fork: " + std::generic_category().message(error));
  return pid;
}

std::uint16_t find_free_port() {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return 0;
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_ANY);
  socklen_t size = sizeof address;
  auto* any = reinterpret_cast<sockaddr*>(&address);
  const bool found = ::bind(fd, any, size) == 0 && ::getsockname(fd, any, &size) == 0;
  ::close(fd);
  return found ? ntohs(address.sin_port) : std::uint16_t{0};
}

}  // namespace boruta::dryad

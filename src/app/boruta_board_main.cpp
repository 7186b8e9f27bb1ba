// boruta-board: what a job's user calls on the worker to switch the board and to use its console. Asks dryad over its
// unix socket, and knows nothing itself; links nothing but the C++ library, so that it starts at once.

#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <poll.h>
#include <string>
#include <string_view>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <termios.h>
#include <thread>
#include <unistd.h>

namespace {

constexpr int kExitOk = 0;
constexpr int kExitFailed = 1;
constexpr int kExitUsage = 64;
constexpr int kExitNoDryad = 69;
constexpr int kExitRefused = 77;

constexpr const char* kSocket = "/run/boruta/board.sock";
/// dryad answers within 20 s, whatever happens.
constexpr time_t kAnswerSeconds = 30;
constexpr std::size_t kAnswerBytes = 4096;
/// Ctrl-], as telnet has it.
constexpr char kEscape = 0x1d;

constexpr const char* kHelp =
    "Switches the board of the worker that your job runs on.\n"
    "\n"
    "Usage:\n"
    "  boruta-board power on|off|cycle   power of the device under test\n"
    "  boruta-board sd host|dut          the SD card: to this computer, or to the device under test\n"
    "  boruta-board current [--watch]    what the device draws; --watch: every second, until interrupted\n"
    "  boruta-board console              the device's serial console; Ctrl-] leaves it\n"
    "\n"
    "Exit codes:\n"
    "   0   done\n"
    "   1   tried, and failed\n"
    "  64   wrong command line\n"
    "  69   dryad can't be reached\n"
    "  77   refused: the board can't do it, or no job of yours runs here\n"
    "\n"
    "BORUTA_BOARD_SOCKET names dryad's socket, if it is not /run/boruta/board.sock.\n";

int complain(int code, const std::string& text) {
  std::fprintf(stderr, "boruta-board: %s\n", text.c_str());
  return code;
}

struct Answer {
  int code = kExitOk;
  /// The number, or why not.
  std::string text;
};

Answer no_dryad(const std::string& path, const char* why) {
  return {kExitNoDryad, "dryad can't be reached at " + path + ": " + why + "; does a job run on this worker?"};
}

/// One line, and not a byte of what may follow it.
Answer read_answer(int fd, const std::string& path) {
  std::string line;
  for (char byte = 0; line.size() < kAnswerBytes;) {
    const ssize_t got = ::read(fd, &byte, 1);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return no_dryad(path, errno == EAGAIN ? "no answer" : std::strerror(errno));
    if (got == 0) return no_dryad(path, "it ended the connection");
    if (byte == '\n') break;
    line += byte;
  }
  const auto blank = line.find(' ');
  const std::string rest = blank == std::string::npos ? "" : line.substr(blank + 1);
  const auto word = std::string_view(line).substr(0, blank);
  if (word == "ok") return {kExitOk, rest};
  return {word == "refused" ? kExitRefused : kExitFailed, rest};
}

/// A connection to dryad. Closed with it.
class Connection {
 public:
  Connection() = default;
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;
  ~Connection() {
    if (fd_ >= 0) ::close(fd_);
  }

  /// Says `wish`, and returns what comes back.
  Answer ask(const std::string& wish) {
    const char* named = std::getenv("BORUTA_BOARD_SOCKET");
    const std::string path = named == nullptr || *named == '\0' ? kSocket : named;
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (path.size() >= sizeof address.sun_path) return no_dryad(path, "the path is too long");
    path.copy(address.sun_path, path.size());
    fd_ = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const timeval limit{kAnswerSeconds, 0};
    ::setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    const std::string line = wish + "\n";
    if (::connect(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 ||
        ::send(fd_, line.data(), line.size(), MSG_NOSIGNAL) != static_cast<ssize_t>(line.size())) {
      return no_dryad(path, std::strerror(errno));
    }
    return read_answer(fd_, path);
  }

  [[nodiscard]] int fd() const { return fd_; }

 private:
  int fd_ = -1;
};

Answer ask(const std::string& wish) { return Connection().ask(wish); }

/// Standard input without echo and line editing, if it is a terminal; as it was again at the end.
class RawTerminal {
 public:
  RawTerminal() {
    is_terminal_ = ::tcgetattr(STDIN_FILENO, &before_) == 0;
    if (!is_terminal_) return;
    termios raw = before_;
    ::cfmakeraw(&raw);
    ::tcsetattr(STDIN_FILENO, TCSANOW, &raw);
  }
  RawTerminal(const RawTerminal&) = delete;
  RawTerminal& operator=(const RawTerminal&) = delete;
  ~RawTerminal() {
    if (is_terminal_) ::tcsetattr(STDIN_FILENO, TCSANOW, &before_);
  }

  [[nodiscard]] bool is_terminal() const { return is_terminal_; }

 private:
  termios before_{};
  bool is_terminal_ = false;
};

bool write_all(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t sent = ::write(fd, bytes.data(), bytes.size());
    if (sent < 0 && errno == EINTR) continue;
    if (sent <= 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(sent));
  }
  return true;
}

/// Carries bytes until the console ends or the user leaves it. False: the user left.
bool carry(int console, bool escapes) {
  std::array<char, 4096> buffer;
  bool typing = true;
  for (;;) {
    pollfd waits[3] = {{console, POLLIN, 0}, {typing ? STDIN_FILENO : -1, POLLIN, 0}, {STDOUT_FILENO, 0, 0}};
    if (::poll(waits, 3, -1) < 0 && errno != EINTR) return true;
    // Nobody reads any more, as when the SSH connection broke.
    if ((waits[2].revents & (POLLERR | POLLHUP)) != 0) return false;
    if (waits[0].revents != 0) {
      const ssize_t got = ::read(console, buffer.data(), buffer.size());
      if (got <= 0) return true;
      if (!write_all(STDOUT_FILENO, {buffer.data(), static_cast<std::size_t>(got)})) return false;
    }
    if (waits[1].revents != 0) {
      const ssize_t got = ::read(STDIN_FILENO, buffer.data(), buffer.size());
      // What is printed is shown on, when there is nothing more to write; others may write then.
      if (got <= 0) {
        typing = false;
        ::shutdown(console, SHUT_WR);
      }
      const std::string_view typed(buffer.data(), got > 0 ? static_cast<std::size_t>(got) : 0);
      if (escapes && typed.find(kEscape) != std::string_view::npos) return false;
      if (!write_all(console, typed)) return true;
    }
  }
}

int use_console() {
  Connection connection;
  const auto answer = connection.ask("console");
  if (answer.code != kExitOk) return complain(answer.code, answer.text);
  const timeval for_ever{0, 0};
  ::setsockopt(connection.fd(), SOL_SOCKET, SO_RCVTIMEO, &for_ever, sizeof for_ever);
  const RawTerminal terminal;
  if (answer.text != "writer") {
    std::fputs("boruta-board: another writes to this console already: you only read\r\n", stderr);
  }
  if (terminal.is_terminal()) std::fputs("boruta-board: the device's console; Ctrl-] leaves it\r\n", stderr);
  const bool ended = carry(connection.fd(), terminal.is_terminal());
  std::fputs(ended ? "\r\nboruta-board: the console ended with the job\r\n" : "\r\n", stderr);
  return kExitOk;
}

int watch_current() {
  for (;;) {
    const auto answer = ask("current");
    if (answer.code != kExitOk) return complain(answer.code, answer.text);
    std::printf("%s mA\n", answer.text.c_str());
    // Nobody reads any more.
    if (std::fflush(stdout) != 0) return kExitOk;
    std::this_thread::sleep_for(std::chrono::seconds(1));
  }
}

/// What is asked of dryad in so many words; empty for what there is not.
std::string wish_of(std::string_view what, std::string_view how) {
  constexpr std::array<std::string_view, 6> kWishes{"power on", "power off", "power cycle",
                                                    "sd host",  "sd dut",    "current"};
  std::string wish(what);
  if (!how.empty()) wish.append(" ").append(how);
  for (const auto known : kWishes) {
    if (wish == known) return wish;
  }
  return {};
}

}  // namespace

int main(int argc, char** argv) {
  const std::string_view what = argc > 1 ? argv[1] : "";
  const std::string_view how = argc > 2 ? argv[2] : "";
  if (what == "--help" || what == "-h" || what == "help") {
    std::fputs(kHelp, stdout);
    return kExitOk;
  }
  (void)std::signal(SIGPIPE, SIG_IGN);
  if (argc == 3 && what == "current" && how == "--watch") return watch_current();
  if (argc == 2 && what == "console") return use_console();
  const auto wish = argc > 3 ? std::string() : wish_of(what, how);
  if (wish.empty()) {
    std::fputs(kHelp, stderr);
    return kExitUsage;
  }
  const auto answer = ask(wish);
  if (answer.code != kExitOk) return complain(answer.code, answer.text);
  if (!answer.text.empty()) std::printf("%s mA\n", answer.text.c_str());
  return kExitOk;
}

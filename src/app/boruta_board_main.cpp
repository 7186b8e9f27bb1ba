// boruta-board: what a job's user calls on the worker to switch the board. Asks dryad over its unix socket, and knows
// nothing itself; links nothing but the C++ library, so that it starts at once.

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
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

constexpr const char* kHelp =
    "Switches the board of the worker that your job runs on.\n"
    "\n"
    "Usage:\n"
    "  boruta-board power on|off|cycle   power of the device under test\n"
    "  boruta-board sd host|dut          the SD card: to this computer, or to the device under test\n"
    "  boruta-board current [--watch]    what the device draws; --watch: every second, until interrupted\n"
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

Answer read_answer(int fd, const std::string& path) {
  std::string line;
  std::array<char, 512> buffer;
  while (line.find('\n') == std::string::npos && line.size() < kAnswerBytes) {
    const ssize_t got = ::read(fd, buffer.data(), buffer.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return no_dryad(path, errno == EAGAIN ? "no answer" : std::strerror(errno));
    if (got == 0) return no_dryad(path, "it ended the connection");
    line.append(buffer.data(), static_cast<std::size_t>(got));
  }
  line.resize(std::min(line.find('\n'), line.size()));
  const auto blank = line.find(' ');
  const std::string rest = blank == std::string::npos ? "" : line.substr(blank + 1);
  const auto word = std::string_view(line).substr(0, blank);
  if (word == "ok") return {kExitOk, rest};
  return {word == "refused" ? kExitRefused : kExitFailed, rest};
}

Answer ask(const std::string& wish) {
  const char* named = std::getenv("BORUTA_BOARD_SOCKET");
  const std::string path = named == nullptr || *named == '\0' ? kSocket : named;
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) return no_dryad(path, "the path is too long");
  path.copy(address.sun_path, path.size());
  const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const timeval limit{kAnswerSeconds, 0};
  ::setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  Answer answer;
  const std::string line = wish + "\n";
  if (::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 ||
      ::send(fd, line.data(), line.size(), MSG_NOSIGNAL) != static_cast<ssize_t>(line.size())) {
    answer = no_dryad(path, std::strerror(errno));
  } else {
    answer = read_answer(fd, path);
  }
  ::close(fd);
  return answer;
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

#include "dryad/serial_port.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <fcntl.h>
#include <poll.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <system_error>
#include <termios.h>
#include <unistd.h>
#include <utility>

#include "dryad/files.hpp"

namespace boruta::dryad {
namespace {

using std::chrono::milliseconds;

/// How soon a stop is noticed.
constexpr milliseconds kStopPoll{50};

struct Speed {
  unsigned baud;
  speed_t code;
};

constexpr std::array kSpeeds{Speed{1200, B1200},     Speed{2400, B2400},     Speed{4800, B4800},
                             Speed{9600, B9600},     Speed{19200, B19200},   Speed{38400, B38400},
                             Speed{57600, B57600},   Speed{115200, B115200}, Speed{230400, B230400},
                             Speed{460800, B460800}, Speed{921600, B921600}, Speed{1500000, B1500000}};

const Speed* find_speed(unsigned baud) {
  const auto* found = std::ranges::find(kSpeeds, baud, &Speed::baud);
  return found == kSpeeds.end() ? nullptr : found;
}

/// Raw, 8N1, no flow control, whatever the modem lines say. False with errno set.
bool set_up(int fd, speed_t speed) {
  termios settings{};
  if (::tcgetattr(fd, &settings) != 0) return false;
  ::cfmakeraw(&settings);
  settings.c_cflag |= CLOCAL | CREAD;
  settings.c_cflag &= ~static_cast<tcflag_t>(CRTSCTS | CSTOPB | PARENB);
  settings.c_cc[VMIN] = 1;
  settings.c_cc[VTIME] = 0;
  if (::cfsetspeed(&settings, speed) != 0) return false;
  return ::tcsetattr(fd, TCSANOW, &settings) == 0 && ::tcflush(fd, TCIOFLUSH) == 0;
}

}  // namespace

bool is_baud(unsigned baud) { return find_speed(baud) != nullptr; }

std::expected<SerialPort, std::string> SerialPort::open(const std::filesystem::path& path, unsigned baud) {
  const auto* speed = find_speed(baud);
  if (speed == nullptr) return std::unexpected(fmt::format("{}: {} is no speed of a serial line", path.native(), baud));
  const int fd = ::open(path.c_str(), O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
  if (fd < 0 && errno == EBUSY) {
    return std::unexpected(
        fmt::format("{}: another program uses it (fuser {} names it)", path.native(), path.native()));
  }
  if (fd < 0) return std::unexpected(errno_text(path, errno));
  SerialPort port(fd, path);
  if (::isatty(fd) == 0) return std::unexpected(fmt::format("{}: not a serial line", path.native()));
  if (::flock(fd, LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK) return std::unexpected(errno_text(path, errno));
    return std::unexpected(
        fmt::format("{}: another program uses it (fuser {} names it)", path.native(), path.native()));
  }
  if (::ioctl(fd, TIOCEXCL) != 0 || !set_up(fd, speed->code)) return std::unexpected(errno_text(path, errno));
  return port;
}

SerialPort::SerialPort(SerialPort&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)), path_(std::move(other.path_)) {}

SerialPort& SerialPort::operator=(SerialPort&& other) noexcept {
  std::swap(fd_, other.fd_);
  std::swap(path_, other.path_);
  return *this;
}

SerialPort::~SerialPort() {
  if (fd_ < 0) return;
  ::ioctl(fd_, TIOCNXCL);
  ::close(fd_);
}

SerialError SerialPort::broken(int error) const {
  if (error == 0) return {SerialFault::kBroken, fmt::format("{}: the line is gone", path_.native())};
  return {SerialFault::kBroken, errno_text(path_, error)};
}

std::expected<void, SerialError> SerialPort::wait_for(short events, Deadline deadline, const std::stop_token& stop) {
  for (;;) {
    if (stop.stop_requested()) return std::unexpected(SerialError{SerialFault::kStopped, "stopped"});
    const auto left = std::chrono::ceil<milliseconds>(deadline - std::chrono::steady_clock::now());
    if (left.count() <= 0) {
      return std::unexpected(SerialError{SerialFault::kTimedOut, fmt::format("{}: no answer", path_.native())});
    }
    pollfd wait{fd_, events, 0};
    const auto slice = std::min(left, kStopPoll);
    if (::poll(&wait, 1, static_cast<int>(slice.count())) < 0 && errno != EINTR) return std::unexpected(broken(errno));
    if ((wait.revents & events) != 0) return {};
    if (wait.revents != 0) return std::unexpected(broken(0));
  }
}

std::expected<void, SerialError> SerialPort::write(std::string_view bytes, Deadline deadline,
                                                   const std::stop_token& stop) {
  while (!bytes.empty()) {
    if (auto ready = wait_for(POLLOUT, deadline, stop); !ready) return ready;
    const ssize_t sent = ::write(fd_, bytes.data(), bytes.size());
    if (sent < 0 && errno != EAGAIN && errno != EINTR) return std::unexpected(broken(errno));
    if (sent > 0) bytes.remove_prefix(static_cast<std::size_t>(sent));
  }
  return {};
}

std::expected<std::string, SerialError> SerialPort::read_some(Deadline deadline, const std::stop_token& stop) {
  for (;;) {
    if (auto ready = wait_for(POLLIN, deadline, stop); !ready) return std::unexpected(ready.error());
    std::array<char, 1024> buffer;
    const ssize_t got = ::read(fd_, buffer.data(), buffer.size());
    if (got > 0) return std::string(buffer.data(), static_cast<std::size_t>(got));
    if (got == 0) return std::unexpected(broken(0));
    if (errno != EAGAIN && errno != EINTR) return std::unexpected(broken(errno));
  }
}

}  // namespace boruta::dryad

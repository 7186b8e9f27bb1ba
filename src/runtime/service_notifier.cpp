#include "runtime/service_notifier.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

namespace boruta::runtime {
namespace {

std::string take_variable(const char* name) {
  const char* value = std::getenv(name);
  std::string text = value == nullptr ? "" : value;
  ::unsetenv(name);
  return text;
}

template <class Number>
std::optional<Number> number_in(std::string_view text) {
  Number number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return number;
}

/// CLOCK_MONOTONIC, by which the manager tells a reload that it asked for from an older one.
std::int64_t monotonic_us() {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  constexpr std::int64_t kPerSecond = 1'000'000;
  return std::int64_t{now.tv_sec} * kPerSecond + now.tv_nsec / 1000;
}

}  // namespace

ServiceNotifier ServiceNotifier::take_environment() {
  auto socket = take_variable("NOTIFY_SOCKET");
  const auto period = number_in<std::int64_t>(take_variable("WATCHDOG_USEC"));
  const auto watched = take_variable("WATCHDOG_PID");
  const bool ours = watched.empty() || number_in<pid_t>(watched) == ::getpid();
  if (socket.empty() || !period || *period <= 0 || !ours) return ServiceNotifier(std::move(socket));
  return ServiceNotifier(std::move(socket), std::chrono::microseconds(*period));
}

void ServiceNotifier::ready() const { send("READY=1"); }

void ServiceNotifier::reloading() const { send(fmt::format("RELOADING=1\nMONOTONIC_USEC={}", monotonic_us())); }

void ServiceNotifier::stopping() const { send("STOPPING=1"); }

void ServiceNotifier::status(std::string_view text) const {
  std::string line(text);
  std::ranges::replace(line, '\n', ' ');
  send("STATUS=" + line);
}

void ServiceNotifier::alive() const { send("WATCHDOG=1"); }

void ServiceNotifier::send(std::string_view text) const {
  sockaddr_un address{};
  const bool fits = socket_.size() > 1 && socket_.size() < sizeof address.sun_path;
  if (!fits || (socket_.front() != '/' && socket_.front() != '@')) return;
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, socket_.data(), socket_.size());
  if (socket_.front() == '@') address.sun_path[0] = '\0';
  const int fd = ::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return;
  const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + socket_.size());
  ::sendto(fd, text.data(), text.size(), MSG_NOSIGNAL | MSG_DONTWAIT, reinterpret_cast<const sockaddr*>(&address),
           size);
  ::close(fd);
}

Task<void> keep_alive(const ServiceNotifier* notifier, Clock* clock) {
  if (!notifier->watchdog()) co_return;
  const auto pause = *notifier->watchdog() / 2;
  for (bool slept = true; slept; slept = co_await sleep_for(*clock, pause)) notifier->alive();
}

}  // namespace boruta::runtime

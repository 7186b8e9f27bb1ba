#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "runtime/clock.hpp"

namespace boruta::runtime {

/// Tells the service manager how this process fares: systemd's notification protocol, datagrams on a Unix socket.
/// Without a service manager every call does nothing. Never blocks: what the manager can't take is lost.
/// Threads: any, once made.
class ServiceNotifier {
 public:
  /// Nobody is told.
  ServiceNotifier() = default;
  /// `socket` is a path, or "@NAME" in the abstract name space. `watchdog`: silence for so long has us killed.
  explicit ServiceNotifier(std::string socket, std::optional<Duration> watchdog = std::nullopt)
      : socket_(std::move(socket)), watchdog_(watchdog) {}

  /// For the manager that the environment names. Its variables are removed, so that no program we run speaks for us:
  /// only before the first thread.
  [[nodiscard]] static ServiceNotifier take_environment();

  /// The start, or a reload, is done.
  void ready() const;
  void reloading() const;
  void stopping() const;
  /// One line for `systemctl status`.
  void status(std::string_view text) const;
  void alive() const;

  /// How often `alive` must be said at least; nothing: not at all.
  [[nodiscard]] std::optional<Duration> watchdog() const { return watchdog_; }

 private:
  void send(std::string_view text) const;

  std::string socket_;
  std::optional<Duration> watchdog_;
};

/// Says `alive` twice as often as needed, on the executor that is to be known alive, until cancelled. Returns at once
/// where no watchdog is. Both outlive the task.
Task<void> keep_alive(const ServiceNotifier* notifier, Clock* clock);

}  // namespace boruta::runtime

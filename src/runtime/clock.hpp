#pragma once

#include <boost/asio/any_io_executor.hpp>

#include <memory>
#include <optional>

#include "base/instant.hpp"
#include "runtime/task.hpp"

namespace boruta::runtime {

/// Waits for an instant of the lease clock. Thread: the executor it was made with.
class Timer {
 public:
  virtual ~Timer() = default;

  /// Sets when the next wait ends; a wait under way ends early with false.
  virtual void expires_at(Instant lease) = 0;
  /// True when the instant has come, false when `cancel`, `expires_at` or the caller's cancellation ended the wait.
  virtual Task<bool> wait() = 0;
  virtual void cancel() = 0;
};

/// Where the time comes from: the system's, or a simulation's.
class Clock {
 public:
  virtual ~Clock() = default;

  [[nodiscard]] virtual Now now() const = 0;
  [[nodiscard]] virtual std::unique_ptr<Timer> make_timer(const asio::any_io_executor& executor) = 0;
};

/// The system's clocks. The lease clock starts at `lease_start` or at wall time, whichever is later, and follows
/// CLOCK_MONOTONIC; wall time never goes below what was once shown.
[[nodiscard]] std::unique_ptr<Clock> make_system_clock(Instant lease_start);

/// Returns after `duration`; false when cancelled before.
Task<bool> sleep_for(Clock& clock, Duration duration);

}  // namespace boruta::runtime

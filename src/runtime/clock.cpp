#include "runtime/clock.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <algorithm>
#include <atomic>
#include <chrono>

namespace boruta::runtime {
namespace {

using Steady = std::chrono::steady_clock;

class SystemTimer final : public Timer {
 public:
  SystemTimer(const asio::any_io_executor& executor, Instant lease_start, Steady::time_point steady_start)
      : timer_(executor), lease_start_(lease_start), steady_start_(steady_start) {}

  void expires_at(Instant lease) override {
    timer_.expires_at(steady_start_ + std::chrono::duration_cast<Steady::duration>(lease - lease_start_));
  }

  Task<bool> wait() override {
    const auto [error] = co_await timer_.async_wait(asio::as_tuple(asio::use_awaitable));
    co_return !error;
  }

  void cancel() override { timer_.cancel(); }

 private:
  asio::steady_timer timer_;
  Instant lease_start_;
  Steady::time_point steady_start_;
};

class SystemClock final : public Clock {
 public:
  explicit SystemClock(Instant lease_start)
      : steady_start_(Steady::now()), lease_start_(std::max(lease_start, wall_time())), highest_wall_(wall_time()) {}

  [[nodiscard]] Now now() const override {
    const auto wall = wall_time();
    auto highest = highest_wall_.load();
    while (highest < wall && !highest_wall_.compare_exchange_weak(highest, wall)) {
    }
    return Now{.wall = std::max(highest, wall), .lease = lease_start_ + (Steady::now() - steady_start_)};
  }

  [[nodiscard]] std::unique_ptr<Timer> make_timer(const asio::any_io_executor& executor) override {
    return std::make_unique<SystemTimer>(executor, lease_start_, steady_start_);
  }

 private:
  static Instant wall_time() { return std::chrono::time_point_cast<Duration>(std::chrono::system_clock::now()); }

  Steady::time_point steady_start_;
  Instant lease_start_;
  mutable std::atomic<Instant> highest_wall_;
};

}  // namespace

std::unique_ptr<Clock> make_system_clock(Instant lease_start) { return std::make_unique<SystemClock>(lease_start); }

Task<bool> sleep_for(Clock& clock, Duration duration) {
  const auto executor = co_await asio::this_coro::executor;
  const auto timer = clock.make_timer(executor);
  timer->expires_at(clock.now().lease + duration);
  co_return co_await timer->wait();
}

}  // namespace boruta::runtime

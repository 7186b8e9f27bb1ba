#include "runtime/clock.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <gtest/gtest.h>

namespace boruta::runtime {
namespace {

using namespace std::chrono_literals;

TEST(SystemClock, StartsItsLeaseClockNoEarlierThanTold) {
  const auto far_ahead = Instant(std::chrono::hours(24) * 365 * 200);
  EXPECT_GE(make_system_clock(far_ahead)->now().lease, far_ahead);
  const auto now = make_system_clock(Instant{})->now();
  EXPECT_LT(now.lease - now.wall, 1s);
}

TEST(SystemClock, NeverGoesBack) {
  const auto clock = make_system_clock(Instant{});
  const auto first = clock->now();
  const auto second = clock->now();
  EXPECT_GE(second.wall, first.wall);
  EXPECT_GE(second.lease, first.lease);
}

Task<void> expire(Clock* clock, Timer* timer, bool* expired) {
  timer->expires_at(clock->now().lease + 2ms);
  *expired = co_await timer->wait();
}

TEST(SystemTimer, ExpiresAtItsInstant) {
  asio::io_context context;
  const auto clock = make_system_clock(Instant{});
  const auto timer = clock->make_timer(context.get_executor());
  bool expired = false;
  const auto before = clock->now().lease;
  asio::co_spawn(context, expire(clock.get(), timer.get(), &expired), asio::detached);
  context.run();
  EXPECT_TRUE(expired);
  EXPECT_GE(clock->now().lease - before, 2ms);
}

}  // namespace
}  // namespace boruta::runtime

#include "farm/loads.hpp"

#include <gtest/gtest.h>

namespace boruta::farm {
namespace {

using namespace std::chrono_literals;

constexpr UserId kAlice{1};
constexpr UserId kBob{2};
constexpr Instant kStart{1'767'268'800s};

TEST(Loads, CountRunningJobsInFullAndEndedOnesLessWithTime) {
  Loads loads(1h);
  EXPECT_EQ(loads.use(kAlice, kStart), 0);
  loads.add_running(kAlice, kStart, 1);
  EXPECT_DOUBLE_EQ(loads.use(kAlice, kStart + 90s), 90);
  loads.add_running(kAlice, kStart + 60s, 1);
  EXPECT_DOUBLE_EQ(loads.use(kAlice, kStart + 90s), 120);
  EXPECT_EQ(loads.running(kAlice), 2U);
  loads.add_running(kAlice, kStart, -1);
  loads.add_running(kAlice, kStart + 60s, -1);
  loads.finish(kAlice, kStart, kStart + 100s);
  EXPECT_NEAR(loads.use(kAlice, kStart + 100s), 100, 1e-6);
  EXPECT_NEAR(loads.use(kAlice, kStart + 100s + 1h), 50, 1e-6);
  EXPECT_NEAR(loads.use(kAlice, kStart + 100s + 2h), 25, 1e-6);
  EXPECT_EQ(loads.use(kBob, kStart + 2h), 0);
}

TEST(Loads, StayExactOverManyHalfLives) {
  Loads loads(1min);
  auto now = kStart;
  for (int day = 0; day < 30; ++day) {
    loads.finish(kAlice, now, now + 60s);
    loads.finish(kBob, now + 60s, now + 120s);
    EXPECT_NEAR(loads.use(kAlice, now + 120s), 30, 1e-3) << day;
    EXPECT_NEAR(loads.use(kBob, now + 120s), 60, 1e-3) << day;
    now += 24h;
  }
}

}  // namespace
}  // namespace boruta::farm

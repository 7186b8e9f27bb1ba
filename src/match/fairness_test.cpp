#include <gtest/gtest.h>

#include "farm/farm_fixture.hpp"

/// Who comes first.
namespace boruta::match {
namespace {

using namespace std::chrono_literals;
using farm::FarmFixture;
using farm::Policy;
using farm::QueueOrder;

Policy fair() {
  Policy policy;
  policy.order = QueueOrder::kFair;
  policy.half_life = 1h;
  policy.claim_within = 0s;
  return policy;
}

/// The job on `worker` ends and the worker takes the next.
void turn_over(FarmFixture& farm, const std::string& worker, RequestId job) {
  EXPECT_EQ(farm.close("root", job), "");
  farm.end_job_ok(worker);
  farm.prepare_ok(worker);
}

TEST(Fairness, ServesWhoUsedLeast) {
  FarmFixture farm(fair());
  farm.make_idle("w");
  const auto first = farm.create("alice");
  farm.grant_ok("w");
  farm.advance(10min);
  const auto more = farm.create("alice");
  const auto other = farm.create("bob");
  turn_over(farm, "w", first);
  EXPECT_EQ(farm.server_of(other), "w") << "bob has used nothing";
  farm.grant_ok("w");
  turn_over(farm, "w", other);
  EXPECT_EQ(farm.server_of(more), "w");
}

TEST(Fairness, CountsWhatRunsAndForgetsWithTime) {
  FarmFixture farm(fair());
  farm.make_idle("w");
  farm.make_idle("x", {{"other", "1"}});
  const auto first = farm.create("alice");
  farm.grant_ok("w");
  farm.advance(20min);
  EXPECT_EQ(farm.close("alice", first), "");
  farm.end_job_ok("w");
  farm.prepare_ok("w");
  farm.advance(2h);  // alice's 20 min count as 5
  const auto running = farm.create("bob", {.caps = {{"other", "1"}}});
  EXPECT_EQ(farm.server_of(running), "x");
  farm.grant_ok("x");
  const auto blocker = farm.create("root");
  EXPECT_EQ(farm.server_of(blocker), "w");
  farm.grant_ok("w");
  farm.advance(10min);
  const auto bobs = farm.create("bob");
  const auto alices = farm.create("alice");
  turn_over(farm, "w", blocker);
  EXPECT_EQ(farm.server_of(alices), "w") << "bob's running job has used more by now";
  EXPECT_EQ(farm.describe(bobs), "WAITING");
}

TEST(Fairness, NeverGoesBeforePriority) {
  FarmFixture farm(fair());
  farm.make_idle("w");
  const auto first = farm.create("alice");
  farm.grant_ok("w");
  farm.advance(10min);
  const auto important = farm.create("alice", {.priority = 2});
  farm.create("bob", {.priority = 3});
  turn_over(farm, "w", first);
  EXPECT_EQ(farm.server_of(important), "w");
}

Policy patient() {
  Policy policy;
  policy.overdue_after = 2h;
  policy.claim_within = 0s;
  return policy;
}

/// A stream of more important requests: whenever the worker is free there is one.
struct Stream {
  FarmFixture& farm;
  RequestId running;

  void next(Duration length) {
    const auto follower = farm.create("bob", {.priority = 1});
    farm.advance(length);
    turn_over(farm, "w", running);
    running = follower;
  }
};

TEST(Starvation, EndsWhenARequestIsOverdue) {
  FarmFixture farm(patient());
  farm.make_idle("w");
  Stream stream{.farm = farm, .running = farm.create("bob", {.priority = 1})};
  farm.grant_ok("w");
  const auto starving = farm.create("alice", {.priority = 16});
  const auto filed = farm.now().wall;
  while (farm.describe(starving) == "WAITING" && farm.now().wall < filed + 12h) {
    stream.next(30min);
    if (farm.describe(starving) == "WAITING") farm.grant_ok("w");
  }
  EXPECT_EQ(farm.server_of(starving), "w");
  EXPECT_TRUE(farm.job(starving).overdue);
  EXPECT_LE(farm.now().wall, filed + 2h + 30min) << "the bound: overdue_after and one job of whoever has the worker";
}

TEST(Starvation, LetsOneOverdueJobOfAnOwnerRunAtATime) {
  FarmFixture farm(patient());
  farm.make_idle("w");
  farm.make_idle("x");
  const auto first = farm.create("root", {.priority = 1});
  const auto second = farm.create("root", {.priority = 1});
  farm.grant_ok("w");
  farm.grant_ok("x");
  const auto old = farm.create("alice", {.priority = 16});
  const auto older_too = farm.create("alice", {.priority = 16});
  farm.advance(30min);
  farm.prolong("root", first);
  farm.prolong("root", second);
  for (int prolonging = 0; prolonging < 4; ++prolonging) {
    farm.advance(30min);
    farm.prolong("root", first);
    farm.prolong("root", second);
  }
  const auto important = farm.create("bob", {.priority = 1});
  turn_over(farm, "w", first);
  EXPECT_EQ(farm.server_of(old), "w");
  turn_over(farm, "x", second);
  EXPECT_EQ(farm.server_of(important), "x") << "alice has her turn already";
  EXPECT_EQ(farm.describe(older_too), "WAITING");
  farm.grant_ok("w");
  turn_over(farm, "w", old);
  EXPECT_EQ(farm.server_of(older_too), "w");
}

TEST(Starvation, CountsWhatNothingServesFromWhenSomethingDoes) {
  FarmFixture farm(patient());
  farm.make_idle("w");
  const auto running = farm.create("root", {.priority = 1});
  farm.grant_ok("w");
  const auto oldest = farm.create("alice", {.caps = {{"board", "rpi5"}}, .priority = 16});
  const auto younger = farm.create("alice", {.priority = 16});
  for (int prolonging = 0; prolonging < 5; ++prolonging) {
    farm.advance(30min);
    farm.prolong("root", running);
  }
  farm.create("bob", {.priority = 1});
  turn_over(farm, "w", running);
  EXPECT_EQ(farm.server_of(younger), "w") << "the older one stands in nobody's way";
  farm.grant_ok("w");

  farm.create("bob", {.caps = {{"board", "rpi5"}}, .priority = 1});
  turn_over(farm, "w", younger);
  farm.make_idle("v", {{"board", "rpi5"}});
  EXPECT_EQ(farm.server_of(oldest), "v");
  EXPECT_TRUE(farm.job(oldest).overdue);
}

TEST(Starvation, BoundCanBeTurnedOff) {
  auto policy = patient();
  policy.overdue_after = 0s;
  FarmFixture farm(policy);
  farm.make_idle("w");
  Stream stream{.farm = farm, .running = farm.create("bob", {.priority = 1})};
  farm.grant_ok("w");
  const auto starving = farm.create("alice", {.priority = 16});
  for (int round = 0; round < 10; ++round) {
    stream.next(30min);
    farm.grant_ok("w");
  }
  EXPECT_EQ(farm.describe(starving), "WAITING");
}

TEST(Requirements, ChooseAmongWorkersAsCapsDo) {
  FarmFixture farm;
  farm.make_idle("small", {{"ram", "2GiB"}});
  farm.make_idle("large", {{"ram", "8GiB"}, {"camera", "yes"}});
  EXPECT_EQ(farm.server_of(farm.create("alice", {.requirements = {"ram>=4GiB"}})), "large");
  const auto avoiding = farm.create("alice", {.requirements = {"UUID!=" + farm.uuid("small").to_string()}});
  EXPECT_EQ(farm.describe(avoiding), "WAITING");
  EXPECT_EQ(farm.server_of(farm.create("alice", {.requirements = {"!camera", "ram in (2GiB)"}})), "small");
  farm.make_idle("third");
  EXPECT_EQ(farm.server_of(avoiding), "third");
}

}  // namespace
}  // namespace boruta::match

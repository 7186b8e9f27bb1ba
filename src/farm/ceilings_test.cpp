#include "farm/ceilings.hpp"

#include <gtest/gtest.h>

#include "farm/farm_fixture.hpp"

namespace boruta::farm {
namespace {

using namespace std::chrono_literals;

void limit_user(FarmFixture& farm, const std::string& name, Ceilings ceilings) {
  EXPECT_EQ(farm.act("root", SetUserCeilings{.name = name, .ceilings = ceilings}), "");
}

void limit_group(FarmFixture& farm, const std::string& group, Ceilings ceilings) {
  EXPECT_EQ(farm.act("root", SetGroupCeilings{.group = group, .ceilings = ceilings}), "");
}

void put_in(FarmFixture& farm, const std::string& name, Groups groups) {
  EXPECT_EQ(farm.act("root", SetUserGroups{.name = name, .groups = std::move(groups)}), "");
}

TEST(Ceilings, RefuseAPriorityThatIsTooHighAndSayWhose) {
  FarmFixture farm;
  limit_user(farm, "alice", {.priority = Priority{4}});
  EXPECT_EQ(farm.try_create("alice", {.priority = 3}),
            "Priority is 3, which is more important than alice may ask for: 4 to 16 are allowed");
  const auto id = farm.create("alice", {.priority = 4});
  EXPECT_NE(farm.act("alice", UpdateRequest{.id = id, .priority = 1}), "");
  EXPECT_EQ(farm.act("root", UpdateRequest{.id = id, .priority = 1}), "") << "admins may";
  put_in(farm, "alice", {"kernel"});
  limit_group(farm, "kernel", {.priority = Priority{8}});
  EXPECT_EQ(farm.try_create("alice", {.priority = 7}),
            "Priority is 7, which is more important than group kernel may ask for: 8 to 16 are allowed");
  farm.create("bob", {.priority = 1});
}

TEST(Ceilings, RefuseMoreWaitingRequestsThanAllowed) {
  FarmFixture farm;
  limit_user(farm, "alice", {.waiting = 2});
  farm.create("alice");
  const auto second = farm.create("alice");
  EXPECT_EQ(farm.try_create("alice", {}),
            "alice has 2 requests waiting, at most 2 are allowed: close some, or wait until they are served");
  farm.close("alice", second);
  farm.create("alice");
}

TEST(Ceilings, LetWhatIsBeyondWaitUntilAJobEnds) {
  FarmFixture farm;
  farm.make_idle("w");
  farm.make_idle("x");
  farm.make_idle("y");
  limit_user(farm, "alice", {.running = 1});
  const auto first = farm.create("alice");
  const auto second = farm.create("alice", {.priority = 1});
  const auto third = farm.create("alice");
  EXPECT_EQ(farm.server_of(first), "w");
  EXPECT_EQ(farm.describe(second), "WAITING");
  EXPECT_EQ(farm.server_of(farm.create("bob")), "x") << "others are served meanwhile";
  farm.close("alice", first);
  EXPECT_EQ(farm.server_of(second), "y");
  EXPECT_EQ(farm.describe(third), "WAITING");
  limit_user(farm, "alice", {});
  farm.end_job_ok("w");
  farm.prepare_ok("w");
  EXPECT_EQ(farm.server_of(third), "w");
}

TEST(Ceilings, OfAGroupCountAllItsMembers) {
  FarmFixture farm;
  for (const auto* name : {"w", "x", "y"}) farm.make_idle(name);
  put_in(farm, "alice", {"kernel"});
  put_in(farm, "bob", {"kernel"});
  limit_group(farm, "kernel", {.running = 1});
  const auto first = farm.create("alice");
  const auto second = farm.create("bob");
  EXPECT_EQ(farm.describe(second), "WAITING");
  const auto reached = reached_running_ceiling(farm.farm(), farm.user("bob"));
  ASSERT_TRUE(reached);
  EXPECT_EQ(reached->group, "kernel");
  EXPECT_EQ(reached->reached, 1U);
  limit_group(farm, "kernel", {.running = 2});
  EXPECT_EQ(farm.server_of(second), "x");
  const auto third = farm.create("alice");
  EXPECT_EQ(farm.describe(third), "WAITING");
  put_in(farm, "alice", {});
  EXPECT_EQ(farm.server_of(third), "y") << "who leaves the group leaves its ceiling";
  farm.close("alice", first);
}

TEST(Ceilings, AreSetByAdminsWithinBounds) {
  FarmFixture farm;
  EXPECT_EQ(farm.act("alice", SetUserCeilings{.name = "alice", .ceilings = {.running = 9}}),
            "only admins may do this, and alice is none");
  EXPECT_EQ(farm.act("alice", SetGroupCeilings{.group = "g", .ceilings = {}}),
            "only admins may do this, and alice is none");
  EXPECT_EQ(farm.act("root", SetUserCeilings{.name = "alice", .ceilings = {.priority = Priority{17}}}),
            "invalid request: Priority is 17, a ceiling from 1 to 16 is allowed");
  EXPECT_NE(farm.act("root", SetGroupCeilings{.group = "a b", .ceilings = {}}), "");
  EXPECT_NE(farm.act("root", SetUserCeilings{.name = "nobody", .ceilings = {}}), "");
}

TEST(Ceilings, OutliveARestart) {
  FarmFixture farm;
  farm.make_idle("w");
  farm.make_idle("x");
  limit_user(farm, "alice", {.running = 1});
  farm.create("alice");
  const auto second = farm.create("alice");
  farm.restart();
  farm.reconnect("x");
  EXPECT_EQ(farm.describe(second), "WAITING");
}

}  // namespace
}  // namespace boruta::farm

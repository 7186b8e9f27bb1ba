#include <gtest/gtest.h>

#include "farm/farm_fixture.hpp"

/// Which worker serves which request.
namespace boruta::match {
namespace {

using namespace std::chrono_literals;
using farm::FarmFixture;
using farm::Policy;
using farm::WorkerState;

/// Every worker of these is registered in this order, and becomes idle in this order too.
void make_idle(FarmFixture& farm, const std::vector<std::pair<std::string, Capabilities>>& workers) {
  for (const auto& [name, caps] : workers) farm.make_idle(name, caps);
}

TEST(Choice, TakesTheWorkerWithTheLeastSurplus) {
  FarmFixture farm;
  make_idle(farm, {{"rich", {{"board", "rpi4"}, {"camera", "yes"}, {"relay", "yes"}}},
                   {"plain", {{"board", "rpi4"}}},
                   {"camera", {{"board", "rpi4"}, {"camera", "yes"}}}});
  EXPECT_EQ(farm.server_of(farm.create("alice", {.caps = {{"board", "rpi4"}}})), "plain");
  EXPECT_EQ(farm.server_of(farm.create("alice", {.caps = {{"board", "rpi4"}}})), "camera");
  EXPECT_EQ(farm.server_of(farm.create("alice", {.caps = {{"board", "rpi4"}}})), "rich");
}

TEST(Choice, CountsGroupsToTheSurplusButNotUuidAndName) {
  FarmFixture farm;
  farm.act("root", farm::SetUserGroups{.name = "alice", .groups = {"lab"}});
  make_idle(farm, {{"grouped", {}}, {"named", {{"name", "desk"}}}});
  farm.set_groups("grouped", Groups{"lab"});
  EXPECT_EQ(surplus_of(farm.worker("grouped")), 1U);
  EXPECT_EQ(surplus_of(farm.worker("named")), 0U);
  EXPECT_EQ(farm.server_of(farm.create("alice")), "named");
  EXPECT_EQ(farm.server_of(farm.create("alice")), "grouped");
}

TEST(Choice, BreaksTiesByTheLongestIdle) {
  FarmFixture farm;
  make_idle(farm, {{"first", {}}, {"second", {}}, {"third", {{"serial", "115200"}}}});
  const auto job = farm.create("alice");
  EXPECT_EQ(farm.server_of(job), "first");
  farm.close("alice", job);
  farm.end_job_ok("first");
  farm.prepare_ok("first");
  EXPECT_EQ(farm.server_of(farm.create("alice")), "second");
  EXPECT_EQ(farm.server_of(farm.create("alice")), "first");
}

TEST(Choice, KeepsTheIdleTimeOverAReconnectAndAcrossClasses) {
  FarmFixture farm;
  make_idle(farm, {{"a", {{"x", "1"}}}, {"b", {{"y", "1"}}}});
  farm.disconnect("a");
  farm.reconnect("a");
  EXPECT_EQ(farm.server_of(farm.create("alice")), "a");
}

TEST(Choice, AsksForCapsExactly) {
  FarmFixture farm;
  make_idle(farm, {{"w", {{"board", "rpi4"}, {"ram", "4GiB"}}}});
  const std::vector<std::pair<Capabilities, bool>> table{{{{"board", "rpi4"}}, true},
                                                         {{{"board", "rpi4"}, {"ram", "4GiB"}}, true},
                                                         {{}, true},
                                                         {{{"board", "RPI4"}}, false},
                                                         {{{"Board", "rpi4"}}, false},
                                                         {{{"board", "rpi"}}, false},
                                                         {{{"board", ""}}, false},
                                                         {{{"board", "rpi4"}, {"camera", "yes"}}, false}};
  for (const auto& [caps, served] : table) {
    const auto id = farm.create("alice", {.caps = caps});
    EXPECT_EQ(farm.server_of(id) == "w", served) << format_caps(caps);
    farm.close("alice", id);
    if (!served) continue;
    farm.end_job_ok("w");
    farm.prepare_ok("w");
  }
}

TEST(Choice, LetsGroupsInWhoSharesOneAndAdminsAndEverybodyWithoutAccessControl) {
  struct Row {
    std::string owner;
    Groups owner_groups;
    std::optional<Groups> worker_groups;
    bool served;
  };
  const std::vector<Row> table{{"alice", {}, std::nullopt, true},
                               {"alice", {}, Groups{}, true},
                               {"alice", {"lab"}, std::nullopt, true},
                               {"alice", {}, Groups{"lab"}, false},
                               {"alice", {"office"}, Groups{"lab"}, false},
                               {"alice", {"lab"}, Groups{"lab"}, true},
                               {"alice", {"a", "lab"}, Groups{"lab", "z"}, true},
                               {"root", {}, Groups{"lab"}, true}};
  for (const auto& row : table) {
    for (const bool access_control : {true, false}) {
      FarmFixture farm(Policy{.access_control = access_control});
      farm.make_idle("w");
      farm.set_groups("w", row.worker_groups);
      farm.act("root", farm::SetUserGroups{.name = row.owner, .groups = row.owner_groups});
      EXPECT_EQ(farm.server_of(farm.create(row.owner)), row.served || !access_control ? "w" : "");
    }
  }
}

TEST(Choice, FindsWorkersByUuidAndName) {
  FarmFixture farm;
  make_idle(farm, {{"a", {{"name", "desk"}, {"board", "rpi4"}}}, {"b", {{"name", "shelf"}}}, {"c", {}}});
  const auto served = [&farm](const Capabilities& caps) {
    const auto id = farm.create("alice", {.caps = caps});
    const auto name = farm.server_of(id);
    farm.close("alice", id);
    if (name.empty()) return name;
    farm.end_job_ok(name);
    farm.prepare_ok(name);
    return name;
  };
  const auto uuid = [&farm](const std::string& name) { return farm.uuid(name).to_string(); };
  EXPECT_EQ(served({{"UUID", uuid("a")}}), "a");
  EXPECT_EQ(served({{"UUID", uuid("c")}}), "c");
  EXPECT_EQ(served({{"name", "shelf"}}), "b");
  EXPECT_EQ(served({{"name", "desk"}, {"board", "rpi4"}}), "a");
  EXPECT_EQ(served({{"name", "desk"}, {"UUID", uuid("a")}}), "a");
  EXPECT_EQ(served({{"name", "desk"}, {"UUID", uuid("b")}}), "");
  EXPECT_EQ(served({{"name", "shelf"}, {"board", "rpi4"}}), "");
  EXPECT_EQ(served({{"name", "cellar"}}), "");
  EXPECT_EQ(served({{"name", ""}}), "");
  EXPECT_EQ(served({{"name", ""}, {"UUID", uuid("c")}}), "");
  EXPECT_EQ(served({{"UUID", "nonsense"}}), "");
}

TEST(Choice, TakesAnEmptyNameForWhatItIs) {
  FarmFixture farm;
  make_idle(farm, {{"w", {{"name", ""}}}});
  EXPECT_EQ(farm.server_of(farm.create("alice", {.caps = {{"name", ""}}})), "w");
}

TEST(Choice, FollowsANameToTheWorkerThatHasItNow) {
  FarmFixture farm;
  make_idle(farm, {{"a", {{"name", "desk"}}}, {"b", {{"name", "shelf"}}}});
  const auto waiting = farm.create("alice", {.caps = {{"name", "cellar"}}});
  EXPECT_EQ(farm.server_of(waiting), "");
  farm.agent("b").caps["name"] = "cellar";
  farm.reconnect("b");
  farm.maintenance_ok("b");
  farm.set_state("b", WorkerState::kIdle);
  farm.prepare_ok("b");
  EXPECT_EQ(farm.server_of(waiting), "b");
  EXPECT_EQ(farm.server_of(farm.create("alice", {.caps = {{"name", "shelf"}}})), "");
}

TEST(Choice, TakesTheBestOfSeveralWithOneName) {
  FarmFixture farm;
  make_idle(farm, {{"a", {{"name", "desk"}, {"board", "rpi4"}}}, {"b", {{"name", "desk"}}}});
  EXPECT_EQ(farm.server_of(farm.create("alice", {.caps = {{"name", "desk"}}})), "b");
}

TEST(Queue, GoesByPriorityAndThenById) {
  FarmFixture farm;
  const auto low = farm.create("alice", {.caps = {}, .priority = 16});
  const auto first = farm.create("alice", {.caps = {}, .priority = 8});
  const auto second = farm.create("bob", {.caps = {}, .priority = 8});
  const auto high = farm.create("bob", {.caps = {{"board", "rpi4"}}, .priority = 1});
  for (const auto expected : {high, first, second, low}) {
    EXPECT_EQ(farm.server_of(expected), "");
    farm.make_idle("worker of " + std::to_string(expected.value), {{"board", "rpi4"}});
    EXPECT_NE(farm.server_of(expected), "");
  }
}

TEST(Queue, FollowsAnUpdateOfPriority) {
  FarmFixture farm;
  const auto first = farm.create("alice", {.caps = {}, .priority = 8});
  const auto second = farm.create("alice", {.caps = {}, .priority = 8});
  farm.act("alice", farm::UpdateRequest{.id = second, .priority = 7});
  farm.make_idle("w");
  EXPECT_EQ(farm.server_of(second), "w");
  EXPECT_EQ(farm.describe(first), "WAITING");
}

TEST(Queue, PinnedRequestsCompeteByTheSameOrder) {
  FarmFixture farm;
  const auto any = farm.create("alice", {.caps = {}, .priority = 8});
  const auto pinned = farm.create("alice", {.caps = {{"name", "desk"}}, .priority = 8});
  farm.make_idle("w", {{"name", "desk"}});
  EXPECT_EQ(farm.server_of(any), "w");
  EXPECT_EQ(farm.describe(pinned), "WAITING");
  farm.act("alice", farm::UpdateRequest{.id = pinned, .priority = 1});
  const auto later = farm.create("alice", {.caps = {}, .priority = 2});
  farm.close("alice", any);
  farm.end_job_ok("w");
  farm.prepare_ok("w");
  EXPECT_EQ(farm.server_of(pinned), "w");
  EXPECT_EQ(farm.describe(later), "WAITING");
}

TEST(Queue, ValidAfterKeepsItsPlaceAndIsReadyExactlyThen) {
  FarmFixture farm;
  const auto early = farm.create("alice", {.caps = {}, .valid_in = 1h});
  const auto late = farm.create("alice");
  farm.make_idle("w");
  EXPECT_EQ(farm.server_of(late), "w") << "the earlier one is not ready";
  const auto third = farm.create("alice");
  farm.grant_ok("w");
  farm.acquire("alice", late);
  farm.advance(1h - 1ns);
  farm.close("alice", late);
  farm.end_job_ok("w");
  farm.advance(1ns);
  farm.prepare_ok("w");
  EXPECT_EQ(farm.server_of(early), "w") << "it kept its place before the third";
  EXPECT_EQ(farm.describe(third), "WAITING");
}

TEST(Queue, ReadyRequestIsServedTheMomentItIsReady) {
  FarmFixture farm;
  farm.make_idle("w");
  const auto id = farm.create("alice", {.caps = {}, .valid_in = 1h});
  EXPECT_EQ(farm.next_deadline().wall, farm.now().wall + 1h);
  farm.advance(1h - 1ns);
  EXPECT_EQ(farm.describe(id), "WAITING");
  farm.advance(1ns);
  EXPECT_EQ(farm.server_of(id), "w");
}

TEST(Queue, ValidAfterMovesBothWays) {
  FarmFixture farm;
  const auto id = farm.create("alice", {.caps = {}, .valid_in = 1h});
  const auto move_to = [&](Duration by) {
    farm.act("alice", farm::UpdateRequest{.id = id, .valid_after = WallTime{.at = farm.now().wall + by}});
  };
  move_to(0s);
  EXPECT_EQ(farm.matcher().standing(farm.farm(), id, farm.now()).position, 1U);
  move_to(2h);
  farm.make_idle("w");
  EXPECT_EQ(farm.describe(id), "WAITING");
  move_to(0s);
  EXPECT_EQ(farm.server_of(id), "w");
}

TEST(Ports, NothingIsMatchedWithoutAFreeOne) {
  FarmFixture farm(Policy{.first_tunnel_port = 40000, .last_tunnel_port = 40000});
  make_idle(farm, {{"a", {}}, {"b", {}}});
  const auto first = farm.create("alice");
  const auto second = farm.create("alice");
  EXPECT_EQ(farm.server_of(first), "a");
  EXPECT_EQ(farm.describe(second), "WAITING");
  EXPECT_EQ(farm.farm().free_tunnel_port(), std::nullopt);
  farm.close("alice", first);
  EXPECT_EQ(farm.server_of(second), "b");
}

TEST(Start, TellsTheAgentsTimesAndGoesOneGenerationOn) {
  FarmFixture farm;
  farm.make_idle("w");
  const auto generation = farm.worker("w").generation;
  const auto id = farm.create("alice", {.caps = {}, .lease = 5min, .claim_within = 1min});
  const auto now = farm.now().lease;
  EXPECT_EQ(farm.worker("w").generation, Generation{generation.value + 1});
  EXPECT_EQ(farm.worker("w").respond_by, now + 30s);
  const farm::Job expected{.worker = farm.uuid("w"),
                           .started = farm.now().wall,
                           .timeout = now + 5min,
                           .timeout_max = now + 24h,
                           .claim_by = now + 1min,
                           .paused_since = std::nullopt,
                           .tunnel_port = 30000};
  EXPECT_EQ(farm.job(id), expected);
}

}  // namespace
}  // namespace boruta::match

#include <gtest/gtest.h>

#include "farm/farm_fixture.hpp"

/// Which requests become INVALID and when, where they stand, and that the index forgets what nobody uses.
namespace boruta::match {
namespace {

using namespace std::chrono_literals;
using farm::FarmFixture;
using farm::Policy;

constexpr const char* kInvalid = "INVALID: no registered worker could serve it any more";

const Capabilities kRpi{{"board", "rpi4"}};

void set_user_groups(FarmFixture& farm, const std::string& name, Groups groups) {
  EXPECT_EQ(farm.act("root", farm::SetUserGroups{.name = name, .groups = std::move(groups)}), "");
}

TEST(Invalid, FollowsWhenTheLastWorkerThatCouldServeIsGoneForFiveMinutes) {
  const std::vector<std::function<void(FarmFixture&)>> losses{
      [](FarmFixture& farm) { farm.deregister("w"); },
      [](FarmFixture& farm) {
        farm.agent("w").caps["board"] = "rpi5";
        farm.reconnect("w");
        farm.maintenance_ok("w");
      },
      [](FarmFixture& farm) { farm.set_groups("w", Groups{"lab"}); }};
  for (const auto& lose : losses) {
    for (const auto& caps : {kRpi, Capabilities{{"board", "rpi4"}, {"name", "desk"}}}) {
      SCOPED_TRACE(format_caps(caps));
      FarmFixture farm;
      farm.register_worker("w", {{"board", "rpi4"}, {"name", "desk"}});
      const auto id = farm.create("alice", {.caps = caps});
      const auto later = farm.create("alice", {.caps = caps, .valid_in = 24h});
      lose(farm);
      EXPECT_TRUE(farm.request(id).was_servable);
      farm.advance(5min - 1ns);
      EXPECT_EQ(farm.describe(id), "WAITING");
      farm.advance(1ns);
      EXPECT_EQ(farm.describe(id), kInvalid);
      EXPECT_EQ(farm.describe(later), kInvalid);
    }
  }
}

TEST(Invalid, FollowsWhenTheOwnerLosesItsGroup) {
  FarmFixture farm;
  set_user_groups(farm, "alice", {"lab"});
  farm.register_worker("w", kRpi);
  farm.set_groups("w", Groups{"lab"});
  const auto id = farm.create("alice", {.caps = kRpi});
  set_user_groups(farm, "alice", {"office"});
  farm.advance(5min - 1ns);
  EXPECT_EQ(farm.describe(id), "WAITING");
  farm.advance(1ns);
  EXPECT_EQ(farm.describe(id), kInvalid);
}

TEST(Invalid, GivesARequestThatJoinsOthersItsOwnFiveMinutes) {
  FarmFixture farm;
  set_user_groups(farm, "alice", {"lab"});
  farm.register_worker("w", kRpi);
  farm.register_worker("bobs", kRpi);
  farm.set_groups("w", Groups{"lab"});
  const auto own = farm.create("alice", {.caps = kRpi});
  farm.set_groups("bobs", std::nullopt);
  const auto others = farm.create("bob", {.caps = kRpi});
  farm.deregister("bobs");
  farm.advance(3min);
  set_user_groups(farm, "alice", {});
  farm.advance(2min);
  EXPECT_EQ(farm.describe(others), kInvalid);
  EXPECT_EQ(farm.describe(own), "WAITING");
  farm.advance(3min - 1ns);
  EXPECT_EQ(farm.describe(own), "WAITING");
  farm.advance(1ns);
  EXPECT_EQ(farm.describe(own), kInvalid);
}

TEST(Invalid, FollowsAlsoAmongOthersThatNothingEverServed) {
  FarmFixture farm;
  set_user_groups(farm, "alice", {"lab"});
  farm.register_worker("w", kRpi);
  farm.set_groups("w", Groups{"lab"});
  const auto never = farm.create("bob", {.caps = kRpi});
  const auto once = farm.create("alice", {.caps = kRpi});
  farm.advance(1h);
  set_user_groups(farm, "alice", {});
  farm.advance(5min);
  EXPECT_EQ(farm.describe(once), kInvalid);
  EXPECT_EQ(farm.describe(never), "WAITING");
}

TEST(Invalid, IsAtOnceWithZero) {
  FarmFixture farm(Policy{.invalid_after = 0s});
  farm.register_worker("w");
  const auto id = farm.create("alice");
  const auto never = farm.create("alice", {.caps = kRpi});
  farm.deregister("w");
  EXPECT_EQ(farm.last_events(), "worker deregistered, requests servable, request ended");
  EXPECT_EQ(farm.describe(id), kInvalid);
  EXPECT_EQ(farm.describe(never), "WAITING");
}

TEST(Invalid, NeverFollowsWhileAWorkerIsRegistered) {
  for (const auto* situation : {"MAINTENANCE", "MAINTENANCE lost", "MAINTENANCE untold", "BUSY away", "FAILED",
                                "FAILED lost", "FAILED lost dirty", "PREPARE away", "IDLE away"}) {
    SCOPED_TRACE(situation);
    FarmFixture farm;
    farm.bring(situation);
    const auto id = farm.create("alice");
    farm.advance(24h);
    EXPECT_EQ(farm.describe(id), "WAITING");
  }
}

TEST(Invalid, NeverFollowsForWhatNoWorkerEverServed) {
  FarmFixture farm;
  farm.register_worker("w");
  const auto id = farm.create("alice", {.caps = kRpi});
  farm.deregister("w");
  farm.advance(24h);
  EXPECT_EQ(farm.describe(id), "WAITING");
  EXPECT_FALSE(farm.request(id).was_servable);
}

TEST(Invalid, IsAvertedByAWorkerThatComesInTimeAndItsLossCountsAnew) {
  FarmFixture farm;
  farm.register_worker("w", kRpi);
  const auto id = farm.create("alice", {.caps = kRpi});
  farm.deregister("w");
  farm.advance(5min - 1ns);
  farm.register_worker("x", kRpi);
  farm.advance(1h);
  EXPECT_EQ(farm.describe(id), "WAITING");
  farm.deregister("x");
  farm.advance(5min - 1ns);
  EXPECT_EQ(farm.describe(id), "WAITING");
  farm.advance(1ns);
  EXPECT_EQ(farm.describe(id), kInvalid);
}

TEST(Invalid, SparesARequestFiledAfterTheLastWorkerWent) {
  FarmFixture farm;
  farm.register_worker("w", kRpi);
  const auto before = farm.create("alice", {.caps = kRpi});
  farm.deregister("w");
  const auto after = farm.create("alice", {.caps = kRpi});
  farm.advance(1h);
  EXPECT_EQ(farm.describe(before), kInvalid);
  EXPECT_EQ(farm.describe(after), "WAITING");
}

TEST(Invalid, StartsItsTimeAnewWithTheServer) {
  FarmFixture farm;
  farm.register_worker("w", kRpi);
  const auto id = farm.create("alice", {.caps = kRpi});
  farm.deregister("w");
  farm.advance(4min);
  farm.restart(1h);
  farm.advance(5min - 1ns);
  EXPECT_EQ(farm.describe(id), "WAITING");
  farm.advance(1ns);
  EXPECT_EQ(farm.describe(id), kInvalid);
}

TEST(Invalid, LeavesTheTimeRunningWhenGroupsChangeNothing) {
  FarmFixture farm;
  farm.register_worker("w", kRpi);
  const auto id = farm.create("root", {.caps = kRpi});
  farm.deregister("w");
  farm.advance(4min);
  farm.act("server", farm::SetUserGroups{.name = "root", .groups = {"lab"}});
  farm.advance(1min);
  EXPECT_EQ(farm.describe(id), kInvalid);
}

void expect_standing(const FarmFixture& farm, RequestId id, Standing expected) {
  const auto standing = farm.matcher().standing(farm.farm(), id, farm.now());
  EXPECT_EQ(standing.position, expected.position) << id.value;
  EXPECT_EQ(standing.competing, expected.competing) << id.value;
  EXPECT_EQ(standing.fits, expected.fits) << id.value;
  EXPECT_EQ(standing.fits_idle, expected.fits_idle) << id.value;
}

TEST(Standing, CountsThoseThatShareAWorker) {
  FarmFixture farm;
  farm.register_worker("rpi", kRpi);
  farm.register_worker("odroid", {{"board", "odroid"}});
  const auto rpi = farm.create("alice", {.caps = kRpi});
  const auto odroid = farm.create("alice", {.caps = {{"board", "odroid"}}});
  const auto any = farm.create("bob");
  const auto urgent = farm.create("bob", {.caps = kRpi, .priority = 1});
  const auto none = farm.create("bob", {.caps = {{"board", "vax"}}});
  expect_standing(farm, rpi, {.position = 2, .competing = 3, .fits = 1});
  expect_standing(farm, odroid, {.position = 1, .competing = 2, .fits = 1});
  expect_standing(farm, any, {.position = 4, .competing = 4, .fits = 2});
  expect_standing(farm, urgent, {.position = 1, .competing = 3, .fits = 1});
  expect_standing(farm, none, {.position = 1, .competing = 1});
}

TEST(Standing, CountsRequestsThatNameAWorkerOnBothSides) {
  FarmFixture farm;
  farm.register_worker("w", {{"name", "desk"}});
  farm.register_worker("x", {{"name", "shelf"}});
  const auto desk = farm.create("alice", {.caps = {{"name", "desk"}}});
  const auto shelf = farm.create("alice", {.caps = {{"name", "shelf"}}});
  const auto any = farm.create("alice");
  const auto uuid = farm.create("alice", {.caps = {{"UUID", farm.uuid("w").to_string()}}});
  expect_standing(farm, desk, {.position = 1, .competing = 3, .fits = 1});
  expect_standing(farm, shelf, {.position = 1, .competing = 2, .fits = 1});
  expect_standing(farm, any, {.position = 3, .competing = 4, .fits = 2});
  expect_standing(farm, uuid, {.position = 3, .competing = 3, .fits = 1});
}

TEST(Standing, CountsAFreeWorkerForARequestThatIsNotReadyYet) {
  FarmFixture farm;
  farm.make_idle("w");
  farm.register_worker("x");
  const auto later = farm.create("alice", {.caps = {}, .valid_in = 1h});
  expect_standing(farm, later, {.position = 1, .competing = 1, .fits = 2, .fits_idle = 1});
  const auto pinned = farm.create("alice", {.caps = {{"UUID", farm.uuid("w").to_string()}}, .valid_in = 1h});
  expect_standing(farm, pinned, {.position = 1, .competing = 1, .fits = 1, .fits_idle = 1});
}

TEST(Standing, OfARequestNotFiledYetCountsWhatFits) {
  FarmFixture farm;
  farm.make_idle("w", kRpi);
  farm.register_worker("x", kRpi);
  farm.register_worker("y");
  farm.set_groups("x", Groups{"lab"});
  const auto count = [&farm](std::string_view owner) {
    const Ask ask{.demand = std::make_shared<const Demand>(Demand{.caps = kRpi, .requirements = {}}),
                  .owner = farm.user(owner),
                  .priority = {},
                  .valid_after = farm.now().wall,
                  .id = std::nullopt};
    const auto standing = farm.matcher().competition(farm.farm(), ask, farm.now()).standing;
    return std::pair(standing.fits, standing.fits_idle);
  };
  EXPECT_EQ(count("alice"), std::pair(std::size_t{1}, std::size_t{1}));
  EXPECT_EQ(count("root"), std::pair(std::size_t{2}, std::size_t{1}));
}

TEST(Index, SharesSignaturesAndClassesAndForgetsThemWithTheirLastUser) {
  FarmFixture farm;
  const auto& matcher = farm.matcher();
  farm.register_worker("w", {{"board", "rpi4"}, {"name", "desk"}});
  farm.register_worker("x", {{"board", "rpi4"}, {"name", "shelf"}});
  EXPECT_EQ(matcher.class_count(), 1U) << "UUID and name apart they offer the same";
  farm.set_groups("x", Groups{"lab"});
  EXPECT_EQ(matcher.class_count(), 2U);
  std::vector<RequestId> requests{farm.create("alice", {.caps = kRpi}), farm.create("bob", {.caps = kRpi})};
  EXPECT_EQ(matcher.signature_count(), 1U) << "the same needs and groups";
  requests.push_back(farm.create("root", {.caps = kRpi}));
  requests.push_back(farm.create("alice"));
  requests.push_back(farm.create("alice", {.caps = {{"name", "desk"}}, .valid_in = 1h}));
  requests.push_back(farm.create("alice", {.caps = {{"UUID", farm.uuid("x").to_string()}}}));
  EXPECT_EQ(matcher.signature_count(), 5U);
  set_user_groups(farm, "bob", {"lab"});
  EXPECT_EQ(matcher.signature_count(), 6U);
  for (const auto id : requests) farm.close("root", id);
  EXPECT_EQ(matcher.signature_count(), 0U);
  farm.deregister("w");
  farm.deregister("x");
  EXPECT_EQ(matcher.class_count(), 0U);
  EXPECT_EQ(farm.next_deadline().lease, std::nullopt) << "no clock towards INVALID is left";
}

TEST(Index, ForgetsSignaturesOfRequestsThatRunTimeOutOrAreInvalid) {
  FarmFixture farm;
  farm.make_idle("w");
  farm.create("alice");
  farm.create("alice", {.caps = kRpi, .deadline_in = 1min});
  farm.register_worker("x", {{"board", "vax"}});
  farm.create("alice", {.caps = {{"board", "vax"}}});
  farm.deregister("x");
  EXPECT_EQ(farm.matcher().signature_count(), 2U);
  farm.advance(5min);
  EXPECT_EQ(farm.matcher().signature_count(), 0U);
}

}  // namespace
}  // namespace boruta::match

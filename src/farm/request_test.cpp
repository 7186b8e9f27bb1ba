#include <gtest/gtest.h>

#include "farm/farm_fixture.hpp"

/// Requests: who may do what to them in which state, and what becomes of them.
namespace boruta::farm {
namespace {

using namespace std::chrono_literals;

constexpr const char* kWrongState = "invalid request: action cannot be executed in current state";
constexpr const char* kNotAssigned = "invalid request: worker not assigned";
constexpr const char* kNotFound = "Request not found";
constexpr const char* kNotYours = "request 1 belongs to alice, only its owner and admins may do this";

/// Brings request 1 of alice into `state`.
void bring_request(FarmFixture& farm, RequestState state) {
  switch (state) {
    case RequestState::kWaiting:
      farm.create("alice");
      return;
    case RequestState::kInProgress:
      farm.bring("RUNNING");
      return;
    case RequestState::kCancelled:
      farm.create("alice");
      farm.close("alice", RequestId{1});
      return;
    case RequestState::kTimeout:
      farm.create("alice", {.caps = {}, .deadline_in = 1min});
      farm.advance(1min);
      return;
    case RequestState::kInvalid:
      farm.register_worker("w");
      farm.create("alice");
      farm.deregister("w");
      farm.advance(5min);
      return;
    case RequestState::kDone:
      farm.bring("RUNNING");
      farm.close("alice", RequestId{1});
      return;
    case RequestState::kFailed:
      farm.bring("FAILED dirty");
      return;
  }
}

constexpr std::array kStates{RequestState::kWaiting, RequestState::kInProgress, RequestState::kCancelled,
                             RequestState::kTimeout, RequestState::kInvalid,    RequestState::kDone,
                             RequestState::kFailed};

/// Does `what` as alice in every state; `expected` in the order of kStates.
void expect_in_states(const std::function<std::string(FarmFixture&)>& what, const std::vector<std::string>& refusals) {
  ASSERT_EQ(refusals.size(), kStates.size());
  for (std::size_t place = 0; place < kStates.size(); ++place) {
    SCOPED_TRACE(to_string(kStates.at(place)));
    FarmFixture farm;
    bring_request(farm, kStates.at(place));
    ASSERT_EQ(farm.request(RequestId{1}).state, kStates.at(place));
    const auto before = farm.request(RequestId{1});
    EXPECT_EQ(what(farm), refusals[place]);
    if (!refusals[place].empty()) {
      EXPECT_EQ(farm.last_events(), "");
      EXPECT_TRUE(farm.request(RequestId{1}) == before);
    }
  }
}

TEST(Request, IsUpdatedInWaitingAlone) {
  const auto what = [](FarmFixture& farm) {
    return farm.act("alice", UpdateRequest{.id = RequestId{1}, .priority = 3});
  };
  expect_in_states(what, {"", kWrongState, kWrongState, kWrongState, kWrongState, kWrongState, kWrongState});
}

TEST(Request, IsClosedWhileItIsOpen) {
  const auto what = [](FarmFixture& farm) { return farm.close("alice", RequestId{1}); };
  expect_in_states(what, {"", "", kWrongState, kWrongState, kWrongState, kWrongState, kWrongState});
}

TEST(Request, IsAcquiredAndProlongedInProgressAlone) {
  const auto acquire = [](FarmFixture& farm) { return farm.acquire("alice", RequestId{1}); };
  const auto prolong = [](FarmFixture& farm) { return farm.prolong("alice", RequestId{1}); };
  const std::vector<std::string> expected{kNotAssigned, "",           kNotAssigned, kNotAssigned,
                                          kNotAssigned, kNotAssigned, kNotAssigned};
  expect_in_states(acquire, expected);
  expect_in_states(prolong, expected);
}

TEST(Request, IsChangedByItsOwnerAndAdminsAlone) {
  const std::vector<std::pair<std::string, std::function<std::string(FarmFixture&, std::string_view)>>> actions{
      {"update",
       [](FarmFixture& farm, std::string_view actor) {
         return farm.act(actor, UpdateRequest{.id = RequestId{1}, .priority = 3});
       }},
      {"close", [](FarmFixture& farm, std::string_view actor) { return farm.close(actor, RequestId{1}); }},
      {"prolong", [](FarmFixture& farm, std::string_view actor) { return farm.prolong(actor, RequestId{1}); }},
      {"acquire", [](FarmFixture& farm, std::string_view actor) { return farm.acquire(actor, RequestId{1}); }}};
  for (const auto& [name, action] : actions) {
    SCOPED_TRACE(name);
    const auto state = name == "update" ? RequestState::kWaiting : RequestState::kInProgress;
    for (const auto* actor : {"alice", "root", "bob", "w"}) {
      SCOPED_TRACE(actor);
      FarmFixture farm;
      bring_request(farm, state);
      const bool may = std::string_view(actor) == "alice" || std::string_view(actor) == "root";
      EXPECT_EQ(action(farm, actor), may ? "" : kNotYours);
    }
    FarmFixture farm;
    EXPECT_EQ(action(farm, "alice"), kNotFound);
  }
}

TEST(Request, ClosedTellsByWhom) {
  FarmFixture farm;
  farm.create("alice");
  farm.close("root", RequestId{1});
  EXPECT_EQ(farm.describe(RequestId{1}), "CANCELLED: closed by root");
  EXPECT_EQ(farm.request(RequestId{1}).changed, farm.now().wall);
}

TEST(Request, DefaultsComeFromPolicyAndCalendar) {
  FarmFixture farm;
  farm.create("alice");
  const auto request = farm.request(RequestId{1});
  EXPECT_EQ(request.valid_after.at, farm.now().wall);
  EXPECT_EQ(format_rfc3339(request.deadline), "2026-02-01T12:00:00Z");
  EXPECT_EQ(request.lease, 1h);
  EXPECT_EQ(request.claim_within, 10min);
  FarmFixture open_farm(Policy{.access_control = false});
  open_farm.create("alice");
  EXPECT_EQ(open_farm.request(RequestId{1}).claim_within, 0s);
}

TEST(Request, TimesOfANewOneAreTurnedToUtcAndOfAnUpdateKeptAsGiven) {
  FarmFixture farm;
  const WallTime at{.at = farm.now().wall + 24h, .offset_minutes = 120};
  EXPECT_EQ(farm.act("alice", CreateRequest{.caps = {}, .priority = 1, .valid_after = at, .deadline = at}), "");
  EXPECT_EQ(farm.request(RequestId{1}).valid_after.offset_minutes, 0);
  EXPECT_EQ(farm.request(RequestId{1}).deadline.offset_minutes, 0);
  EXPECT_EQ(farm.act("alice", UpdateRequest{.id = RequestId{1}, .valid_after = at, .deadline = at}), "");
  EXPECT_EQ(farm.request(RequestId{1}).valid_after, at);
  EXPECT_EQ(farm.request(RequestId{1}).deadline, at);
  EXPECT_EQ(farm.request(RequestId{1}).priority, Priority{1});
}

TEST(Request, NewOnesAreRefusedInTheOrderOfTheContract) {
  constexpr const char* kPast = "invalid request: deadline in the past";
  constexpr const char* kRange = "invalid request: requested time range illegal - ValidAfter must be before Deadline";
  constexpr const char* kPriority = "invalid request: requested priority out of bounds";
  const std::vector<std::pair<Filing, std::string>> table{
      {{.caps = {}, .priority = 0, .valid_in = 2h, .deadline_in = -1ns}, kPast},
      {{.caps = {}, .priority = 0, .valid_in = 2h, .deadline_in = 1h}, kRange},
      {{.caps = {}, .priority = 0}, kPriority},
      {{.caps = {}, .priority = 17}, kPriority},
      {{.caps = {}, .priority = -1}, kPriority},
      {{.caps = {}, .priority = 256 + 8}, kPriority},
      {{.caps = {{"", "x"}}}, "invalid request: Caps has an entry with an empty name"},
      {{.caps = {}, .lease = 1h + 1s}, "invalid request: Lease is 1h1s, at most 1h is allowed"},
      {{.caps = {}, .lease = 999ms}, "invalid request: Lease is 999ms, at least 1s is allowed"},
      {{.caps = {}, .claim_within = -1s}, "invalid request: ClaimWithin is 0s, at least 0s is allowed"},
      {{.caps = {}, .priority = 1, .valid_in = 1h, .deadline_in = 1h}, ""},
      {{.caps = {}, .priority = 16, .lease = 1h, .claim_within = 0s}, ""}};
  for (const auto& [filing, refusal] : table) {
    FarmFixture farm;
    EXPECT_EQ(farm.try_create("alice", filing), refusal);
    EXPECT_EQ(farm.farm().requests().size(), refusal.empty() ? 1U : 0U);
  }
}

TEST(Request, IsFiledByUsersAlone) {
  FarmFixture farm;
  farm.register_worker("w");
  EXPECT_EQ(farm.try_create("w", {}), "only users file requests");
  EXPECT_EQ(farm.try_create("root", {}), "");
}

TEST(Request, UpdateIsWholeOrNotAtAll) {
  FarmFixture farm;
  farm.create("alice");
  const auto before = farm.request(RequestId{1});
  const auto at = [&farm](Duration by) { return WallTime{.at = farm.now().wall + by}; };
  const std::vector<std::pair<UpdateRequest, std::string>> table{
      {{.id = RequestId{1}, .priority = 3, .deadline = at(-1ns)}, "invalid request: deadline in the past"},
      {{.id = RequestId{1}, .priority = 3, .valid_after = at(24h * 365)},
       "invalid request: requested time range illegal - ValidAfter must be before Deadline"},
      {{.id = RequestId{1}, .priority = 17, .deadline = at(1h)}, "invalid request: requested priority out of bounds"},
      {{.id = RequestId{1}}, ""}};
  for (const auto& [update, refusal] : table) {
    EXPECT_EQ(farm.act("alice", update), refusal);
    EXPECT_TRUE(farm.request(RequestId{1}) == before);
  }
}

TEST(Request, TimesOutExactlyAtItsDeadline) {
  FarmFixture farm;
  farm.create("alice", {.caps = {}, .deadline_in = 1h});
  farm.advance(1h - 1ns);
  EXPECT_EQ(farm.describe(RequestId{1}), "WAITING");
  farm.advance(1ns);
  EXPECT_EQ(farm.describe(RequestId{1}), "TIMEOUT: no worker was free before the deadline");
}

TEST(Request, TimesOutWhenAMatchFallsOnTheSameInstant) {
  FarmFixture farm;
  farm.register_worker("w");
  farm.set_state("w", WorkerState::kIdle);
  farm.create("alice", {.caps = {}, .deadline_in = 30s});
  farm.create("alice", {.caps = {}, .valid_in = 30s, .deadline_in = 30s});
  farm.advance(30s - 1ns);
  farm.jump(1ns);
  farm.prepare_ok("w");
  EXPECT_EQ(farm.describe(RequestId{1}), "TIMEOUT: no worker was free before the deadline");
  EXPECT_EQ(farm.describe(RequestId{2}), "TIMEOUT: no worker was free before the deadline");
  EXPECT_EQ(farm.describe("w"), "IDLE");
}

TEST(Request, TimesOutBesideAFreeWorkerWhenItsDeadlineIsNow) {
  FarmFixture farm;
  farm.make_idle("w");
  const auto created = farm.create("alice", {.caps = {}, .deadline_in = 0s});
  EXPECT_EQ(farm.describe(created), "TIMEOUT: no worker was free before the deadline");
  const auto updated = farm.create("alice", {.caps = {}, .valid_in = 1h});
  const WallTime now{.at = farm.now().wall};
  EXPECT_EQ(farm.act("alice", UpdateRequest{.id = updated, .valid_after = now, .deadline = now}), "");
  EXPECT_EQ(farm.describe(updated), "TIMEOUT: no worker was free before the deadline");
  EXPECT_EQ(farm.describe("w"), "IDLE");
}

TEST(Request, DeadlinesFollowWallTimeAndLeasesDoNot) {
  FarmFixture farm;
  farm.bring("RUNNING");
  farm.create("alice", {.caps = {}, .deadline_in = 2h});
  farm.set_wall_forward(2h);
  EXPECT_EQ(farm.describe(RequestId{1}), "IN PROGRESS");
  EXPECT_EQ(farm.describe(RequestId{2}), "TIMEOUT: no worker was free before the deadline");
}

TEST(Request, ExpiredWhileTheServerWasDownTimesOutBeforeAnythingElse) {
  FarmFixture farm;
  farm.bring("RUNNING");
  farm.create("bob", {.caps = {}, .deadline_in = 1min});
  farm.restart(1min);
  EXPECT_EQ(farm.last_events(), "request ended, server started, worker lost, job paused");
  EXPECT_EQ(farm.describe(RequestId{2}), "TIMEOUT: no worker was free before the deadline");
}

TEST(Request, KeepsItsJobAfterTheEnd) {
  for (const auto state : {RequestState::kDone, RequestState::kFailed}) {
    FarmFixture farm;
    bring_request(farm, state);
    ASSERT_TRUE(farm.request(RequestId{1}).job);
    EXPECT_EQ(farm.job(RequestId{1}).worker, farm.uuid("w"));
  }
}

CreateRequest under_key(std::string key, std::string body_hash = "hash") {
  CreateRequest command{.priority = 8};
  command.idempotency_key = std::move(key);
  command.body_hash = std::move(body_hash);
  return command;
}

TEST(Request, IsFiledOnceUnderAKey) {
  FarmFixture farm;
  EXPECT_EQ(farm.act("alice", under_key("k")), "");
  EXPECT_EQ(farm.act("alice", under_key("k")), "");
  EXPECT_EQ(farm.last_events(), "") << "the second time nothing happens";
  EXPECT_EQ(farm.farm().requests().size(), 1U);
  EXPECT_EQ(farm.farm().find_creation(farm.request(RequestId{1}).owner, "k")->request, RequestId{1});
  EXPECT_EQ(farm.act("bob", under_key("k")), "") << "another user's key is another key";
  EXPECT_EQ(farm.act("alice", under_key("")), "");
  EXPECT_EQ(farm.act("alice", under_key("")), "");
  EXPECT_EQ(farm.farm().requests().size(), 4U);
}

TEST(Request, IsRefusedUnderAKeyThatCameWithAnotherBody) {
  FarmFixture farm;
  EXPECT_EQ(farm.act("alice", under_key("k")), "");
  EXPECT_EQ(farm.act("alice", under_key("k", "another")),
            "this Idempotency-Key came before with another body: use a new key for a new request");
  EXPECT_EQ(farm.farm().requests().size(), 1U);
}

TEST(Request, KeyCountsForADayAndIsThenForgotten) {
  FarmFixture farm;
  EXPECT_EQ(farm.act("alice", under_key("k")), "");
  EXPECT_EQ(farm.act("alice", under_key("old")), "");
  farm.advance(24h - 1ns);
  EXPECT_EQ(farm.act("alice", under_key("k", "another")),
            "this Idempotency-Key came before with another body: use a new key for a new request");
  farm.advance(1ns);
  EXPECT_EQ(farm.act("alice", under_key("k", "another")), "");
  EXPECT_EQ(farm.farm().requests().size(), 3U);
  EXPECT_EQ(farm.farm().creations().size(), 1U) << "what is too old makes room";
  EXPECT_EQ(farm.act("alice", under_key("k", "another")), "");
  EXPECT_EQ(farm.farm().requests().size(), 3U);
}

}  // namespace
}  // namespace boruta::farm

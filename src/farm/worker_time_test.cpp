#include <gtest/gtest.h>

#include "farm/farm_fixture.hpp"

/// What time, loss and restarts do to a worker, in every situation. Cells that are missing from a table: nothing may
/// change there.
namespace boruta::farm {
namespace {

using namespace std::chrono_literals;

constexpr const char* kRequestNotFound = "Request not found";

TEST(WorkerTime, FailsAgentsThatAnswerNothingForAMinute) {
  const auto what = [](FarmFixture& farm) {
    farm.advance(60s);
    return std::string();
  };
  expect_cells(what, {},
               {
                   {"PREPARE", "FAILED: Prepare was not answered within 1 m"},
                   {"PREPARE away", "FAILED lost: agent lost"},
                   {"PREPARE dirty", "FAILED dirty: Prepare was not answered within 1 m | DONE: closed by alice"},
                   {"IDLE away", "FAILED lost: agent lost"},
                   {"RUNNING ungranted",
                    "FAILED dirty: Grant was not answered within 30 s | FAILED: worker worker-0001 failed: Grant was "
                    "not answered within 30 s"},
                   {"RUNNING away", "RUNNING lost | IN PROGRESS paused"},
                   {"BUSY", "FAILED: PutInMaintenance was not answered within 1 m"},
                   {"BUSY away", "MAINTENANCE lost untold: repairs"},
                   {"BUSY dirty",
                    "FAILED dirty: PutInMaintenance was not answered within 1 m | FAILED: worker worker-0001 put in "
                    "maintenance by root: repairs"},
               });
}

TEST(WorkerTime, EndsTheJobAfterItsLease) {
  const auto what = [](FarmFixture& farm) {
    farm.advance(1h);
    return std::string();
  };
  expect_cells(what, {},
               {
                   {"PREPARE", "FAILED: Prepare was not answered within 1 m"},
                   {"PREPARE away", "FAILED lost: agent lost"},
                   {"PREPARE dirty", "FAILED dirty: Prepare was not answered within 1 m | DONE: closed by alice"},
                   {"IDLE away", "FAILED lost: agent lost"},
                   {"RUNNING", "PREPARE dirty | DONE: its time was up"},
                   {"RUNNING ungranted",
                    "FAILED dirty: Grant was not answered within 30 s | FAILED: worker worker-0001 failed: Grant was "
                    "not answered within 30 s"},
                   {"RUNNING away", "FAILED lost dirty: agent lost | FAILED: worker worker-0001 failed: agent lost"},
                   {"RUNNING lost", "FAILED lost dirty: agent lost | FAILED: worker worker-0001 failed: agent lost"},
                   {"RUNNING draining", "BUSY dirty: repairs | DONE: its time was up"},
                   {"RUNNING pending", "BUSY dirty: its capabilities or ports changed | DONE: its time was up"},
                   {"BUSY", "FAILED: PutInMaintenance was not answered within 1 m"},
                   {"BUSY away", "MAINTENANCE lost untold: repairs"},
                   {"BUSY dirty",
                    "FAILED dirty: PutInMaintenance was not answered within 1 m | FAILED: worker worker-0001 put in "
                    "maintenance by root: repairs"},
               });
}

TEST(WorkerTime, EndsTheJobWhenItsOwnerClosesIt) {
  const auto what = [](FarmFixture& farm) { return farm.close("alice", RequestId{1}); };
  expect_cells(what, kRequestNotFound,
               {
                   {"PREPARE dirty",
                    "refused (invalid request: action cannot be executed in current state), PREPARE dirty | DONE: "
                    "closed by alice"},
                   {"RUNNING", "PREPARE dirty | DONE: closed by alice"},
                   {"RUNNING ungranted", "PREPARE dirty | DONE: closed by alice"},
                   {"RUNNING away", "PREPARE away dirty | DONE: closed by alice"},
                   {"RUNNING lost", "FAILED lost dirty: agent lost | DONE: closed by alice"},
                   {"RUNNING draining", "BUSY dirty: repairs | DONE: closed by alice"},
                   {"RUNNING pending", "BUSY dirty: its capabilities or ports changed | DONE: closed by alice"},
                   {"BUSY dirty",
                    "refused (invalid request: action cannot be executed in current state), BUSY dirty: repairs | "
                    "FAILED: worker worker-0001 put in maintenance by root: repairs"},
                   {"FAILED dirty",
                    "refused (invalid request: action cannot be executed in current state), FAILED dirty: hot | "
                    "FAILED: worker worker-0001 failed: hot"},
                   {"FAILED lost dirty",
                    "refused (invalid request: action cannot be executed in current state), FAILED lost dirty: agent "
                    "lost | FAILED: worker worker-0001 failed: agent lost"},
               });
}

TEST(WorkerTime, LosesTheAgentAfterLostAfter) {
  const auto what = [](FarmFixture& farm) {
    farm.lose("w");
    return std::string();
  };
  expect_cells(
      what, {},
      {
          {"MAINTENANCE", "MAINTENANCE lost: new"},
          {"PREPARE", "FAILED lost: agent lost"},
          {"PREPARE away", "FAILED lost: agent lost"},
          {"PREPARE dirty", "FAILED lost dirty: agent lost | DONE: closed by alice"},
          {"IDLE", "FAILED lost: agent lost"},
          {"IDLE away", "FAILED lost: agent lost"},
          {"RUNNING", "RUNNING lost | IN PROGRESS paused"},
          {"RUNNING ungranted", "RUNNING lost | IN PROGRESS ungranted paused"},
          {"RUNNING away", "RUNNING lost | IN PROGRESS paused"},
          {"RUNNING draining", "RUNNING lost draining | IN PROGRESS paused"},
          {"RUNNING pending", "RUNNING lost pending | IN PROGRESS paused"},
          {"BUSY", "MAINTENANCE lost untold: repairs"},
          {"BUSY away", "MAINTENANCE lost untold: repairs"},
          {"BUSY dirty",
           "MAINTENANCE lost dirty untold: repairs | FAILED: worker worker-0001 put in maintenance by root: repairs"},
          {"FAILED", "FAILED lost: hot"},
          {"FAILED dirty", "FAILED lost dirty: hot | FAILED: worker worker-0001 failed: hot"},
      });
}

TEST(WorkerTime, GoesOnWithTheJobOfAnAgentThatIsBackWithinTheGrace) {
  const auto what = [](FarmFixture& farm) {
    farm.lose("w");
    farm.advance(1min);
    return farm.reconnect("w");
  };
  expect_cells(
      what, {},
      {
          {"MAINTENANCE lost", "MAINTENANCE: new"},
          {"MAINTENANCE untold", "MAINTENANCE untold: repairs"},
          {"PREPARE", "PREPARE check"},
          {"PREPARE away", "PREPARE check"},
          {"PREPARE dirty", "PREPARE dirty check | DONE: closed by alice"},
          {"IDLE", "PREPARE check"},
          {"IDLE away", "PREPARE check"},
          {"RUNNING away", "RUNNING | IN PROGRESS"},
          {"RUNNING lost", "RUNNING | IN PROGRESS"},
          {"BUSY", "MAINTENANCE untold: repairs"},
          {"BUSY away", "MAINTENANCE untold: repairs"},
          {"BUSY dirty",
           "MAINTENANCE dirty untold: repairs | FAILED: worker worker-0001 put in maintenance by root: repairs"},
          {"FAILED", "PREPARE check"},
          {"FAILED lost", "PREPARE check"},
          {"FAILED dirty", "PREPARE dirty check | FAILED: worker worker-0001 failed: hot"},
          {"FAILED lost dirty", "PREPARE dirty check | FAILED: worker worker-0001 failed: agent lost"},
      });
}

TEST(WorkerTime, PreparesWithAFullCheckWhenTheAgentIsBackLater) {
  const auto what = [](FarmFixture& farm) {
    farm.lose("w");
    farm.advance(10min);
    return farm.reconnect("w");
  };
  expect_cells(
      what, {},
      {
          {"MAINTENANCE lost", "MAINTENANCE: new"},
          {"MAINTENANCE untold", "MAINTENANCE untold: repairs"},
          {"PREPARE", "PREPARE check"},
          {"PREPARE away", "PREPARE check"},
          {"PREPARE dirty", "PREPARE dirty check | DONE: closed by alice"},
          {"IDLE", "PREPARE check"},
          {"IDLE away", "PREPARE check"},
          {"RUNNING", "PREPARE dirty check | FAILED: worker worker-0001 failed: agent lost"},
          {"RUNNING ungranted", "PREPARE dirty check | FAILED: worker worker-0001 failed: agent lost"},
          {"RUNNING away", "PREPARE dirty check | FAILED: worker worker-0001 failed: agent lost"},
          {"RUNNING lost", "PREPARE dirty check | FAILED: worker worker-0001 failed: agent lost"},
          {"RUNNING draining", "PREPARE dirty check | FAILED: worker worker-0001 failed: agent lost"},
          {"RUNNING pending", "PREPARE dirty check | FAILED: worker worker-0001 failed: agent lost"},
          {"BUSY", "MAINTENANCE untold: repairs"},
          {"BUSY away", "MAINTENANCE untold: repairs"},
          {"BUSY dirty",
           "MAINTENANCE dirty untold: repairs | FAILED: worker worker-0001 put in maintenance by root: repairs"},
          {"FAILED", "PREPARE check"},
          {"FAILED lost", "PREPARE check"},
          {"FAILED dirty", "PREPARE dirty check | FAILED: worker worker-0001 failed: hot"},
          {"FAILED lost dirty", "PREPARE dirty check | FAILED: worker worker-0001 failed: agent lost"},
      });
}

TEST(WorkerTime, RestartLeavesAllUnconnectedAndPausesJobs) {
  const auto what = [](FarmFixture& farm) {
    farm.restart(1min);
    return std::string();
  };
  expect_cells(
      what, {},
      {
          {"MAINTENANCE", "MAINTENANCE away: new"},
          {"MAINTENANCE lost", "MAINTENANCE away: new"},
          {"MAINTENANCE untold", "MAINTENANCE away untold: repairs"},
          {"PREPARE", "PREPARE away"},
          {"PREPARE dirty", "PREPARE away dirty | DONE: closed by alice"},
          {"IDLE", "IDLE away"},
          {"RUNNING", "RUNNING lost | IN PROGRESS paused"},
          {"RUNNING ungranted", "RUNNING lost | IN PROGRESS ungranted paused"},
          {"RUNNING away", "RUNNING lost | IN PROGRESS paused"},
          {"RUNNING draining", "RUNNING lost draining | IN PROGRESS paused"},
          {"RUNNING pending", "RUNNING lost pending | IN PROGRESS paused"},
          {"BUSY", "BUSY away: repairs"},
          {"BUSY dirty", "BUSY away dirty: repairs | FAILED: worker worker-0001 put in maintenance by root: repairs"},
          {"FAILED", "FAILED away: hot"},
          {"FAILED lost", "FAILED away: agent lost"},
          {"FAILED dirty", "FAILED away dirty: hot | FAILED: worker worker-0001 failed: hot"},
          {"FAILED lost dirty", "FAILED away dirty: agent lost | FAILED: worker worker-0001 failed: agent lost"},
      });
}

TEST(WorkerTime, RestartIsOverWhenTheAgentIsBack) {
  const auto what = [](FarmFixture& farm) {
    farm.restart(1min);
    return farm.reconnect("w");
  };
  expect_cells(what, {},
               {
                   {"MAINTENANCE lost", "MAINTENANCE: new"},
                   {"MAINTENANCE untold", "MAINTENANCE untold: repairs"},
                   {"PREPARE away", "PREPARE"},
                   {"IDLE away", "IDLE"},
                   {"RUNNING away", "RUNNING | IN PROGRESS"},
                   {"RUNNING lost", "RUNNING | IN PROGRESS"},
                   {"BUSY away", "BUSY: repairs"},
                   {"FAILED", "PREPARE check"},
                   {"FAILED lost", "PREPARE check"},
                   {"FAILED dirty", "PREPARE dirty check | FAILED: worker worker-0001 failed: hot"},
                   {"FAILED lost dirty", "PREPARE dirty check | FAILED: worker worker-0001 failed: agent lost"},
               });
}

TEST(WorkerTime, RestartLosesAgentsThatDoNotComeBack) {
  const auto what = [](FarmFixture& farm) {
    farm.restart(1min);
    farm.advance(10min);
    return std::string();
  };
  expect_cells(
      what, {},
      {
          {"MAINTENANCE", "MAINTENANCE lost: new"},
          {"PREPARE", "FAILED lost: agent lost"},
          {"PREPARE away", "FAILED lost: agent lost"},
          {"PREPARE dirty", "FAILED lost dirty: agent lost | DONE: closed by alice"},
          {"IDLE", "FAILED lost: agent lost"},
          {"IDLE away", "FAILED lost: agent lost"},
          {"RUNNING", "FAILED lost dirty: agent lost | FAILED: worker worker-0001 failed: agent lost"},
          {"RUNNING ungranted", "FAILED lost dirty: agent lost | FAILED: worker worker-0001 failed: agent lost"},
          {"RUNNING away", "FAILED lost dirty: agent lost | FAILED: worker worker-0001 failed: agent lost"},
          {"RUNNING lost", "FAILED lost dirty: agent lost | FAILED: worker worker-0001 failed: agent lost"},
          {"RUNNING draining", "FAILED lost dirty: agent lost | FAILED: worker worker-0001 failed: agent lost"},
          {"RUNNING pending", "FAILED lost dirty: agent lost | FAILED: worker worker-0001 failed: agent lost"},
          {"BUSY", "MAINTENANCE lost untold: repairs"},
          {"BUSY away", "MAINTENANCE lost untold: repairs"},
          {"BUSY dirty",
           "MAINTENANCE lost dirty untold: repairs | FAILED: worker worker-0001 put in maintenance by root: repairs"},
          {"FAILED", "FAILED lost: hot"},
          {"FAILED dirty", "FAILED lost dirty: hot | FAILED: worker worker-0001 failed: hot"},
      });
}

TEST(WorkerTime, AnswersWithinAMinuteAreInTimeUntilItsLastInstant) {
  for (const auto* situation : {"PREPARE", "BUSY"}) {
    FarmFixture farm;
    farm.bring(situation);
    const auto before = farm.outcome();
    farm.advance(60s - 1ns);
    EXPECT_EQ(farm.outcome(), before);
    farm.advance(1ns);
    EXPECT_EQ(farm.worker("w").state, WorkerState::kFailed);
  }
}

TEST(WorkerTime, GrantIsAwaitedForThirtySecondsAndAnewAfterAReconnect) {
  FarmFixture farm;
  farm.bring("RUNNING ungranted");
  farm.advance(30s - 1ns);
  farm.disconnect("w");
  farm.advance(20s);
  farm.reconnect("w");
  farm.advance(30s - 1ns);
  EXPECT_EQ(farm.outcome(), "RUNNING | IN PROGRESS ungranted");
  farm.advance(1ns);
  EXPECT_EQ(farm.describe("w"), "FAILED dirty: Grant was not answered within 30 s");
}

TEST(WorkerTime, AgentIsLostCountingFromWhenItWasLastHeard) {
  FarmFixture farm;
  farm.make_idle("w");
  const auto heard = farm.now().lease;
  farm.advance(10s);
  farm.act("server", DisconnectAgent{.uuid = farm.uuid("w"), .last_heard = heard});
  farm.advance(20s - 1ns);
  EXPECT_EQ(farm.describe("w"), "IDLE away");
  farm.advance(1ns);
  EXPECT_EQ(farm.describe("w"), "FAILED lost: agent lost");
}

TEST(WorkerTime, AgentThatWasSilentForTooLongIsLostTheMomentItsStreamEnds) {
  FarmFixture farm;
  farm.make_idle("w");
  const auto heard = farm.now().lease;
  farm.advance(30s);
  farm.act("server", DisconnectAgent{.uuid = farm.uuid("w"), .last_heard = heard});
  EXPECT_EQ(farm.describe("w"), "FAILED lost: agent lost");
}

TEST(WorkerTime, DisconnectedWorkerGetsNoJobUntilItIsBack) {
  FarmFixture farm;
  farm.bring("IDLE away");
  farm.create("alice");
  EXPECT_EQ(farm.outcome(), "IDLE away | WAITING");
  farm.reconnect("w");
  EXPECT_EQ(farm.outcome(), "RUNNING | IN PROGRESS ungranted");
}

TEST(WorkerTime, RestartMatchesAnIdleWorkerOnlyWhenItsAgentIsBack) {
  FarmFixture farm;
  farm.make_idle("w");
  farm.create("alice", {.caps = {}, .valid_in = 1min});
  farm.restart(2min);
  EXPECT_EQ(farm.outcome(), "IDLE away | WAITING");
  farm.reconnect("w");
  EXPECT_EQ(farm.outcome(), "RUNNING | IN PROGRESS ungranted");
}

TEST(WorkerTime, RestartAsksPrepareAndBusyAnewWithTheirWholeTime) {
  for (const auto* situation : {"PREPARE", "BUSY"}) {
    FarmFixture farm;
    farm.bring(situation);
    const auto before = farm.outcome();
    farm.advance(59s);
    farm.restart(5min);
    farm.advance(10s);
    farm.reconnect("w");
    farm.advance(60s - 1ns);
    EXPECT_EQ(farm.outcome(), before);
    farm.advance(1ns);
    EXPECT_EQ(farm.worker("w").state, WorkerState::kFailed);
  }
}

}  // namespace
}  // namespace boruta::farm

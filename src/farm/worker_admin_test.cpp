#include <gtest/gtest.h>

#include "farm/farm_fixture.hpp"

/// What admins do to a worker, in every situation. Cells that are missing from a table: nothing may change there.
namespace boruta::farm {
namespace {

using namespace std::chrono_literals;

constexpr const char* kWrongTransition = "invalid request: Invalid state transition was requested";
constexpr const char* kNotInMaintenance = "invalid request: Worker is not in FAIL or MAINTENANCE state";

TEST(WorkerAdmin, SetsIdleFromMaintenanceAloneAndCancelsADrain) {
  const auto what = [](FarmFixture& farm) { return farm.set_state("w", WorkerState::kIdle); };
  expect_cells(what, kWrongTransition,
               {
                   {"MAINTENANCE", "PREPARE"},
                   {"MAINTENANCE lost", "FAILED lost: agent lost"},
                   {"MAINTENANCE untold", "FAILED lost: agent lost"},
                   {"PREPARE", "PREPARE"},
                   {"PREPARE away", "PREPARE away"},
                   {"PREPARE dirty", "PREPARE dirty | DONE: closed by alice"},
                   {"RUNNING draining", "RUNNING | IN PROGRESS"},
               });
}

TEST(WorkerAdmin, SetsMaintenanceInEveryStateAndFailsTheJob) {
  const auto what = [](FarmFixture& farm) { return farm.set_state("w", WorkerState::kMaintenance, "new board"); };
  expect_cells(
      what, {},
      {
          {"MAINTENANCE", "BUSY: new board"},
          {"MAINTENANCE lost", "MAINTENANCE lost untold: new board"},
          {"MAINTENANCE untold", "MAINTENANCE lost untold: new board"},
          {"PREPARE", "BUSY: new board"},
          {"PREPARE away", "BUSY away: new board"},
          {"PREPARE dirty", "BUSY dirty: new board | DONE: closed by alice"},
          {"IDLE", "BUSY: new board"},
          {"IDLE away", "BUSY away: new board"},
          {"RUNNING", "BUSY dirty: new board | FAILED: worker worker-0001 put in maintenance by root: new board"},
          {"RUNNING ungranted",
           "BUSY dirty: new board | FAILED: worker worker-0001 put in maintenance by root: new board"},
          {"RUNNING away",
           "BUSY away dirty: new board | FAILED: worker worker-0001 put in maintenance by root: new board"},
          {"RUNNING lost",
           "MAINTENANCE lost dirty untold: new board | FAILED: worker worker-0001 put in maintenance by root: new "
           "board"},
          {"RUNNING draining",
           "BUSY dirty: new board | FAILED: worker worker-0001 put in maintenance by root: new board"},
          {"RUNNING pending",
           "BUSY dirty: new board | FAILED: worker worker-0001 put in maintenance by root: new board"},
          {"FAILED", "BUSY check: new board"},
          {"FAILED lost", "MAINTENANCE lost untold check: new board"},
          {"FAILED dirty", "BUSY dirty check: new board | FAILED: worker worker-0001 failed: hot"},
          {"FAILED lost dirty",
           "MAINTENANCE lost dirty untold check: new board | FAILED: worker worker-0001 failed: agent lost"},
      });
}

TEST(WorkerAdmin, DrainsARunningWorkerAndPutsEveryOtherInMaintenanceAtOnce) {
  const auto what = [](FarmFixture& farm) { return farm.set_state("w", WorkerState::kMaintenance, "new board", true); };
  expect_cells(what, {},
               {
                   {"MAINTENANCE", "BUSY: new board"},
                   {"MAINTENANCE lost", "MAINTENANCE lost untold: new board"},
                   {"MAINTENANCE untold", "MAINTENANCE lost untold: new board"},
                   {"PREPARE", "BUSY: new board"},
                   {"PREPARE away", "BUSY away: new board"},
                   {"PREPARE dirty", "BUSY dirty: new board | DONE: closed by alice"},
                   {"IDLE", "BUSY: new board"},
                   {"IDLE away", "BUSY away: new board"},
                   {"RUNNING", "RUNNING draining | IN PROGRESS"},
                   {"RUNNING ungranted", "RUNNING draining | IN PROGRESS ungranted"},
                   {"RUNNING away", "RUNNING away draining | IN PROGRESS"},
                   {"RUNNING lost", "RUNNING lost draining | IN PROGRESS paused"},
                   {"RUNNING pending", "RUNNING draining pending | IN PROGRESS"},
                   {"FAILED", "BUSY check: new board"},
                   {"FAILED lost", "MAINTENANCE lost untold check: new board"},
                   {"FAILED dirty", "BUSY dirty check: new board | FAILED: worker worker-0001 failed: hot"},
                   {"FAILED lost dirty",
                    "MAINTENANCE lost dirty untold check: new board | FAILED: worker worker-0001 failed: agent lost"},
               });
}

TEST(WorkerAdmin, DeregistersInMaintenanceAndFailedAlone) {
  const auto what = [](FarmFixture& farm) { return farm.deregister("w"); };
  expect_cells(what, kNotInMaintenance,
               {
                   {"MAINTENANCE", "none"},
                   {"MAINTENANCE lost", "none"},
                   {"MAINTENANCE untold", "none"},
                   {"FAILED", "none"},
                   {"FAILED lost", "none"},
                   {"FAILED dirty", "none | FAILED: worker worker-0001 failed: hot"},
                   {"FAILED lost dirty", "none | FAILED: worker worker-0001 failed: agent lost"},
               });
}

TEST(WorkerAdmin, DeletesAnOwnerWhoseJobsEndAsDone) {
  const auto what = [](FarmFixture& farm) { return farm.act("root", DeleteUser{.name = "alice"}); };
  expect_cells(
      what, {},
      {
          {"RUNNING", "PREPARE dirty | DONE: its owner was deleted by root"},
          {"RUNNING ungranted", "PREPARE dirty | DONE: its owner was deleted by root"},
          {"RUNNING away", "PREPARE away dirty | DONE: its owner was deleted by root"},
          {"RUNNING lost", "FAILED lost dirty: agent lost | DONE: its owner was deleted by root"},
          {"RUNNING draining", "BUSY dirty: repairs | DONE: its owner was deleted by root"},
          {"RUNNING pending", "BUSY dirty: its capabilities or ports changed | DONE: its owner was deleted by root"},
      });
}

TEST(WorkerAdmin, IsRefusedToOthersThanAdmins) {
  const std::string refused = "only admins may do this, and alice is none";
  FarmFixture farm;
  farm.make_idle("w");
  const auto uuid = farm.uuid("w");
  EXPECT_EQ(farm.act("alice", SetWorkerState{.uuid = uuid, .reason = {}}), refused);
  EXPECT_EQ(farm.act("alice", SetWorkerGroups{.uuid = uuid, .groups = Groups{"a"}}), refused);
  EXPECT_EQ(farm.act("alice", DeregisterWorker{.uuid = uuid}), refused);
  EXPECT_EQ(farm.act("w", SetWorkerState{.uuid = uuid, .reason = {}}), "only admins may do this, and w is none");
  EXPECT_EQ(farm.describe("w"), "IDLE");
}

TEST(WorkerAdmin, RefusesUnknownWorkersAndStatesThatNobodySets) {
  FarmFixture farm;
  farm.register_worker("w");
  const auto nobody = *WorkerUuid::parse("00000000-0000-0000-0000-000000000000");
  const std::string unknown = "Worker not found";
  EXPECT_EQ(farm.act("root", SetWorkerState{.uuid = nobody, .reason = {}}), unknown);
  EXPECT_EQ(farm.act("root", SetWorkerGroups{.uuid = nobody, .groups = std::nullopt}), unknown);
  EXPECT_EQ(farm.act("root", DeregisterWorker{.uuid = nobody}), unknown);
  for (const auto state : {WorkerState::kPrepare, WorkerState::kRunning, WorkerState::kBusy, WorkerState::kFailed}) {
    EXPECT_EQ(farm.set_state("w", state), "invalid request: Only state changes to IDLE and MAINTENANCE are allowed");
  }
  EXPECT_EQ(farm.set_state("w", WorkerState::kMaintenance, std::string(1025, 'x')),
            "invalid request: Reason has 1025 bytes, at most 1024 are allowed");
  EXPECT_EQ(farm.set_state("w", WorkerState::kMaintenance, std::string(1024, 'x')), "");
}

TEST(WorkerAdmin, TellsByWhomAndWhyAndThatTheAgentDoesNotKnow) {
  FarmFixture farm;
  farm.make_idle("w");
  farm.lose("w");
  farm.set_state("w", WorkerState::kMaintenance, "new board");
  EXPECT_EQ(farm.worker("w").changed_by, "root");
  EXPECT_EQ(farm.worker("w").changed, farm.now().wall);
  EXPECT_EQ(reason_of(farm.worker("w")), "new board (agent not told)");
  farm.reconnect("w");
  farm.maintenance_ok("w");
  EXPECT_EQ(reason_of(farm.worker("w")), "new board");
  farm.lose("w");
  farm.set_state("w", WorkerState::kMaintenance);
  EXPECT_EQ(reason_of(farm.worker("w")), "agent not told");
}

TEST(WorkerAdmin, DrainNamesWhoWantedItAndNotWhoEndedTheJob) {
  FarmFixture farm;
  farm.bring("RUNNING draining");
  farm.close("alice", RequestId{1});
  EXPECT_EQ(farm.worker("w").state, WorkerState::kBusy);
  EXPECT_EQ(farm.worker("w").changed_by, "root");
}

TEST(WorkerAdmin, DrainSurvivesARestartAndItsReasonBeatsAChangeOfCaps) {
  FarmFixture farm;
  farm.bring("RUNNING draining");
  farm.restart(1min);
  farm.agent("w").caps["ram"] = "8GiB";
  farm.reconnect("w");
  EXPECT_EQ(farm.outcome(), "RUNNING draining pending | IN PROGRESS");
  farm.close("alice", RequestId{1});
  EXPECT_EQ(farm.outcome(), "BUSY dirty: repairs | DONE: closed by alice");
  EXPECT_TRUE(farm.worker("w").registration.caps.contains("ram"));
}

TEST(WorkerAdmin, SetsGroupsNormalizedAndOnlyWithinLimits) {
  FarmFixture farm;
  farm.register_worker("w");
  EXPECT_EQ(farm.worker("w").groups, std::nullopt);
  EXPECT_EQ(farm.set_groups("w", Groups{"b", "a", "b"}), "");
  EXPECT_EQ(farm.worker("w").groups, (Groups{"a", "b"}));
  EXPECT_EQ(farm.set_groups("w", Groups{"a", "b"}), "");
  EXPECT_EQ(farm.last_events(), "");
  EXPECT_EQ(farm.set_groups("w", Groups{""}), "invalid request: Groups has an empty name");
  EXPECT_EQ(farm.set_groups("w", Groups(65, "a")), "invalid request: Groups has 65 entries, at most 64 are allowed");
  EXPECT_EQ(farm.worker("w").groups, (Groups{"a", "b"}));
  EXPECT_EQ(farm.set_groups("w", std::nullopt), "");
  EXPECT_EQ(farm.worker("w").groups, std::nullopt);
}

TEST(WorkerAdmin, SetsGroupsAtOnceForWaitingRequestsAndNotForARunningJob) {
  FarmFixture farm;
  farm.bring("RUNNING");
  farm.make_idle("other");
  farm.set_groups("w", Groups{"lab"});
  EXPECT_EQ(farm.outcome(), "RUNNING | IN PROGRESS");
  farm.set_groups("other", Groups{"lab"});
  const auto waiting = farm.create("alice");
  EXPECT_EQ(farm.describe(waiting), "WAITING");
  farm.set_groups("other", Groups{});
  EXPECT_EQ(farm.server_of(waiting), "other");
}

TEST(WorkerAdmin, DeregisteredWorkerIsNewWhenItComesAgain) {
  FarmFixture farm;
  farm.bring("FAILED dirty");
  farm.set_groups("w", Groups{"lab"});
  farm.deregister("w");
  farm.agent("w").job.reset();
  farm.agent("w").prepared = false;
  EXPECT_EQ(farm.reconnect("w"), "");
  EXPECT_EQ(farm.describe("w"), "MAINTENANCE: new");
  EXPECT_EQ(farm.worker("w").groups, std::nullopt);
  EXPECT_EQ(farm.describe(RequestId{1}), "FAILED: worker worker-0001 failed: hot");
}

}  // namespace
}  // namespace boruta::farm

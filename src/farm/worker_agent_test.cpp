#include <gtest/gtest.h>

#include "farm/farm_fixture.hpp"

/// What agents answer and tell, in every situation. Cells that are missing from a table: nothing may change there.
namespace boruta::farm {
namespace {

using namespace std::chrono_literals;

TEST(WorkerAgent, SetFailFailsTheWorkerButNotOneInAdminsHands) {
  const auto what = [](FarmFixture& farm) { return farm.set_fail("w", "broken"); };
  expect_cells(what, {},
               {
                   {"PREPARE", "FAILED: broken"},
                   {"PREPARE away", "FAILED away: broken"},
                   {"PREPARE dirty", "FAILED dirty: broken | DONE: closed by alice"},
                   {"IDLE", "FAILED: broken"},
                   {"IDLE away", "FAILED away: broken"},
                   {"RUNNING", "FAILED dirty: broken | FAILED: worker worker-0001 failed: broken"},
                   {"RUNNING ungranted", "FAILED dirty: broken | FAILED: worker worker-0001 failed: broken"},
                   {"RUNNING away", "FAILED away dirty: broken | FAILED: worker worker-0001 failed: broken"},
                   {"RUNNING lost", "FAILED lost dirty: broken | FAILED: worker worker-0001 failed: broken"},
                   {"RUNNING draining", "FAILED dirty: broken | FAILED: worker worker-0001 failed: broken"},
                   {"RUNNING pending", "FAILED dirty: broken | FAILED: worker worker-0001 failed: broken"},
                   {"FAILED", "FAILED: broken"},
                   {"FAILED lost", "FAILED lost: broken"},
                   {"FAILED dirty", "FAILED dirty: broken | FAILED: worker worker-0001 failed: hot"},
                   {"FAILED lost dirty", "FAILED lost dirty: broken | FAILED: worker worker-0001 failed: agent lost"},
               });
}

TEST(WorkerAgent, PrepareOkMakesAPreparedWorkerIdleOnceItIsClean) {
  const auto what = [](FarmFixture& farm) {
    farm.prepare_ok("w");
    return std::string();
  };
  expect_cells(what, {},
               {
                   {"PREPARE", "IDLE"},
                   {"PREPARE away", "IDLE away"},
               });
}

TEST(WorkerAgent, PrepareFailedFailsTheWorker) {
  const auto what = [](FarmFixture& farm) {
    farm.prepare_fails("w", "no space");
    return std::string();
  };
  expect_cells(what, {},
               {
                   {"PREPARE", "FAILED: Prepare failed: no space"},
                   {"PREPARE away", "FAILED away: Prepare failed: no space"},
               });
}

TEST(WorkerAgent, PutInMaintenanceOkEndsBusyAndTellsTheUntold) {
  const auto what = [](FarmFixture& farm) {
    farm.maintenance_ok("w");
    return std::string();
  };
  expect_cells(
      what, {},
      {
          {"MAINTENANCE untold", "MAINTENANCE lost: repairs"},
          {"BUSY", "MAINTENANCE: repairs"},
          {"BUSY away", "MAINTENANCE away: repairs"},
          {"BUSY dirty", "MAINTENANCE dirty: repairs | FAILED: worker worker-0001 put in maintenance by root: repairs"},
      });
}

TEST(WorkerAgent, PutInMaintenanceFailedFailsTheWorker) {
  const auto what = [](FarmFixture& farm) {
    farm.maintenance_fails("w", "no display");
    return std::string();
  };
  expect_cells(what, {},
               {
                   {"MAINTENANCE untold", "FAILED lost: PutInMaintenance failed: no display"},
                   {"BUSY", "FAILED: PutInMaintenance failed: no display"},
                   {"BUSY away", "FAILED away: PutInMaintenance failed: no display"},
                   {"BUSY dirty",
                    "FAILED dirty: PutInMaintenance failed: no display | FAILED: worker worker-0001 put in maintenance "
                    "by root: repairs"},
               });
}

TEST(WorkerAgent, GrantOkIsNotedOnce) {
  const auto what = [](FarmFixture& farm) {
    farm.grant_ok("w");
    return std::string();
  };
  expect_cells(what, {},
               {
                   {"RUNNING ungranted", "RUNNING | IN PROGRESS"},
               });
}

TEST(WorkerAgent, GrantFailedFailsWorkerAndRequest) {
  const auto what = [](FarmFixture& farm) {
    farm.grant_fails("w", "no space");
    return std::string();
  };
  expect_cells(
      what, {},
      {
          {"RUNNING",
           "FAILED dirty: Grant failed: no space | FAILED: worker worker-0001 failed: Grant failed: no space"},
          {"RUNNING ungranted",
           "FAILED dirty: Grant failed: no space | FAILED: worker worker-0001 failed: Grant failed: no space"},
          {"RUNNING away",
           "FAILED away dirty: Grant failed: no space | FAILED: worker worker-0001 failed: Grant failed: no space"},
          {"RUNNING lost",
           "FAILED lost dirty: Grant failed: no space | FAILED: worker worker-0001 failed: Grant failed: no space"},
          {"RUNNING draining",
           "FAILED dirty: Grant failed: no space | FAILED: worker worker-0001 failed: Grant failed: no space"},
          {"RUNNING pending",
           "FAILED dirty: Grant failed: no space | FAILED: worker worker-0001 failed: Grant failed: no space"},
      });
}

TEST(WorkerAgent, EndJobOkCleansADirtyWorkerInWhateverState) {
  const auto what = [](FarmFixture& farm) {
    farm.end_job_ok("w");
    return std::string();
  };
  expect_cells(what, {},
               {
                   {"PREPARE dirty", "PREPARE | DONE: closed by alice"},
                   {"BUSY dirty", "BUSY: repairs | FAILED: worker worker-0001 put in maintenance by root: repairs"},
                   {"FAILED dirty", "FAILED: hot | FAILED: worker worker-0001 failed: hot"},
                   {"FAILED lost dirty", "FAILED lost: agent lost | FAILED: worker worker-0001 failed: agent lost"},
               });
}

TEST(WorkerAgent, EndJobFailedFailsAWorkerOnItsWayAndLeavesItDirty) {
  const auto what = [](FarmFixture& farm) {
    farm.end_job_fails("w", "it hangs");
    return std::string();
  };
  expect_cells(
      what, {},
      {
          {"PREPARE dirty", "FAILED dirty: EndJob failed: it hangs | DONE: closed by alice"},
          {"BUSY dirty",
           "FAILED dirty: EndJob failed: it hangs | FAILED: worker worker-0001 put in maintenance by root: repairs"},
      });
}

TEST(WorkerAgent, SetFailWithoutAReasonSaysSo) {
  FarmFixture farm;
  farm.make_idle("w");
  farm.set_fail("w", "");
  EXPECT_EQ(farm.describe("w"), "FAILED: no reason given");
}

TEST(WorkerAgent, SetFailInMaintenanceIsKeptInTheHistory) {
  for (const auto* situation : {"MAINTENANCE", "BUSY"}) {
    FarmFixture farm;
    farm.bring(situation);
    farm.set_fail("w", "hot");
    const auto* noted = std::get_if<WorkerNoted>(&farm.events().back().body);
    ASSERT_NE(noted, nullptr) << situation;
    EXPECT_EQ(noted->text, "failure told while out of service: hot");
  }
}

TEST(WorkerAgent, WarningGoesToTheHistoryAlone) {
  FarmFixture farm;
  farm.make_idle("w");
  EXPECT_EQ(farm.act("w", NoteWorker{.uuid = farm.uuid("w"), .text = "the fan is loud"}), "");
  EXPECT_EQ(farm.last_events(), "worker noted");
  EXPECT_EQ(farm.describe("w"), "IDLE");
}

TEST(WorkerAgent, PrepareTellsWhoLogsInUntilTheWorkerIsPreparedAnew) {
  FarmFixture farm;
  farm.make_idle("w");
  farm.create("alice");
  EXPECT_EQ(farm.worker("w").username, "boruta-user");
  EXPECT_EQ(farm.worker("w").key_fingerprint, "SHA256:abc");
  farm.close("alice", RequestId{1});
  EXPECT_EQ(farm.worker("w").username, "");
  EXPECT_EQ(farm.worker("w").key_fingerprint, "");
}

TEST(WorkerAgent, FullCheckIsWantedAfterAFailureUntilTheNextPrepare) {
  FarmFixture farm;
  farm.bring("FAILED");
  farm.reconnect("w");
  EXPECT_TRUE(farm.worker("w").needs_full_check);
  farm.prepare_ok("w");
  EXPECT_EQ(farm.describe("w"), "IDLE");
  EXPECT_FALSE(farm.worker("w").needs_full_check);
}

TEST(WorkerAgent, AnswersOfAnOlderGenerationChangeNothing) {
  const auto stale = [](FarmFixture& farm, auto answer, std::string error) {
    answer.uuid = farm.uuid("w");
    answer.generation = Generation{farm.worker("w").generation.value - 1};
    answer.error = std::move(error);
    const auto before = farm.worker("w");
    EXPECT_EQ(farm.act("w", answer), "");
    EXPECT_EQ(farm.last_events(), "");
    EXPECT_EQ(farm.worker("w"), before);
  };
  for (const auto& situation : FarmFixture::situations()) {
    SCOPED_TRACE(situation);
    FarmFixture farm;
    farm.bring(situation);
    for (const auto* error : {"", "broken"}) {
      stale(farm, FinishPrepare{}, error);
      stale(farm, FinishGrant{}, error);
      stale(farm, FinishEndJob{}, error);
      stale(farm, FinishMaintenance{}, error);
    }
  }
}

TEST(WorkerAgent, AnswersOfWorkersThatAreGoneAreDropped) {
  FarmFixture farm;
  farm.register_worker("w");
  farm.deregister("w");
  const auto uuid = farm.uuid("w");
  EXPECT_EQ(farm.act("w", FinishPrepare{.uuid = uuid, .error = {}, .username = {}, .key_fingerprint = {}}), "");
  EXPECT_EQ(farm.act("w", FinishMaintenance{.uuid = uuid, .error = {}}), "");
  EXPECT_EQ(farm.act("server", DisconnectAgent{.uuid = uuid}), "");
  EXPECT_EQ(farm.last_events(), "");
  EXPECT_EQ(farm.set_fail("w", "hot"), "Worker not found");
  EXPECT_EQ(farm.act("w", NoteWorker{.uuid = uuid, .text = "loud"}), "Worker not found");
}

TEST(WorkerAgent, UntoldMaintenanceIsToldOnReturn) {
  FarmFixture farm;
  farm.bring("MAINTENANCE untold");
  farm.reconnect("w");
  farm.maintenance_ok("w");
  EXPECT_EQ(farm.describe("w"), "MAINTENANCE: repairs");
}

}  // namespace
}  // namespace boruta::farm

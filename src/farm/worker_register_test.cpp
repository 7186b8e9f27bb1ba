#include <gtest/gtest.h>

#include "farm/farm_fixture.hpp"

/// Registrations, in every situation. Cells that are missing from a table: nothing may change there.
namespace boruta::farm {
namespace {

using namespace std::chrono_literals;

constexpr const char* kSecondAgent =
    "another agent speaks for worker fa4e0000-0000-4000-8000-000000000001: stop it, or give this one a UUID of its own";

TEST(WorkerRegister, WithTheSameCapsBringsFailedBackAndAsksAgainWhereAnAnswerIsAwaited) {
  const auto what = [](FarmFixture& farm) { return farm.reconnect("w"); };
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

TEST(WorkerRegister, OfAWorkerWhoseKeyTheServerLostPreparesItAnew) {
  const auto what = [](FarmFixture& farm) {
    auto command = farm.hello(farm.agent("w"));
    command.key_lost = true;
    return farm.act("w", command);
  };
  const std::string failed = " | FAILED: the server has lost the key to its worker, as after a restore: file it again";
  expect_cells(what, {},
               {
                   {"IDLE", "PREPARE: the server has lost the key to it"},
                   {"IDLE away", "PREPARE: the server has lost the key to it"},
                   {"RUNNING", "PREPARE dirty" + failed},
                   {"RUNNING ungranted", "PREPARE dirty" + failed},
                   {"RUNNING away", "PREPARE dirty" + failed},
                   {"RUNNING lost", "PREPARE dirty" + failed},
                   {"RUNNING draining", "BUSY dirty: repairs" + failed},
                   {"RUNNING pending", "BUSY dirty: its capabilities or ports changed" + failed},
                   {"MAINTENANCE lost", "MAINTENANCE: new"},
                   {"MAINTENANCE untold", "MAINTENANCE untold: repairs"},
                   {"PREPARE away", "PREPARE"},
                   {"BUSY away", "BUSY: repairs"},
                   {"FAILED", "PREPARE check"},
                   {"FAILED lost", "PREPARE check"},
                   {"FAILED dirty", "PREPARE dirty check | FAILED: worker worker-0001 failed: hot"},
                   {"FAILED lost dirty", "PREPARE dirty check | FAILED: worker worker-0001 failed: agent lost"},
               });
}

TEST(WorkerRegister, WithChangedCapsGoesToBusyAndWaitsForARunningJob) {
  const auto what = [](FarmFixture& farm) {
    farm.agent("w").caps["ram"] = "8GiB";
    return farm.reconnect("w");
  };
  expect_cells(
      what, {},
      {
          {"MAINTENANCE", "BUSY: its capabilities or ports changed"},
          {"MAINTENANCE lost", "BUSY: its capabilities or ports changed"},
          {"MAINTENANCE untold", "BUSY: repairs"},
          {"PREPARE", "BUSY: its capabilities or ports changed"},
          {"PREPARE away", "BUSY: its capabilities or ports changed"},
          {"PREPARE dirty", "BUSY dirty: its capabilities or ports changed | DONE: closed by alice"},
          {"IDLE", "BUSY: its capabilities or ports changed"},
          {"IDLE away", "BUSY: its capabilities or ports changed"},
          {"RUNNING", "RUNNING pending | IN PROGRESS"},
          {"RUNNING ungranted", "RUNNING pending | IN PROGRESS ungranted"},
          {"RUNNING away", "RUNNING pending | IN PROGRESS"},
          {"RUNNING lost", "RUNNING pending | IN PROGRESS"},
          {"RUNNING draining", "RUNNING draining pending | IN PROGRESS"},
          {"BUSY away", "BUSY: repairs"},
          {"FAILED", "BUSY check: its capabilities or ports changed"},
          {"FAILED lost", "BUSY check: its capabilities or ports changed"},
          {"FAILED dirty",
           "BUSY dirty check: its capabilities or ports changed | FAILED: worker worker-0001 failed: hot"},
          {"FAILED lost dirty",
           "BUSY dirty check: its capabilities or ports changed | FAILED: worker worker-0001 failed: agent lost"},
      });
}

TEST(WorkerRegister, OfAnAgentThatLostItsAccountAndJobPreparesTheIdleAndFailsTheRunning) {
  const auto what = [](FarmFixture& farm) {
    farm.agent("w").prepared = false;
    farm.agent("w").job.reset();
    return farm.reconnect("w");
  };
  expect_cells(what, {},
               {
                   {"MAINTENANCE lost", "MAINTENANCE: new"},
                   {"MAINTENANCE untold", "MAINTENANCE untold: repairs"},
                   {"PREPARE away", "PREPARE"},
                   {"IDLE", "PREPARE: its agent was not prepared any more"},
                   {"IDLE away", "PREPARE: its agent was not prepared any more"},
                   {"RUNNING",
                    "FAILED dirty: the agent does not know its job any more | FAILED: worker worker-0001 failed: the "
                    "agent does not know its job any more"},
                   {"RUNNING ungranted",
                    "FAILED dirty: the agent does not know its job any more | FAILED: worker worker-0001 failed: the "
                    "agent does not know its job any more"},
                   {"RUNNING away",
                    "FAILED dirty: the agent does not know its job any more | FAILED: worker worker-0001 failed: the "
                    "agent does not know its job any more"},
                   {"RUNNING lost",
                    "FAILED dirty: the agent does not know its job any more | FAILED: worker worker-0001 failed: the "
                    "agent does not know its job any more"},
                   {"RUNNING draining",
                    "FAILED dirty: the agent does not know its job any more | FAILED: worker worker-0001 failed: the "
                    "agent does not know its job any more"},
                   {"RUNNING pending",
                    "FAILED dirty: the agent does not know its job any more | FAILED: worker worker-0001 failed: the "
                    "agent does not know its job any more"},
                   {"BUSY away", "BUSY: repairs"},
                   {"FAILED", "PREPARE check"},
                   {"FAILED lost", "PREPARE check"},
                   {"FAILED dirty", "PREPARE dirty check | FAILED: worker worker-0001 failed: hot"},
                   {"FAILED lost dirty", "PREPARE dirty check | FAILED: worker worker-0001 failed: agent lost"},
               });
}

TEST(WorkerRegister, OfAnAgentThatHoldsAnotherJobMakesTheWorkerDirtyAndNeverLeavesItIdle) {
  const auto what = [](FarmFixture& farm) {
    farm.agent("w").prepared = true;
    farm.agent("w").job = RequestId{77};
    return farm.reconnect("w");
  };
  expect_cells(what, {},
               {
                   {"MAINTENANCE", "MAINTENANCE dirty: new"},
                   {"MAINTENANCE lost", "MAINTENANCE dirty: new"},
                   {"MAINTENANCE untold", "MAINTENANCE dirty untold: repairs"},
                   {"PREPARE", "PREPARE dirty"},
                   {"PREPARE away", "PREPARE dirty"},
                   {"IDLE", "PREPARE dirty: its agent held a job that is over"},
                   {"IDLE away", "PREPARE dirty: its agent held a job that is over"},
                   {"RUNNING",
                    "FAILED dirty: the agent does not know its job any more | FAILED: worker worker-0001 failed: the "
                    "agent does not know its job any more"},
                   {"RUNNING ungranted",
                    "FAILED dirty: the agent does not know its job any more | FAILED: worker worker-0001 failed: the "
                    "agent does not know its job any more"},
                   {"RUNNING away",
                    "FAILED dirty: the agent does not know its job any more | FAILED: worker worker-0001 failed: the "
                    "agent does not know its job any more"},
                   {"RUNNING lost",
                    "FAILED dirty: the agent does not know its job any more | FAILED: worker worker-0001 failed: the "
                    "agent does not know its job any more"},
                   {"RUNNING draining",
                    "FAILED dirty: the agent does not know its job any more | FAILED: worker worker-0001 failed: the "
                    "agent does not know its job any more"},
                   {"RUNNING pending",
                    "FAILED dirty: the agent does not know its job any more | FAILED: worker worker-0001 failed: the "
                    "agent does not know its job any more"},
                   {"BUSY", "BUSY dirty: repairs"},
                   {"BUSY away", "BUSY dirty: repairs"},
                   {"FAILED", "PREPARE dirty check"},
                   {"FAILED lost", "PREPARE dirty check"},
                   {"FAILED dirty", "PREPARE dirty check | FAILED: worker worker-0001 failed: hot"},
                   {"FAILED lost dirty", "PREPARE dirty check | FAILED: worker worker-0001 failed: agent lost"},
               });
}

TEST(WorkerRegister, OfASecondAgentIsRefusedWhileTheFirstIsConnectedOrRuns) {
  const auto what = [](FarmFixture& farm) {
    farm.agent("w").instance = "other";
    return farm.reconnect("w");
  };
  expect_cells(what, kSecondAgent,
               {
                   {"MAINTENANCE lost", "MAINTENANCE: new"},
                   {"MAINTENANCE untold", "MAINTENANCE untold: repairs"},
                   {"PREPARE away", "PREPARE"},
                   {"IDLE away", "IDLE"},
                   {"BUSY away", "BUSY: repairs"},
                   {"FAILED lost", "PREPARE check"},
                   {"FAILED lost dirty", "PREPARE dirty check | FAILED: worker worker-0001 failed: agent lost"},
               });
}

TEST(WorkerRegister, OfANewWorkerPutsItInMaintenance) {
  FarmFixture farm;
  EXPECT_EQ(farm.register_worker("w", {{"board", "rpi4"}, {"name", "desk"}}), "");
  EXPECT_EQ(farm.describe("w"), "MAINTENANCE: new");
  EXPECT_EQ(name_of(farm.worker("w")), "desk");
  farm.register_worker("x", {{"board", "rpi4"}});
  EXPECT_EQ(name_of(farm.worker("x")), "rpi4-0002");
  farm.register_worker("y");
  EXPECT_EQ(name_of(farm.worker("y")), "worker-0003");
}

TEST(WorkerRegister, OfANewWorkerWithAJobOfBeforeMakesItDirty) {
  FarmFixture farm;
  farm.register_worker("w");
  farm.deregister("w");
  farm.agent("w").job = RequestId{5};
  farm.reconnect("w");
  EXPECT_EQ(farm.describe("w"), "MAINTENANCE dirty: new");
  farm.end_job_ok("w");
  EXPECT_EQ(farm.describe("w"), "MAINTENANCE: new");
}

TEST(WorkerRegister, OfANewWorkerThatStandsPreparedMakesItDirty) {
  FarmFixture farm;
  farm.register_worker("w");
  farm.deregister("w");
  farm.agent("w").prepared = true;
  farm.reconnect("w");
  EXPECT_EQ(farm.describe("w"), "MAINTENANCE dirty: new") << "its agent need not have heard of a job yet";
  farm.end_job_ok("w");
  EXPECT_EQ(farm.describe("w"), "MAINTENANCE: new");
}

TEST(WorkerRegister, RefusesWhatNamesNoWorker) {
  struct Bad {
    Registration registration;
    std::string refusal;
  };
  const std::string good = "fa4e0000-0000-4000-8000-000000000001";
  Capabilities many{{"UUID", good}};
  for (int number = 0; number < 64; ++number) many.emplace("cap" + std::to_string(number), "");
  const std::vector<Bad> table{
      {{.caps = {}, .ssh_address = {}, .ssh_port = 22, .host_keys = {}}, "the capability UUID is missing"},
      {{.caps = {{"uuid", good}}, .ssh_address = {}, .ssh_port = 22, .host_keys = {}},
       "the capability UUID is missing"},
      {{.caps = {{"UUID", "FA4E0000-0000-4000-8000-000000000001"}}, .ssh_address = {}, .ssh_port = 22, .host_keys = {}},
       "the capability UUID is \"FA4E0000-0000-4000-8000-000000000001\", a lower-case RFC 4122 UUID is expected"},
      {{.caps = {{"UUID", ""}}, .ssh_address = {}, .ssh_port = 22, .host_keys = {}},
       "the capability UUID is \"\", a lower-case RFC 4122 UUID is expected"},
      {{.caps = {{"UUID", good}}, .ssh_address = {}, .ssh_port = 0, .host_keys = {}},
       "the ssh port is 0, 1 to 65535 is expected"},
      {{.caps = many, .ssh_address = {}, .ssh_port = 22, .host_keys = {}},
       "Caps has 65 entries, at most 64 are allowed"}};
  FarmFixture farm;
  for (const auto& bad : table) {
    const RegisterWorker command{.registration = bad.registration, .instance = "i", .job = {}, .token = {}};
    EXPECT_EQ(farm.act("server", command), "invalid request: " + bad.refusal);
  }
  EXPECT_TRUE(farm.farm().workers().empty());
}

TEST(WorkerRegister, WithAnotherAddressChangesTheAddressAlone) {
  for (const auto* situation : {"MAINTENANCE", "IDLE", "RUNNING"}) {
    SCOPED_TRACE(situation);
    FarmFixture farm;
    farm.bring(situation);
    const auto before = farm.outcome();
    farm.agent("w").address = "192.0.2.99";
    farm.reconnect("w");
    EXPECT_EQ(farm.outcome(), before);
    EXPECT_EQ(farm.worker("w").registration.ssh_address, "192.0.2.99");
  }
}

TEST(WorkerRegister, WithAnotherPortOrHostKeyGoesToBusy) {
  FarmFixture farm;
  farm.make_idle("w");
  farm.agent("w").ssh_port = 2222;
  farm.reconnect("w");
  EXPECT_EQ(farm.describe("w"), "BUSY: its capabilities or ports changed");
  EXPECT_EQ(farm.worker("w").registration.ssh_port, 2222);
  farm.maintenance_ok("w");
  farm.agent("w").host_keys = {"ssh-ed25519 BBBB"};
  farm.reconnect("w");
  EXPECT_EQ(farm.describe("w"), "BUSY: its capabilities or ports changed");
}

TEST(WorkerRegister, ChangeThatWaitsIsTakenOverHoweverTheJobEnds) {
  const std::vector<std::function<void(FarmFixture&)>> ends{
      [](FarmFixture& farm) { farm.close("alice", RequestId{1}); },
      [](FarmFixture& farm) { farm.advance(1h); },
      [](FarmFixture& farm) { farm.set_fail("w", "hot"); },
      [](FarmFixture& farm) { farm.set_state("w", WorkerState::kMaintenance); },
      [](FarmFixture& farm) { farm.lose("w"), farm.close("alice", RequestId{1}); },
      [](FarmFixture& farm) { farm.lose("w"), farm.advance(10min); },
      [](FarmFixture& farm) { farm.agent("w").job.reset(), farm.reconnect("w"); }};
  for (const auto& end : ends) {
    FarmFixture farm;
    farm.bring("RUNNING pending");
    EXPECT_FALSE(farm.worker("w").registration.caps.contains("board"));
    end(farm);
    EXPECT_NE(farm.worker("w").state, WorkerState::kRunning);
    EXPECT_EQ(farm.worker("w").registration.caps.at("board"), "new");
  }
}

TEST(WorkerRegister, ThatTakesAChangeBackLetsTheJobEndAsIfThereWasNone) {
  FarmFixture farm;
  farm.bring("RUNNING pending");
  farm.agent("w").caps.erase("board");
  farm.reconnect("w");
  EXPECT_EQ(farm.outcome(), "RUNNING | IN PROGRESS");
  farm.close("alice", RequestId{1});
  EXPECT_EQ(farm.describe("w"), "PREPARE dirty");
}

TEST(WorkerRegister, ThatFailsTheJobKeepsWhatTheAgentToldOfItself) {
  FarmFixture farm;
  farm.bring("RUNNING");
  farm.agent("w").job.reset();
  farm.agent("w").ssh_port = 2222;
  farm.reconnect("w");
  EXPECT_EQ(farm.worker("w").state, WorkerState::kFailed);
  EXPECT_EQ(farm.worker("w").registration.ssh_port, 2222);
  farm.reconnect("w");
  EXPECT_EQ(farm.describe("w"), "PREPARE dirty check");
}

TEST(WorkerRegister, OfAnAgentThatHasTheJobBeforeItsAnswerToGrantGoesOn) {
  FarmFixture farm;
  farm.bring("RUNNING ungranted");
  farm.agent("w").job = RequestId{1};
  farm.reconnect("w");
  EXPECT_EQ(farm.outcome(), "RUNNING | IN PROGRESS ungranted");
}

TEST(WorkerRegister, GoesBeyondTheGenerationThatTheAgentObeyed) {
  for (const auto* situation : {"PREPARE", "IDLE", "RUNNING", "BUSY", "FAILED", "MAINTENANCE"}) {
    SCOPED_TRACE(situation);
    FarmFixture farm;
    farm.bring(situation);
    farm.agent("w").generation = Generation{1000};
    farm.reconnect("w");
    EXPECT_GE(farm.worker("w").generation, Generation{1000});
    farm.set_state("w", WorkerState::kMaintenance);
    farm.set_fail("w", "hot");
    EXPECT_GE(farm.worker("w").generation, Generation{1000});
  }
  FarmFixture farm;
  farm.bring("PREPARE");
  const auto before = farm.worker("w").generation;
  farm.reconnect("w");
  EXPECT_EQ(farm.worker("w").generation, Generation{before.value + 1}) << "asking again is a new generation";
}

TEST(WorkerRegister, WithABoundTokenIsForThatWorkerAlone) {
  FarmFixture farm;
  farm.make_idle("x");
  farm.disconnect("x");
  const auto token = farm.create_worker_token(false);
  farm.register_worker("w");
  farm.agent("w").token = token;
  EXPECT_EQ(farm.reconnect("w"), "");
  EXPECT_EQ(farm.farm().tokens().at(token).bound, farm.uuid("w"));
  EXPECT_EQ(farm.reconnect("w"), "");
  farm.agent("x").token = token;
  EXPECT_EQ(farm.reconnect("x"),
            "this token belongs to worker fa4e0000-0000-4000-8000-000000000002, not to "
            "fa4e0000-0000-4000-8000-000000000001");
  EXPECT_FALSE(farm.worker("x").connected);
  farm.deregister("w");
  EXPECT_TRUE(farm.farm().tokens().at(token).revoked);
}

TEST(WorkerRegister, WithAReusableTokenBindsAndRevokesNothing) {
  FarmFixture farm;
  const auto token = farm.create_worker_token(true);
  for (const auto* name : {"w", "x"}) {
    farm.register_worker(name);
    farm.agent(name).token = token;
    EXPECT_EQ(farm.reconnect(name), "");
  }
  farm.deregister("w");
  EXPECT_EQ(farm.farm().tokens().at(token).bound, std::nullopt);
  EXPECT_FALSE(farm.farm().tokens().at(token).revoked);
}

TEST(WorkerRegister, ThatIsRefusedBindsNoToken) {
  FarmFixture farm;
  farm.register_worker("w");
  const auto token = farm.create_worker_token(false);
  farm.agent("w").token = token;
  farm.agent("w").instance = "other";
  EXPECT_NE(farm.reconnect("w"), "");
  EXPECT_EQ(farm.farm().tokens().at(token).bound, std::nullopt);
}

TEST(WorkerRegister, OfASecondAgentSucceedsOnceTheFirstIsGone) {
  FarmFixture farm;
  farm.make_idle("w");
  farm.disconnect("w");
  farm.agent("w").instance = "other";
  farm.agent("w").prepared = false;
  EXPECT_EQ(farm.reconnect("w"), "");
  EXPECT_EQ(farm.worker("w").instance, "other");
  EXPECT_EQ(farm.describe("w"), "PREPARE: its agent was not prepared any more");
}

}  // namespace
}  // namespace boruta::farm

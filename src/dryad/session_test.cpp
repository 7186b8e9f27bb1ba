#include <gtest/gtest.h>

#include "dryad/session_fixture.hpp"

namespace boruta::dryad {
namespace {

using namespace std::chrono_literals;

TEST_F(SessionTest, IntroducesItselfFirst) {
  boot();
  EXPECT_EQ(start(), Texts{});
  EXPECT_EQ(connect(), Texts{"Register one generation 0 prepared false job 0"});
  EXPECT_FALSE(session_->online());
  EXPECT_EQ(hear(agent::Welcome{.heartbeat_every = 10s, .lost_grace = 10min}), Texts{});
  EXPECT_TRUE(session_->online());
}

TEST_F(SessionTest, BeatsAtTheIntervalOfWelcome) {
  go_online();
  EXPECT_EQ(session_->next_deadline(), now_.lease + 10s);
  pass(9s);
  EXPECT_EQ(tick(), Texts{});
  pass(1s);
  EXPECT_EQ(tick(), Texts{"Heartbeat"});
  EXPECT_EQ(session_->next_deadline(), now_.lease + 10s);
}

TEST_F(SessionTest, ClosesAStreamOnWhichNobodyWelcomesIt) {
  boot();
  (void)connect();
  pass(kWelcomeWithin);
  EXPECT_EQ(session_->next_deadline(), now_.lease);
  EXPECT_EQ(tick(), Texts{"close: the server did not answer Register"});
}

TEST_F(SessionTest, ObeysEachCommandAndAnswersItOnce) {
  struct Case {
    Operation operation;
    Texts begun;
    Texts done;
  };
  const std::vector<Case> cases{
      {agent::Prepare{}, {"start Prepare"}, {"Done 0 5"}},
      {agent::EndJob{}, {"start EndJob"}, {"Done 2 5"}},
      {agent::PutInMaintenance{.message = "hi"}, {"start PutInMaintenance"}, {"Done 3 5"}},
      {agent::Healthcheck{}, {"start Healthcheck"}, {"Done 4 5"}},
      {agent::Healthcheck{.full = true}, {"start Healthcheck"}, {"Done 4 5"}},
  };
  for (const auto& [operation, begun, done] : cases) {
    go_online();
    EXPECT_EQ(command(5, operation), begun);
    EXPECT_EQ(store_.saved.generation, Generation{5}) << "must be on disk before the command is obeyed";
    EXPECT_EQ(finish(), done);
    EXPECT_FALSE(session_->busy());
    store_ = {};
  }
}

TEST_F(SessionTest, HandsOverTheKeyOfPrepare) {
  go_online();
  (void)command(1, agent::Prepare{});
  EXPECT_FALSE(store_.saved.prepared);
  EXPECT_EQ(finish_prepare(), Texts{"Done 0 1 user PEM"});
  EXPECT_TRUE(store_.saved.prepared);
}

TEST_F(SessionTest, TellsWhyAnOperationFailed) {
  go_online();
  (void)command(1, agent::Prepare{});
  EXPECT_EQ(finish("useradd: no"), Texts{"Done 0 1: useradd: no"});
  EXPECT_FALSE(store_.saved.prepared);
}

TEST_F(SessionTest, GrantsAJobOnlyOnAPreparedWorker) {
  go_online();
  EXPECT_EQ(command(1, grant()), Texts{"Done 1 1: not prepared"});
  go_prepared();
  EXPECT_EQ(command(2, grant()), Texts{"start Grant"});
  EXPECT_EQ(store_.saved.job, RequestId{7});
  EXPECT_EQ(store_.saved.job_end, now_.wall + 1h);
  EXPECT_EQ(finish(), Texts{"Done 1 2"});
  EXPECT_EQ(command(3, grant()), Texts{"start Grant"}) << "asked again after a reconnect";
  (void)finish();
  EXPECT_EQ(command(4, grant(8)), Texts{"Done 1 4: job 7 is still on this worker"});
}

TEST_F(SessionTest, ConnectsTunnelsOfTheRunningJobAlone) {
  const auto open = [&](std::uint64_t job) {
    return texts(session_->received(agent::OpenTunnel{.job = RequestId{job}, .token = Secret("t")}, now_));
  };
  go_prepared();
  EXPECT_EQ(open(7), Texts{"TunnelFailed t: job 7 is not on this worker"});
  (void)command(2, grant());
  (void)finish();
  EXPECT_EQ(open(7), Texts{"connect t"});
  EXPECT_EQ(open(8), Texts{"TunnelFailed t: job 8 is not on this worker"});
  (void)command(3, agent::EndJob{});
  EXPECT_EQ(open(7), Texts{"TunnelFailed t: job 7 is not on this worker"}) << "from its order on, not its end";
}

TEST_F(SessionTest, LetsTheRunningJobAloneUseTheBoard) {
  const auto use = [&] {
    return hear(agent::UseBoard{.job = RequestId{7}, .ticket = 3, .action = agent::BoardAction::kPowerOff});
  };
  go_prepared();
  EXPECT_EQ(use(), Texts{"BoardUsed 3: job 7 is not on this worker, or not any more"});
  (void)command(2, grant());
  (void)finish();
  EXPECT_EQ(use(), Texts{"power off 3"});
}

TEST_F(SessionTest, TrustsNoAccountWhoseGrantFailed) {
  go_prepared();
  (void)command(2, grant());
  EXPECT_EQ(finish("disk full"), Texts{"Done 1 2: disk full"});
  EXPECT_FALSE(store_.saved.prepared);
  EXPECT_EQ(store_.saved.job, std::nullopt);
  EXPECT_TRUE(store_.saved.ending);
}

TEST_F(SessionTest, RefusesLowerGenerationsAndTakesEqualOnes) {
  go_online();
  (void)command(5, agent::PutInMaintenance{});
  (void)finish();
  EXPECT_EQ(command(4, agent::Prepare{}), Texts{"Done 0 4: stale generation 4: 5 was obeyed already"});
  EXPECT_EQ(command(5, agent::Prepare{}), Texts{"start Prepare"});
}

TEST_F(SessionTest, RemembersTheGenerationOverARestart) {
  go_online();
  (void)command(5, agent::PutInMaintenance{});
  boot();
  EXPECT_EQ(connect(), Texts{"Register one generation 5 prepared false job 0"});
  (void)hear(agent::Welcome{.heartbeat_every = 10s, .lost_grace = 10min});
  EXPECT_EQ(command(4, agent::EndJob{}), Texts{"Done 2 4: stale generation 4: 5 was obeyed already"});
}

TEST_F(SessionTest, ObeysNothingThatItCannotRemember) {
  go_online();
  store_.broken = true;
  EXPECT_EQ(command(1, agent::Prepare{}), Texts{"Done 0 1: the agent's state can't be kept: disk full"});
  EXPECT_EQ(session_->state().generation, Generation{0});
  EXPECT_FALSE(session_->busy());
}

TEST_F(SessionTest, TakesBackAPreparationThatItCannotRemember) {
  go_online();
  (void)command(1, agent::Prepare{});
  store_.broken = true;
  EXPECT_EQ(finish_prepare(), Texts{"Done 0 1: the agent's state can't be kept: disk full user "});
  EXPECT_FALSE(session_->state().prepared);
}

TEST_F(SessionTest, ObeysOneAtATimeInOrder) {
  go_online();
  EXPECT_EQ(command(1, agent::EndJob{}), Texts{"start EndJob"});
  EXPECT_EQ(command(1, agent::Prepare{}), Texts{});
  EXPECT_EQ(command(2, agent::PutInMaintenance{}), Texts{});
  EXPECT_EQ(command(1, agent::Prepare{}), Texts{});
  EXPECT_EQ(finish(), (Texts{"Done 2 1", "start Prepare"}));
  EXPECT_EQ(finish("no"), (Texts{"Done 0 1: no", "start PutInMaintenance"}));
  EXPECT_EQ(finish(), (Texts{"Done 3 2", "Done 0 1: stale generation 1: 2 was obeyed already"}));
}

TEST_F(SessionTest, ClosesTheStreamWhenTooManyCommandsWait) {
  go_online();
  (void)command(1, agent::EndJob{});
  for (std::size_t i = 0; i < kCommandQueue; ++i) EXPECT_EQ(command(1, agent::EndJob{}), Texts{});
  EXPECT_EQ(command(1, agent::EndJob{}), Texts{"close: more than 16 commands wait to be obeyed"});
  (void)disconnect();
  EXPECT_EQ(finish(), Texts{}) << "the stream that asked is gone, and so is the queue";
}

TEST_F(SessionTest, DoesNotObeyBeforeItIsWelcome) {
  boot();
  (void)connect();
  EXPECT_EQ(command(1, agent::Prepare{}), Texts{"Done 0 1: a command before Welcome"});
  EXPECT_EQ(store_.writes, 0);
}

TEST_F(SessionTest, DropsTheAnswerWhenTheStreamThatAskedIsGone) {
  go_online();
  (void)command(1, agent::Prepare{});
  (void)disconnect();
  EXPECT_EQ(connect(), Texts{"Register one generation 1 prepared false job 0"});
  (void)hear(agent::Welcome{.heartbeat_every = 10s, .lost_grace = 10min});
  EXPECT_EQ(command(1, agent::Prepare{}), Texts{}) << "waits for the first";
  EXPECT_EQ(finish_prepare(), Texts{"start Prepare"});
  EXPECT_EQ(finish_prepare(), Texts{"Done 0 1 user PEM"});
}

TEST_F(SessionTest, ReportsHealth) {
  go_online();
  (void)command(1, agent::Healthcheck{});
  OperationResult warned;
  warned.warnings = {"disk 91 % full"};
  EXPECT_EQ(texts(session_->finished(warned, now_)), (Texts{"Warning disk 91 % full", "Done 4 1"}));
  (void)command(1, agent::Healthcheck{});
  EXPECT_EQ(finish("no power"), (Texts{"SetFail no power", "Done 4 1: no power"}));
}

TEST_F(SessionTest, CancelsAPeriodicHealthcheckForACommandThatMatters) {
  go_prepared();
  (void)command(1, agent::Healthcheck{});
  EXPECT_EQ(command(2, grant()), Texts{"cancel"});
  OperationResult cancelled;
  cancelled.error = "check: stopped";
  cancelled.cancelled = true;
  EXPECT_EQ(texts(session_->finished(cancelled, now_)), (Texts{"Done 4 1: cancelled by a command", "start Grant"}));
}

TEST_F(SessionTest, LetsAFullHealthcheckEnd) {
  go_online();
  (void)command(1, agent::Healthcheck{.full = true});
  EXPECT_EQ(command(1, agent::PutInMaintenance{}), Texts{});
}

}  // namespace
}  // namespace boruta::dryad

#include <gtest/gtest.h>

#include "dryad/exit_codes.hpp"
#include "dryad/session_fixture.hpp"

namespace boruta::dryad {
namespace {

using namespace std::chrono_literals;

TEST_F(SessionTest, KeepsAJobOverARestart) {
  go_granted();
  pass(10min);
  boot();
  EXPECT_EQ(start(), Texts{});
  EXPECT_EQ(connect(), Texts{"Register one generation 2 prepared true job 7"});
}

TEST_F(SessionTest, ForgetsAJobWhoseAccountIsGone) {
  go_granted();
  boot(false);
  EXPECT_EQ(start(), Texts{"start EndJob"});
  EXPECT_EQ(connect(), Texts{"Register one generation 2 prepared false job 0"});
}

TEST_F(SessionTest, EndsTheJobWhenCutOffPastItsEndAndGrace) {
  go_granted();
  EXPECT_EQ(disconnect(), Texts{});
  EXPECT_EQ(session_->next_deadline(), now_.lease + 1h + 10min);
  pass(1h + 10min - 1ns);
  EXPECT_EQ(tick(), Texts{});
  pass(1ns);
  EXPECT_EQ(tick(), (Texts{"note: job 7 is over and the server out of reach: ending it", "start EndJob"}));
  EXPECT_EQ(connect(), Texts{"Register one generation 2 prepared false job 0"}) << "even before it is done";
  EXPECT_EQ(finish(), Texts{});
  EXPECT_FALSE(store_.saved.ending);
}

TEST_F(SessionTest, EndsAShortJobInTimeHoweverLateItsServerWasThere) {
  go_prepared();
  auto brief = grant();
  brief.remaining = 2s;
  (void)command(2, brief);
  (void)finish();
  (void)hear(agent::Welcome{.heartbeat_every = 10s, .lost_grace = 1s});
  (void)disconnect();
  EXPECT_EQ(session_->next_deadline(), now_.lease + 3s);
}

TEST_F(SessionTest, LeavesTheJobToTheServerWhileItIsThere) {
  go_granted();
  pass(24h);
  EXPECT_EQ(tick(), Texts{"Heartbeat"});
  EXPECT_EQ(disconnect(), (Texts{"note: job 7 is over and the server out of reach: ending it", "start EndJob"}));
}

TEST_F(SessionTest, EndsTheJobOnTheLeaseClockWhateverWallTimeDoes) {
  go_granted();
  (void)disconnect();
  now_.wall += 48h;
  EXPECT_EQ(tick(), Texts{});
  now_.lease += 1h + 10min;
  EXPECT_EQ(tick().back(), "start EndJob");
}

TEST_F(SessionTest, EndsAJobThatRanOutWhileItWasDown) {
  go_granted();
  pass(1h + 10min);
  boot();
  EXPECT_EQ(start(), (Texts{"note: job 7 is over and the server out of reach: ending it", "start EndJob"}));
}

TEST_F(SessionTest, MovesTheEndOfTheJob) {
  go_granted();
  EXPECT_EQ(hear(agent::JobRemaining{.job = RequestId{8}, .remaining = 1s}), Texts{});
  EXPECT_EQ(store_.saved.job_end, now_.wall + 1h) << "another job's";
  EXPECT_EQ(hear(agent::JobRemaining{.job = RequestId{7}, .remaining = 3h}), Texts{});
  EXPECT_EQ(store_.saved.job_end, now_.wall + 3h);
  (void)disconnect();
  EXPECT_EQ(session_->next_deadline(), now_.lease + 3h + 10min);
  boot();
  EXPECT_EQ(session_->next_deadline(), now_.lease + 3h + 10min);
}

TEST_F(SessionTest, KeepsTheGraceThatTheServerGave) {
  go_granted();
  (void)hear(agent::Welcome{.heartbeat_every = 10s, .lost_grace = 1min});
  boot();
  EXPECT_EQ(session_->next_deadline(), now_.lease + 1h + 1min);
}

TEST_F(SessionTest, TriesAgainToEndAJobWhenItFailed) {
  go_granted();
  (void)disconnect();
  pass(2h);
  (void)tick();
  EXPECT_EQ(finish("1 process survived"), Texts{"note: 1 process survived"});
  EXPECT_EQ(session_->next_deadline(), now_.lease + kEndRetry);
  pass(kEndRetry);
  EXPECT_EQ(tick(), Texts{"start EndJob"});
}

TEST_F(SessionTest, TriesAgainToEndAJobThatTheServerKnowsNothingOf) {
  go_granted();
  (void)disconnect();
  pass(2h);
  (void)tick();
  (void)connect();
  EXPECT_EQ(finish("1 process survived"), Texts{"note: 1 process survived"});
  (void)hear(agent::Welcome{.heartbeat_every = 10min, .lost_grace = 10min});
  EXPECT_EQ(session_->next_deadline(), now_.lease + kEndRetry) << "the server may ask for it";
  pass(kEndRetry);
  EXPECT_EQ(tick(), Texts{"start EndJob"});
  EXPECT_EQ(finish(), Texts{});
  EXPECT_EQ(session_->next_deadline(), now_.lease + 10min - kEndRetry);
}

TEST_F(SessionTest, FinishesWhatACrashInterrupted) {
  go_granted();
  (void)command(3, agent::EndJob{});
  boot();
  EXPECT_EQ(start(), Texts{"start EndJob"});
  store_ = {};
  go_granted();
  (void)command(3, agent::Prepare{});
  boot();
  EXPECT_EQ(start(), Texts{"start EndJob"});
}

TEST_F(SessionTest, HasNothingLeftAfterEndJob) {
  go_granted();
  (void)command(3, agent::EndJob{});
  (void)finish();
  EXPECT_EQ(store_.saved.job, std::nullopt);
  EXPECT_FALSE(store_.saved.prepared);
  EXPECT_FALSE(store_.saved.ending);
  (void)disconnect();
  EXPECT_EQ(session_->next_deadline(), std::nullopt);
}

TEST_F(SessionTest, CleansUpAndStopsWhenDeregistered) {
  go_prepared();
  EXPECT_EQ(hear(agent::Deregistered{}), Texts{"start EndJob"});
  EXPECT_EQ(command(9, agent::Prepare{}), Texts{});
  EXPECT_EQ(finish(), Texts{fmt::format("stop {}", kExitDeregistered)});
  EXPECT_EQ(store_.saved, (AgentState{.instance = "one"})) << "started again it is new";
}

TEST_F(SessionTest, EndsTheJobAtTheNextStartWhenItWasKilledWhileItLeft) {
  go_granted();
  EXPECT_EQ(hear(agent::Deregistered{}), Texts{"start EndJob"});
  boot();
  EXPECT_EQ(start(), Texts{"start EndJob"});
}

TEST_F(SessionTest, GoesOnEndingTheJobForAsLongAsItMayTakeToLeave) {
  go_granted();
  (void)hear(agent::Deregistered{});
  EXPECT_EQ(finish("1 process survived"), (Texts{"note: 1 process survived", "start EndJob"}));
  pass(kLeaveWithin);
  EXPECT_EQ(tick(), Texts{fmt::format("stop {}", kExitDeregistered)});
  EXPECT_TRUE(store_.saved.ending);
}

TEST_F(SessionTest, StopsAtOnceWhenDeregisteredWithNothingOn) {
  go_online();
  EXPECT_EQ(hear(agent::Deregistered{}), Texts{fmt::format("stop {}", kExitDeregistered)});
}

TEST_F(SessionTest, StopsWhenDeregisteredEvenIfAnOperationHangs) {
  go_online();
  (void)command(1, agent::Prepare{});
  EXPECT_EQ(hear(agent::Deregistered{}), Texts{"cancel"});
  EXPECT_EQ(disconnect(), Texts{});
  pass(kLeaveWithin);
  EXPECT_EQ(tick(), Texts{fmt::format("stop {}", kExitDeregistered)});
}

TEST_F(SessionTest, SendsNoHeartbeatsWhenItPlaysDead) {
  Session::Options options{.identity = {}, .heartbeats = false};
  session_.emplace(std::move(options), &store_, store_.saved, false, now_);
  (void)connect();
  (void)hear(agent::Welcome{.heartbeat_every = 10s, .lost_grace = 10min});
  EXPECT_EQ(session_->next_deadline(), std::nullopt);
  pass(1min);
  EXPECT_EQ(tick(), Texts{});
}

}  // namespace
}  // namespace boruta::dryad

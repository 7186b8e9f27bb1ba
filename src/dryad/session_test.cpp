#include "dryad/session.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <expected>
#include <string>
#include <vector>

#include "dryad/exit_codes.hpp"

namespace boruta::dryad {
namespace {

using namespace std::chrono_literals;
using Texts = std::vector<std::string>;

const Instant kStart{std::chrono::hours(24) * 20'000};

/// Fails when told to.
class FakeStore final : public StateStore {
 public:
  std::expected<void, std::string> save(const AgentState& state) override {
    if (broken) return std::unexpected("disk full");
    saved = state;
    ++writes;
    return {};
  }

  AgentState saved{.instance = "one"};
  bool broken = false;
  int writes = 0;
};

std::string name_of(const Operation& operation) {
  switch (operation.index()) {
    case 0:
      return "Prepare";
    case 1:
      return "Grant";
    case 2:
      return "EndJob";
    case 3:
      return "PutInMaintenance";
    default:
      return "Healthcheck";
  }
}

struct MessageText {
  std::string operator()(const agent::Register& hello) const {
    return fmt::format("Register {} generation {} prepared {} job {}", hello.instance, hello.generation.value,
                       hello.prepared, hello.job ? hello.job->value : 0);
  }
  std::string operator()(const agent::Heartbeat&) const { return "Heartbeat"; }
  std::string operator()(const agent::SetFail& fail) const { return "SetFail " + fail.reason; }
  std::string operator()(const agent::TunnelFailed& failed) const {
    return fmt::format("TunnelFailed {}: {}", failed.token.reveal(), failed.reason);
  }
  std::string operator()(const agent::BoardUsed& used) const {
    return fmt::format("BoardUsed {}: {}", used.ticket, used.result.error);
  }
  std::string operator()(const agent::ConsoleRead& read) const { return fmt::format("ConsoleRead {}", read.ticket); }
  std::string operator()(const agent::Warning& warning) const { return "Warning " + warning.text; }
  std::string operator()(const agent::Done& done) const {
    std::string text = fmt::format("Done {} {}", static_cast<int>(done.kind), done.generation.value);
    if (!done.error.empty()) text += ": " + done.error;
    if (!done.username.empty()) text += fmt::format(" {} {}", done.username, done.private_key.reveal());
    return text;
  }
};

struct ActionText {
  std::string operator()(const SendMessage& send) const { return std::visit(MessageText{}, send.message); }
  std::string operator()(const StartOperation& start) const { return "start " + name_of(start.operation); }
  std::string operator()(const CancelOperation&) const { return "cancel"; }
  std::string operator()(const CloseStream& close) const { return "close: " + close.reason; }
  std::string operator()(const ConnectTunnel& tunnel) const { return fmt::format("connect {}", tunnel.token.reveal()); }
  std::string operator()(const UseBoard& use) const { return fmt::format("{} {}", words_of(use.action), use.ticket); }
  std::string operator()(const ReadConsole& read) const { return fmt::format("console {}", read.job.value); }
  std::string operator()(const StopAgent& stop) const { return fmt::format("stop {}", stop.exit_code); }
  std::string operator()(const Note& note) const { return "note: " + note.text; }
};

Texts texts(const Actions& actions) {
  Texts result;
  for (const auto& action : actions) result.push_back(std::visit(ActionText{}, action));
  return result;
}

/// A session on a virtual clock, whose disk outlives it.
class SessionTest : public testing::Test {
 protected:
  void boot(bool standing = true) {
    Session::Options options{.identity = {.caps = {{"UUID", "fa4e0000-0000-4000-8000-000000000000"}},
                                          .ssh_address = "",
                                          .ssh_port = 22,
                                          .host_keys = {}},
                             .heartbeats = true};
    session_.emplace(std::move(options), &store_, store_.saved, standing, now_);
  }

  void pass(Duration time) {
    now_.wall += time;
    now_.lease += time;
  }

  Texts start() { return texts(session_->start(now_)); }
  Texts connect() { return texts(session_->connected(now_)); }
  Texts disconnect() { return texts(session_->disconnected(now_)); }
  Texts hear(const agent::ToAgent& message) { return texts(session_->received(message, now_)); }
  Texts tick() { return texts(session_->tick(now_)); }
  Texts command(std::uint64_t generation, Operation body) {
    return hear(agent::Command{.generation = Generation{generation}, .body = std::move(body)});
  }
  Texts finish(const std::string& error = "") {
    OperationResult result;
    result.error = error;
    return texts(session_->finished(std::move(result), now_));
  }
  Texts finish_prepare() {
    OperationResult result;
    result.username = "user";
    result.private_key = Secret("PEM");
    return texts(session_->finished(std::move(result), now_));
  }

  void go_online() {
    boot();
    (void)start();
    (void)connect();
    (void)hear(agent::Welcome{.heartbeat_every = 10s, .lost_grace = 10min});
  }
  void go_prepared() {
    go_online();
    (void)command(1, agent::Prepare{});
    (void)finish_prepare();
  }
  agent::Grant grant(std::uint64_t job = 7) {
    return {.job = RequestId{job}, .public_keys = {"ssh-rsa A"}, .remaining = 1h};
  }
  void go_granted() {
    go_prepared();
    (void)command(2, grant());
    (void)finish();
  }

  FakeStore store_;
  Now now_{.wall = kStart, .lease = kStart};
  std::optional<Session> session_;
};

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

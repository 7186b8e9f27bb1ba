#include "dryad/board.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <fstream>
#include <thread>
#include <tuple>

#include "dryad/files.hpp"
#include "dryad/processes.hpp"
#include "dryad/scratch_dir.hpp"
#include "dryad/subprocess.hpp"
#include "dryad/worker.hpp"

namespace boruta::dryad {
namespace {

using namespace std::chrono_literals;
using Argv = std::vector<std::string>;

Argv shell(const std::string& script) { return {"/bin/sh", "-c", script}; }

BoardOptions exec_options() {
  BoardOptions options;
  options.driver = "exec";
  options.timeout = 5s;
  return options;
}

std::unique_ptr<Board> made(const BoardOptions& options) {
  auto board = make_board(options);
  EXPECT_TRUE(board.has_value()) << board.error();
  return *std::move(board);
}

TEST(Boards, KnowsItsDriversByName) {
  EXPECT_EQ(board_drivers(), "exec, muxpi, none");
  const auto unknown = make_board({.driver = "relay"});
  ASSERT_FALSE(unknown.has_value());
  EXPECT_EQ(unknown.error(), "there is no board driver \"relay\", only: exec, muxpi, none");
}

TEST(ExecBoard, IsRefusedWithoutProgramsOrWithOneThatIsNotThere) {
  EXPECT_FALSE(make_board(exec_options()).has_value());
  auto options = exec_options();
  options.prepare = {"no-such-program-of-boruta"};
  const auto board = make_board(options);
  ASSERT_FALSE(board.has_value());
  EXPECT_EQ(board.error(), "board.prepare: there is no program \"no-such-program-of-boruta\"");
}

TEST(ExecBoard, PassesTheMessageUntouchedByAnyShell) {
  const ScratchDir scratch;
  const auto out = scratch.path() / "out";
  auto options = exec_options();
  options.maintenance = shell("printf %s \"$BORUTA_MESSAGE\" > " + out.native());
  const std::string message = "SD card `broken` $(reboot); \"now\"\n";
  ASSERT_TRUE(made(options)->put_in_maintenance(message, {}).has_value());
  EXPECT_EQ(read_file(out, 1000), message);
}

TEST(ExecBoard, GivesTheLastLineOfStandardErrorAsTheReason) {
  auto options = exec_options();
  options.prepare = shell("echo first >&2; echo 'no power' >&2; echo >&2; exit 3");
  EXPECT_EQ(made(options)->ready({}).error(), "sh: exit code 3: no power");
}

TEST(ExecBoard, DoesNothingForWhatIsNotConfigured) {
  auto options = exec_options();
  options.prepare = {"true"};
  const auto board = made(options);
  EXPECT_TRUE(board->put_in_maintenance("x", {}).has_value());
  EXPECT_TRUE(board->healthcheck(true, {}).has_value());
}

TEST(ExecBoard, TellsAWarningFromWhatIsCritical) {
  struct Case {
    const char* script;
    Ailment ailment;
  };
  const std::vector<Case> cases{
      {"echo warm >&2; exit 1", {.critical = false, .text = "sh: exit code 1: warm"}},
      {"echo hot >&2; exit 2", {.critical = true, .text = "sh: exit code 2: hot"}},
      {"kill -9 $$", {.critical = true, .text = "sh: killed by signal 9"}},
  };
  for (const auto& [script, ailment] : cases) {
    auto options = exec_options();
    options.healthcheck = shell(script);
    EXPECT_EQ(made(options)->healthcheck(false, {}).error(), ailment);
    EXPECT_EQ(made(options)->healthcheck(true, {}).error(), ailment) << "without a full one of its own";
  }
  auto options = exec_options();
  options.healthcheck = {"false"};
  options.healthcheck_full = {"true"};
  EXPECT_TRUE(made(options)->healthcheck(true, {}).has_value());
  EXPECT_FALSE(made(options)->healthcheck(false, {}).has_value());
}

TEST(ExecBoard, DoesWhatUsersAskForWithTheirOwnPrograms) {
  const ScratchDir scratch;
  const auto out = scratch.path() / "out";
  const auto note = [&](const std::string& word) { return shell("printf '%s ' " + word + " >> " + out.native()); };
  auto options = exec_options();
  options.power_on = note("on");
  options.power_off = note("off");
  options.sd_host = note("host");
  options.sd_dut = note("dut");
  options.current = shell("echo warming up; echo 1234");
  const auto board = made(options);
  using agent::BoardAction;
  for (const auto action : {BoardAction::kPowerOn, BoardAction::kPowerOff, BoardAction::kSdHost, BoardAction::kSdDut}) {
    EXPECT_EQ(board->act(action, {}), agent::BoardResult{});
  }
  const auto begin = std::chrono::steady_clock::now();
  EXPECT_EQ(board->act(BoardAction::kPowerCycle, {}), agent::BoardResult{}) << "off, a pause, and on";
  EXPECT_GE(std::chrono::steady_clock::now() - begin, 2s);
  EXPECT_EQ(read_file(out, 1000), "on off host dut off on ");
  EXPECT_EQ(board->act(BoardAction::kCurrent, {}).milliamperes, 1234);
}

TEST(ExecBoard, RefusesInWordsWhatItCannotDo) {
  auto options = exec_options();
  options.power_off = shell("echo 'relay: no such device' >&2; exit 1");
  options.current = shell("echo much");
  const auto board = made(options);
  const auto refused = board->act(agent::BoardAction::kSdHost, {});
  EXPECT_EQ(refused.outcome, agent::BoardOutcome::kRefused);
  EXPECT_EQ(refused.error,
            "this worker's board can't do \"sd host\": board.sd_host is not set in the config of its agent");
  EXPECT_EQ(board->act(agent::BoardAction::kPowerCycle, {}).outcome, agent::BoardOutcome::kRefused);
  const auto failed = board->act(agent::BoardAction::kPowerOff, {});
  EXPECT_EQ(failed.outcome, agent::BoardOutcome::kFailed);
  EXPECT_EQ(failed.error, "sh: exit code 1: relay: no such device");
  EXPECT_EQ(board->act(agent::BoardAction::kCurrent, {}).error,
            "board.current printed \"much\": a whole number of milliamperes is expected");
  EXPECT_EQ(made({})->act(agent::BoardAction::kPowerOn, {}).outcome, agent::BoardOutcome::kRefused);
}

TEST(ExecBoard, KillsAProgramThatTakesTooLongWithItsChildren) {
  auto options = exec_options();
  options.timeout = 100ms;
  options.prepare = shell("BORUTA_TEST_MARK=slow-board sleep 300 & wait");
  EXPECT_EQ(made(options)->ready({}).error(), "sh: not done within 100ms, killed");
  EXPECT_TRUE(
      kill_until_gone([] { return processes_with_environment("BORUTA_TEST_MARK=slow-board"); }, 2s).has_value());
}

TEST(ExecBoard, ReturnsWhenTheProgramEndsThoughItsDaemonHoldsTheStream) {
  auto options = exec_options();
  options.prepare = shell("BORUTA_TEST_MARK=board-daemon setsid sleep 300 & exit 0");
  const auto before = std::chrono::steady_clock::now();
  EXPECT_TRUE(made(options)->ready({}).has_value());
  EXPECT_LT(std::chrono::steady_clock::now() - before, 4s);
  std::ignore = kill_until_gone([] { return processes_with_environment("BORUTA_TEST_MARK=board-daemon"); }, 2s);
}

TEST(ExecBoard, StopsEarlyWhenAsked) {
  auto options = exec_options();
  options.healthcheck = {"sleep", "300"};
  const auto board = made(options);
  const std::stop_source stop;
  stop.request_stop();
  EXPECT_EQ(board->healthcheck(false, stop.get_token()).error().text, "sleep: stopped");
}

TEST(RunProgram, SaysWhichProgramIsMissing) {
  const auto result = run_or_say_why({.argv = {"/no/such/program"}, .environment = {}});
  EXPECT_EQ(result.error(), "/no/such/program: No such file or directory");
}

TEST(FreeSpace, IsLowBeforeItIsCritical) {
  EXPECT_TRUE(judge_free_space(kLowFreeBytes).has_value());
  EXPECT_FALSE(judge_free_space(kLowFreeBytes - 1).error().critical);
  EXPECT_FALSE(judge_free_space(kCriticalFreeBytes).error().critical);
  EXPECT_TRUE(judge_free_space(kCriticalFreeBytes - 1).error().critical);
}

/// Notes what it is asked for.
class NotingAccess final : public Access {
 public:
  std::expected<void, std::string> check() override { return {}; }
  std::expected<Endpoint, std::string> start() override { return Endpoint{}; }
  std::expected<Login, std::string> prepare() override {
    notes += "prepare ";
    return Login{.username = "user", .private_key = Secret("PEM")};
  }
  std::expected<void, std::string> grant(const std::vector<std::string>& keys) override {
    notes += "grant " + keys.at(0) + " ";
    return {};
  }
  std::expected<void, std::string> end_job() override {
    notes += "end ";
    return {};
  }
  std::expected<void, std::string> probe() override { return alive; }
  void stop(bool) override {}

  std::string notes;
  std::expected<void, std::string> alive;
};

class WorkerTest : public testing::Test {
 protected:
  OperationResult run(const Operation& operation) {
    const auto board = made(options_);
    return Worker(access_, *board, "/").run(operation, {});
  }

  NotingAccess access_;
  BoardOptions options_;
};

TEST_F(WorkerTest, PreparesAccessThenBoard) {
  auto result = run(agent::Prepare{});
  EXPECT_EQ(result.error, "");
  EXPECT_EQ(result.username, "user");
  EXPECT_EQ(result.private_key.reveal(), "PEM");
  EXPECT_EQ(access_.notes, "prepare ");
}

TEST_F(WorkerTest, LeavesNoWayInWhenTheBoardIsNotWell) {
  options_ = exec_options();
  options_.healthcheck_full = shell("exit 2");
  const auto result = run(agent::Prepare{.full_healthcheck = true});
  EXPECT_EQ(result.error, "sh: exit code 2");
  EXPECT_TRUE(result.private_key.empty());
  EXPECT_EQ(access_.notes, "prepare end ");
  EXPECT_EQ(run(agent::Prepare{}).error, "") << "without a full check it is not asked";
}

TEST_F(WorkerTest, PreparesInSpiteOfAWarning) {
  options_ = exec_options();
  options_.healthcheck_full = shell("echo warm >&2; exit 1");
  const auto result = run(agent::Prepare{.full_healthcheck = true});
  EXPECT_EQ(result.error, "");
  EXPECT_EQ(result.warnings.back(), "sh: exit code 1: warm");
}

TEST_F(WorkerTest, FindsAnSshdThatDoesNotAnswerCritical) {
  access_.alive = std::unexpected("sshd does not answer");
  EXPECT_EQ(run(agent::Healthcheck{}).error, "sshd does not answer");
}

TEST_F(WorkerTest, GrantsAndEnds) {
  EXPECT_EQ(run(agent::Grant{.job = {}, .public_keys = {"KEY"}, .remaining = {}}).error, "");
  EXPECT_EQ(run(agent::EndJob{}).error, "");
  EXPECT_EQ(access_.notes, "grant KEY end ");
}

}  // namespace
}  // namespace boruta::dryad

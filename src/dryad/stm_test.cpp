#include "dryad/stm.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fcntl.h>
#include <sys/file.h>
#include <thread>
#include <unistd.h>

#include "dryad/stm_fixture.hpp"

namespace boruta::dryad {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::HasSubstr;

class StmTest : public testing::Test {
 protected:
  Stm::Options options() { return {.tty = stm_.tty(), .answer_within = 300ms, .quiet = 50ms}; }

  EmulatedStm stm_;
  Stm line_{options()};
};

TEST_F(StmTest, TurnsTheEchoOffFirstWhoseAnswerMayEcho) {
  ASSERT_TRUE(line_.run("power on", {}).has_value());
  EXPECT_THAT(stm_.heard(), ElementsAre("echo off", "power on"));
  ASSERT_TRUE(line_.run("hdmi on", {}).has_value());
  EXPECT_THAT(stm_.heard(), ElementsAre("echo off", "power on", "hdmi on"));
  EXPECT_TRUE(stm_.state().power && stm_.state().hdmi && !stm_.state().echo);
}

TEST_F(StmTest, ReadsNumbers) {
  ASSERT_TRUE(line_.run("power on", {}).has_value());
  stm_.set_current(1234);
  EXPECT_EQ(line_.ask("current", {}).value_or(-1), 1234);
}

TEST_F(StmTest, GivesTheStmsOwnWordsWhenItRefuses) {
  const auto refused = line_.run("warp 9", {});
  ASSERT_FALSE(refused.has_value());
  EXPECT_THAT(refused.error(), HasSubstr("the STM answers \"warp 9\" with \"Unknown command\""));
  EXPECT_THAT(refused.error(), HasSubstr(stm_.tty().native()));
  EXPECT_TRUE(line_.run("power on", {}).has_value()) << "and obeys the next";
}

TEST_F(StmTest, GivesUpOnSilenceInItsTime) {
  ASSERT_TRUE(line_.run("power on", {}).has_value());
  stm_.set_fault(StmFault::kSilent);
  const auto begin = std::chrono::steady_clock::now();
  const auto silent = line_.run("power off", {});
  const auto took = std::chrono::steady_clock::now() - begin;
  ASSERT_FALSE(silent.has_value());
  EXPECT_THAT(silent.error(), HasSubstr("does not answer"));
  EXPECT_GE(took, 300ms);
  EXPECT_LT(took, 2s);
  stm_.set_fault(StmFault::kNone);
  EXPECT_TRUE(line_.run("power off", {}).has_value());
}

TEST_F(StmTest, NeverTakesALateAnswerForThatOfAnotherCommand) {
  ASSERT_TRUE(line_.run("power on", {}).has_value());
  stm_.set_fault_for(StmFault::kLate, 1);
  // Its answer, a number and OK, comes while the next command waits for its own.
  EXPECT_EQ(line_.ask("current", {}).value_or(-1), 240);
  stm_.set_fault_for(StmFault::kLate, 1);
  EXPECT_TRUE(line_.run("power off", {}).has_value());
  EXPECT_EQ(line_.ask("current", {}).value_or(-1), 0);
}

TEST_F(StmTest, GetsBackIntoStepAfterGarbageAndHalfLines) {
  for (const auto fault : {StmFault::kGarbage, StmFault::kHalfLine, StmFault::kSilent}) {
    ASSERT_TRUE(line_.run("power on", {}).has_value());
    stm_.set_fault_for(fault, 1);
    const auto answered = line_.ask("current", {});
    EXPECT_EQ(answered.value_or(-1), 240) << answered.error();
  }
}

TEST_F(StmTest, IsNotConfusedByWhatNobodyAskedFor) {
  ASSERT_TRUE(line_.run("power on", {}).has_value());
  stm_.say("OK\nOK\nMuxPi firmware v0.1\n");
  stm_.set_current(77);
  EXPECT_EQ(line_.ask("current", {}).value_or(-1), 77);
  EXPECT_FALSE(line_.run("warp 9", {}).has_value());
}

TEST_F(StmTest, ListensNoLongerThanItMustToALineThatBabbles) {
  stm_.set_fault(StmFault::kBabble);
  const auto begin = std::chrono::steady_clock::now();
  const auto babble = line_.run("power on", {});
  ASSERT_FALSE(babble.has_value());
  EXPECT_THAT(babble.error(), HasSubstr("the right speed?"));
  EXPECT_LT(std::chrono::steady_clock::now() - begin, 2s);
}

TEST_F(StmTest, DoesNotRepeatACommandThatMustNotBeRepeated) {
  ASSERT_TRUE(line_.run("power on", {}).has_value());
  stm_.set_fault_for(StmFault::kSilent, 1);
  EXPECT_FALSE(line_.run("power tick 10", {}, Stm::Again::kNo, 10ms).has_value());
  EXPECT_TRUE(line_.run("hdmi on", {}).has_value());
  EXPECT_EQ(stm_.state().power_ticks, 1);
}

TEST_F(StmTest, SeesAnStmThatBeganAnewAndEchoes) {
  ASSERT_TRUE(line_.run("power on", {}).has_value());
  stm_.reset();
  ASSERT_TRUE(line_.run("power on", {}).has_value());
  EXPECT_EQ(line_.ask("current", {}).value_or(-1), 240);
  EXPECT_FALSE(stm_.state().echo);
}

TEST_F(StmTest, OpensTheLineAgainWhenItWasUnplugged) {
  ASSERT_TRUE(line_.run("power on", {}).has_value());
  stm_.unplug();
  const auto gone = line_.run("power off", {});
  ASSERT_FALSE(gone.has_value());
  EXPECT_THAT(gone.error(), HasSubstr("No such file or directory"));
  stm_.plug_in();
  EXPECT_TRUE(line_.run("power on", {}).has_value());
  EXPECT_TRUE(stm_.state().power);
}

TEST_F(StmTest, StopsEarlyWhenAsked) {
  ASSERT_TRUE(line_.run("power on", {}).has_value());
  std::stop_source stop;
  const std::jthread soon([&] {
    std::this_thread::sleep_for(100ms);
    stop.request_stop();
  });
  const auto begin = std::chrono::steady_clock::now();
  const auto stopped = line_.run("power tick 1500", stop.get_token(), Stm::Again::kNo, 10s);
  EXPECT_EQ(stopped.error(), "stopped");
  EXPECT_LT(std::chrono::steady_clock::now() - begin, 500ms);
}

TEST_F(StmTest, HasTheLineToItself) {
  ASSERT_TRUE(line_.run("power on", {}).has_value());
  Stm second(options());
  const auto refused = second.run("power off", {});
  ASSERT_FALSE(refused.has_value());
  EXPECT_THAT(refused.error(), HasSubstr("another program uses it"));
  // Who asks for the lock is told too.
  const int fd = ::open(stm_.tty().c_str(), O_RDONLY | O_NOCTTY | O_CLOEXEC);
  if (fd >= 0) {  // only root gets past TIOCEXCL
    EXPECT_NE(::flock(fd, LOCK_EX | LOCK_NB), 0);
    ::close(fd);
  }
  EXPECT_TRUE(stm_.state().power);
}

TEST(SerialPort, RefusesWhatIsNoLineAndSpeedsThatNobodyHas) {
  const auto file = SerialPort::open("/dev/null", 115200);
  EXPECT_EQ(file.error(), "/dev/null: not a serial line");
  EXPECT_EQ(SerialPort::open("/dev/null", 115201).error(), "/dev/null: 115201 is no speed of a serial line");
  EXPECT_FALSE(SerialPort::open("/no/such/tty", 9600).has_value());
}

}  // namespace
}  // namespace boruta::dryad

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <functional>
#include <thread>

#include "dryad/board.hpp"
#include "dryad/muxpi_display.hpp"
#include "dryad/stm_fixture.hpp"
#include "dryad/worker.hpp"

namespace boruta::dryad {
namespace {

using namespace std::chrono_literals;
using agent::BoardAction;
using agent::BoardOutcome;
using testing::ElementsAre;
using testing::HasSubstr;
using Clock = std::chrono::steady_clock;

bool await(std::chrono::milliseconds limit, const std::function<bool()>& condition) {
  const auto deadline = Clock::now() + limit;
  while (!condition()) {
    if (Clock::now() > deadline) return false;
    std::this_thread::sleep_for(5ms);
  }
  return true;
}

class MuxpiTest : public testing::Test {
 protected:
  MuxpiTest() {
    auto made = make_board({.driver = "muxpi", .tty = stm_.tty()});
    EXPECT_TRUE(made.has_value()) << made.error();
    board_ = *std::move(made);
  }

  EmulatedStm stm_;
  std::unique_ptr<Board> board_;
};

TEST_F(MuxpiTest, ShowsTheReasonAndLightsTheLedsInTurnUntilItIsPrepared) {
  ASSERT_TRUE(board_->put_in_maintenance("SD card broken, ask bob", {}).has_value());
  EXPECT_THAT(stm_.state().display, ElementsAre("SD card broken,", "ask bob"));
  const auto only_lit = [&](std::size_t led) {
    const auto leds = stm_.state().leds;
    return leds[led] == "96 144 0" && leds[1 - led] == "0 0 0";
  };
  ASSERT_TRUE(await(1s, [&] { return only_lit(0); }));
  auto since = Clock::now();
  for (int turn = 1; turn <= 3; ++turn) {
    const auto led = static_cast<std::size_t>(turn % 2);
    ASSERT_TRUE(await(2s, [&] { return only_lit(led); })) << turn;
    const auto took = Clock::now() - since;
    EXPECT_GE(took, 900ms) << turn;
    EXPECT_LT(took, 1400ms) << turn;
    since = Clock::now();
  }
  ASSERT_TRUE(board_->ready({}).has_value());
  EXPECT_THAT(stm_.state().leds, ElementsAre("0 0 0", "0 0 0"));
  EXPECT_THAT(stm_.state().display, ElementsAre("", ""));
  stm_.forget();
  std::this_thread::sleep_for(1200ms);
  EXPECT_THAT(stm_.heard(), ElementsAre()) << "nothing blinks any more";
}

TEST_F(MuxpiTest, ShowsALongReasonPageByPage) {
  ASSERT_TRUE(board_->put_in_maintenance("the relay of the second power supply sticks", {}).has_value());
  EXPECT_THAT(stm_.state().display, ElementsAre("the relay of the", "second power"));
  EXPECT_TRUE(await(5s, [&] { return stm_.state().display[0] == "supply sticks"; }));
  EXPECT_TRUE(await(5s, [&] { return stm_.state().display[0] == "the relay of the"; }));
}

TEST_F(MuxpiTest, GoesOnBlinkingWhenTheLineComesBack) {
  ASSERT_TRUE(board_->put_in_maintenance("x", {}).has_value());
  stm_.unplug();
  std::this_thread::sleep_for(1200ms);
  stm_.plug_in();
  EXPECT_TRUE(await(4s, [&] { return stm_.state().leds[0] == "96 144 0" || stm_.state().leds[1] == "96 144 0"; }));
}

TEST_F(MuxpiTest, LeavesNothingOfTheLastUser) {
  for (const auto action : {BoardAction::kSdDut, BoardAction::kPowerOn}) {
    EXPECT_EQ(board_->act(action, {}).outcome, BoardOutcome::kDone);
  }
  EXPECT_TRUE(stm_.state().sd_at_dut && stm_.state().power);
  ASSERT_TRUE(board_->ready({}).has_value());
  EXPECT_FALSE(stm_.state().sd_at_dut || stm_.state().power || stm_.state().hdmi || stm_.state().dypers[0]);
}

TEST_F(MuxpiTest, DoesWhatUsersAskFor) {
  EXPECT_EQ(board_->act(BoardAction::kPowerOn, {}), agent::BoardResult{});
  EXPECT_TRUE(stm_.state().power);
  EXPECT_EQ(board_->act(BoardAction::kCurrent, {}).milliamperes, 240);
  EXPECT_EQ(board_->act(BoardAction::kPowerOff, {}), agent::BoardResult{});
  EXPECT_EQ(board_->act(BoardAction::kCurrent, {}).milliamperes, 0);
  const auto begin = Clock::now();
  EXPECT_EQ(board_->act(BoardAction::kPowerCycle, {}), agent::BoardResult{});
  EXPECT_GE(Clock::now() - begin, 1s) << "without power for a second";
  EXPECT_EQ(stm_.state().power_ticks, 1);
  EXPECT_EQ(board_->act(BoardAction::kSdDut, {}), agent::BoardResult{});
  EXPECT_TRUE(stm_.state().sd_at_dut);
  EXPECT_EQ(board_->act(BoardAction::kSdHost, {}), agent::BoardResult{});
  EXPECT_FALSE(stm_.state().sd_at_dut);
}

TEST_F(MuxpiTest, CyclesThePowerOnlyInTheFullHealthcheck) {
  EXPECT_TRUE(board_->healthcheck(false, {}).has_value());
  EXPECT_EQ(stm_.state().power_ticks, 0);
  EXPECT_FALSE(stm_.state().power);
  EXPECT_TRUE(board_->healthcheck(true, {}).has_value());
  EXPECT_EQ(stm_.state().power_ticks, 1);
  EXPECT_THAT(stm_.heard(), testing::Contains("current"));
}

TEST_F(MuxpiTest, WarnsOfADeviceThatDrawsNothing) {
  stm_.set_current(0);
  const auto ailment = board_->healthcheck(true, {}).error();
  EXPECT_FALSE(ailment.critical);
  EXPECT_THAT(ailment.text, HasSubstr("draws no current"));
}

TEST_F(MuxpiTest, FindsAnStmThatDoesNotAnswerCritical) {
  stm_.set_fault(StmFault::kSilent);
  const auto begin = Clock::now();
  const auto ailment = board_->healthcheck(false, {}).error();
  EXPECT_TRUE(ailment.critical);
  EXPECT_THAT(ailment.text, HasSubstr("the STM does not answer"));
  EXPECT_LT(Clock::now() - begin, 6s);
  stm_.set_fault(StmFault::kRefuse);
  EXPECT_THAT(board_->act(BoardAction::kPowerOn, {}).error, HasSubstr("Error processing command"));
  EXPECT_EQ(board_->act(BoardAction::kPowerOn, {}).outcome, BoardOutcome::kFailed);
}

TEST(Muxpi, IsMadeForALineThatMayComeButNotForAFile) {
  EXPECT_TRUE(make_board({.driver = "muxpi", .tty = "/dev/no-such-tty"}).has_value());
  const auto file = make_board({.driver = "muxpi", .tty = "/etc/passwd"});
  ASSERT_FALSE(file.has_value());
  EXPECT_EQ(file.error(), "board.tty: /etc/passwd is not a serial line");
}

TEST(MuxpiDisplay, WrapsBetweenWordsIntoPages) {
  using Pages = std::vector<DisplayPage>;
  const std::vector<std::pair<std::string, Pages>> cases{
      {"", {{"", ""}}},
      {" \n\t ", {{"", ""}}},
      {"one", {{"one", ""}}},
      {"exactly sixteen!", {{"exactly sixteen!", ""}}},
      {"exactly sixteen! +", {{"exactly sixteen!", "+"}}},
      {"a\nb   c", {{"a b c", ""}}},
      {"a b c d e f g", {{"a b c d e f", "g"}}},
      {"0123456789abcdefghij", {{"0123456789abcdef", "ghij"}}},
      {"x 0123456789abcdefg", {{"x", "0123456789abcdef"}, {"g", ""}}},
      {"1111111111111111 2222222222222222 3", {{"1111111111111111", "2222222222222222"}, {"3", ""}}},
      {"gr\u00FCn \x01 \xFF", {{"gr?n ? ?", ""}}},
  };
  for (const auto& [text, pages] : cases) EXPECT_EQ(pages_for_display(text), pages) << text;
}

}  // namespace
}  // namespace boruta::dryad

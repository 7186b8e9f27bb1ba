#include "dryad/board_desk.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <gtest/gtest.h>

#include <vector>

#include "sim/virtual_clock.hpp"

namespace boruta::dryad {
namespace {

using namespace std::chrono_literals;
using agent::BoardAction;
using agent::BoardOutcome;

/// Ends an action when it is told to, or when it is stopped.
class PatientRunner final : public OperationRunner {
 public:
  struct Act {
    BoardAction action{};
    std::stop_token stop;
    Acted acted;
  };

  void start(Operation, std::stop_token, Done) override {}
  void act(BoardAction action, std::stop_token stop, Acted acted) override {
    acts.push_back({.action = action, .stop = std::move(stop), .acted = std::move(acted)});
  }

  void finish_first(agent::BoardResult result = {}) {
    auto first = std::move(acts.front());
    acts.erase(acts.begin());
    first.acted(std::move(result));
  }
  void finish_stopped() {
    while (!acts.empty() && acts.front().stop.stop_requested()) {
      finish_first({.outcome = BoardOutcome::kFailed, .error = "stopped", .milliamperes = std::nullopt});
    }
  }

  std::vector<Act> acts;
};

class BoardDeskTest : public testing::Test {
 protected:
  ~BoardDeskTest() override {
    desk_.close();
    settle();
  }

  void ask(BoardAction action) {
    desk_.act(action, [this](agent::BoardResult result) { results_.push_back(std::move(result)); });
    settle();
  }
  void settle() {
    context_.restart();
    while (context_.poll() > 0) {
    }
  }

  asio::io_context context_;
  sim::VirtualClock clock_{Instant(std::chrono::hours(24))};
  PatientRunner runner_;
  BoardDesk desk_{context_.get_executor(), &clock_, &runner_};
  std::vector<agent::BoardResult> results_;
};

TEST_F(BoardDeskTest, ServesOnlyWhileAJobRuns) {
  ask(BoardAction::kPowerOn);
  ASSERT_EQ(results_.size(), 1U);
  EXPECT_EQ(results_[0].error, "no job runs on this worker");
  EXPECT_EQ(results_[0].outcome, BoardOutcome::kRefused);
  EXPECT_TRUE(runner_.acts.empty());
  desk_.serve(RequestId{7});
  ask(BoardAction::kPowerOn);
  ASSERT_EQ(runner_.acts.size(), 1U);
  runner_.finish_first();
  EXPECT_EQ(results_.back(), agent::BoardResult{});
}

TEST_F(BoardDeskTest, EndsWithTheJobWhatWasAskedForDuringIt) {
  desk_.serve(RequestId{7});
  ask(BoardAction::kPowerCycle);
  ask(BoardAction::kSdDut);
  desk_.serve(std::nullopt);
  runner_.finish_stopped();
  ASSERT_EQ(results_.size(), 2U);
  for (const auto& result : results_) EXPECT_EQ(result.error, "the job is over");
}

TEST_F(BoardDeskTest, GivesUpWhatTakesTooLong) {
  desk_.serve(RequestId{7});
  ask(BoardAction::kPowerOn);
  clock_.after(agent::kBoardActionWithin - 1ms, [] {});
  clock_.step(Instant::max());
  settle();
  EXPECT_FALSE(runner_.acts.front().stop.stop_requested());
  clock_.step(Instant::max());
  settle();
  runner_.finish_stopped();
  ASSERT_EQ(results_.size(), 1U);
  EXPECT_EQ(results_[0].outcome, BoardOutcome::kFailed);
  EXPECT_EQ(results_[0].error, "not done within 20s");
}

TEST_F(BoardDeskTest, TakesNoMoreThanItsQueueHolds) {
  desk_.serve(RequestId{7});
  for (std::size_t i = 0; i < kBoardQueue; ++i) ask(BoardAction::kCurrent);
  EXPECT_TRUE(results_.empty());
  ask(BoardAction::kCurrent);
  ASSERT_EQ(results_.size(), 1U);
  EXPECT_EQ(results_[0].error, "4 things are asked of the board already: wait for one to be done");
  runner_.finish_first({.outcome = BoardOutcome::kDone, .error = {}, .milliamperes = 7});
  EXPECT_EQ(results_.back().milliamperes, 7);
  ask(BoardAction::kCurrent);
  EXPECT_EQ(results_.size(), 2U) << "there is room again";
}

}  // namespace
}  // namespace boruta::dryad

#include <gtest/gtest.h>

#include <chrono>
#include <memory>

#include "farm/farm_fixture.hpp"

namespace boruta::farm {
namespace {

using namespace std::chrono_literals;

constexpr Duration kKept = 10 * 24h;

class Retention : public testing::Test {
 protected:
  std::string forget() { return farm_.act("root", ForgetRequests{}); }
  bool is_known(RequestId id) { return farm_.farm().find_request(id) != nullptr; }
  RequestId closed() {
    const auto id = farm_.create("alice");
    EXPECT_EQ(farm_.close("alice", id), "");
    return id;
  }

  FarmFixture farm_{Policy{.keep_requests = kKept}};
};

TEST_F(Retention, ForgetsWhatEndedWhenItsTimeHasComeAndNotBefore) {
  const auto id = closed();
  farm_.advance(kKept - 1ns);
  EXPECT_EQ(forget(), "");
  EXPECT_TRUE(is_known(id));
  farm_.advance(1ns);
  EXPECT_EQ(forget(), "");
  EXPECT_EQ(farm_.last_events(), "requests forgotten");
  EXPECT_FALSE(is_known(id));
  EXPECT_EQ(farm_.farm().forgotten_until(), farm_.now().wall - kKept);
  EXPECT_EQ(forget(), "");
  EXPECT_EQ(farm_.last_events(), "");
}

TEST_F(Retention, LeavesOpenRequestsAloneHoweverOldTheyAre) {
  const auto waiting = farm_.create("alice", {.caps = {{"board", "none"}}, .deadline_in = 3 * kKept});
  const auto ended = closed();
  farm_.advance(2 * kKept);
  EXPECT_EQ(forget(), "");
  EXPECT_TRUE(is_known(waiting));
  EXPECT_FALSE(is_known(ended));
}

TEST_F(Retention, ForgetsNothingWhereAllIsKept) {
  FarmFixture farm{Policy{}};
  const auto id = farm.create("alice");
  EXPECT_EQ(farm.close("alice", id), "");
  farm.advance(10'000 * 24h);
  EXPECT_EQ(farm.act("root", ForgetRequests{}), "");
  EXPECT_NE(farm.farm().find_request(id), nullptr);
}

TEST_F(Retention, NeverGivesTheIdOfAForgottenRequestAgain) {
  const auto id = closed();
  farm_.advance(kKept);
  EXPECT_EQ(forget(), "");
  EXPECT_EQ(farm_.create("alice"), RequestId{id.value + 1});
}

TEST_F(Retention, AnswersAsIfTheRequestHadNeverBeen) {
  const auto id = closed();
  farm_.advance(kKept);
  EXPECT_EQ(forget(), "");
  EXPECT_EQ(farm_.close("alice", id), "Request not found");
  EXPECT_EQ(farm_.prolong("alice", id), "Request not found");
}

TEST_F(Retention, ForgetsTheKeyUnderWhichARequestWasFiled) {
  EXPECT_EQ(farm_.act("alice", CreateRequest{.priority = 8, .idempotency_key = "once", .body_hash = "x"}), "");
  EXPECT_EQ(farm_.close("alice", RequestId{1}), "");
  farm_.advance(kKept);
  EXPECT_EQ(farm_.farm().creations().size(), 1U);
  EXPECT_EQ(forget(), "");
  EXPECT_TRUE(farm_.farm().creations().empty());
  EXPECT_EQ(farm_.farm().find_creation(farm_.user("alice"), "once"), nullptr);
}

TEST_F(Retention, TellsInRangesWhatItForgets) {
  for (int count = 0; count < 3; ++count) closed();
  farm_.create("alice", {.caps = {{"board", "none"}}, .deadline_in = 3 * kKept});
  closed();
  farm_.advance(kKept);
  EXPECT_EQ(forget(), "");
  const auto& event = std::get<RequestsForgotten>(farm_.events().back().body);
  EXPECT_EQ(event.ranges, (std::vector<RequestRange>{{.first = {1}, .last = {3}}, {.first = {5}, .last = {5}}}));
}

}  // namespace
}  // namespace boruta::farm

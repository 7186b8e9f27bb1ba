#include "cli/explain_views.hpp"

#include <gtest/gtest.h>

#include <cstdlib>
#include <ctime>

namespace boruta::cli {
namespace {

using namespace std::chrono_literals;
using client::ExplanationInfo;
using client::WorkerVerdict;

/// 2026-01-01T13:00:00Z.
constexpr Instant kNow{1767272400s};

class ExplainViews : public testing::Test {
 protected:
  void SetUp() override {
    ::setenv("TZ", "UTC", 1);
    ::tzset();
  }
};

WorkerVerdict verdict(std::string name, std::string fitness) {
  WorkerVerdict verdict;
  verdict.name = std::move(name);
  verdict.fitness = std::move(fitness);
  return verdict;
}

WorkerVerdict busy(std::string name, Duration until, std::string owner, std::uint64_t request) {
  auto busy = verdict(std::move(name), "busy");
  busy.until = kNow + until;
  busy.owner = std::move(owner);
  busy.request = RequestId{request};
  return busy;
}

WorkerVerdict missing(std::string name, std::string fitness, std::string key, std::optional<std::string> has,
                      std::string text) {
  auto missing = verdict(std::move(name), std::move(fitness));
  missing.misses.push_back({.capability = std::move(key), .has = std::move(has), .text = std::move(text)});
  return missing;
}

ExplanationInfo waiting() {
  ExplanationInfo info;
  info.request = RequestId{42};
  info.state = client::RequestState::kWaiting;
  info.state_text = "WAITING";
  info.asked = "board=rpi4 ram>=4GiB";
  info.ready_since = kNow - 192s;
  info.position = 2;
  info.queue = 3;
  info.fits = 3;
  info.not_later_than = kNow + 92min;
  info.at_worst = kNow + 25h;
  info.ahead = {{.request = RequestId{41}, .owner = "bob", .why = "filed earlier"}};
  info.counts = {.free = 0, .preparing = 0, .busy = 2, .out_of_service = 1};
  info.workers = {busy("rpi4-01", 80min, "alice", 39), busy("rpi4-03", 92min, "ci-nightly", 40)};
  auto out = verdict("rpi4-02", "out of service");
  out.state_text = "MAINTENANCE";
  out.since = kNow - 2h;
  out.by = "bob";
  out.detail = "SD card broken";
  info.workers.push_back(out);
  info.workers.push_back(missing("rpi4-04", "almost fits", "ram", "2GiB", "ram is 2GiB, needs >= 4GiB"));
  for (int copy = 0; copy < 2; ++copy) {
    info.workers.push_back(missing("q", "does not fit", "board", "qemu", "board is qemu"));
  }
  info.workers.push_back(missing("x", "does not fit", "board", std::nullopt, "has no board"));
  return info;
}

TEST_F(ExplainViews, TellsWhyARequestWaits) {
  EXPECT_EQ(describe_explanation(waiting(), kNow),
            "request 42 has waited 3 m 12 s, 2nd of 3 for what it asks: board=rpi4 ram>=4GiB\n"
            "  comes first       1   request 41 (bob): filed earlier\n"
            "  busy              2   rpi4-01 until 14:20 (alice, request 39) · rpi4-03 until 14:32 (ci-nightly, "
            "request 40)\n"
            "  out of service    1   rpi4-02 MAINTENANCE since 11:00 by bob: SD card broken\n"
            "  almost fits       1   rpi4-04: ram is 2GiB, needs >= 4GiB\n"
            "  does not fit      3   2 × board is qemu · 1 × has no board\n"
            "not later than 14:32, unless jobs 39 or 40 are prolonged or someone more important comes; however much "
            "they prolong, not later than Fri 14:00\n");
}

TEST_F(ExplainViews, TellsWhatHoldsARequestAndWhenNothingCanBeSaid) {
  auto info = waiting();
  info.held = "alice has 1 job running, at most 1 is allowed";
  info.not_later_than.reset();
  info.unknown = "a ceiling on running jobs may hold it";
  info.not_before = kNow + 1h;
  const auto text = describe_explanation(info, kNow);
  EXPECT_NE(text.find("request 42 may not start before 14:00, 2nd of 3"), std::string::npos) << text;
  EXPECT_NE(text.find("  held: alice has 1 job running, at most 1 is allowed\n"), std::string::npos) << text;
  EXPECT_NE(text.find("\nno telling when: a ceiling on running jobs may hold it\n"), std::string::npos) << text;
}

TEST_F(ExplainViews, TellsOfARequestThatDoesNotWait) {
  ExplanationInfo info;
  info.request = RequestId{7};
  info.state = client::RequestState::kDone;
  info.state_text = "DONE";
  info.reason = "closed by alice";
  EXPECT_EQ(describe_explanation(info, kNow), "request 7 does not wait: it is DONE, closed by alice\n");
}

TEST_F(ExplainViews, TellsWhatIsFree) {
  auto info = waiting();
  EXPECT_EQ(describe_free(info, kNow), "none free now · 1 more by 14:20 · 2 requests wait");
  info.counts.free = 3;
  info.workers = {busy("a", 65min, "x", 1), busy("b", 65min, "x", 2)};
  info.queue = 1;
  EXPECT_EQ(describe_free(info, kNow), "3 free now · 2 more by 14:05 · nobody waits");
}

TEST_F(ExplainViews, NameTheNearestWhereNothingFits) {
  ExplanationInfo info;
  EXPECT_EQ(explain_no_fit(info, "board=rpi5"), "no worker is registered");
  for (int copy = 0; copy < 4; ++copy) {
    info.workers.push_back(missing("w", "does not fit", "board", "rpi4", "board is rpi4"));
  }
  EXPECT_EQ(explain_no_fit(info, "board=rpi5"),
            "no registered worker has board=rpi5; the nearest are 4 with board=rpi4");
  info.workers = {missing("w", "almost fits", "camera", std::nullopt, "has no camera")};
  EXPECT_EQ(explain_no_fit(info, "board=rpi5 camera"),
            "no registered worker has board=rpi5 camera; the nearest is 1 with no camera");
  info.workers.push_back(verdict("r", "reserved"));
  info.workers.back().detail = "serves group kernel only";
  EXPECT_EQ(explain_no_fit(info, "board=rpi5"),
            "1 worker has board=rpi5, but serves group kernel only, which you are not in");
}

TEST_F(ExplainViews, WriteDemandsAsOneWouldTypeThem) {
  EXPECT_EQ(describe_demand({}, {}), "anything");
  EXPECT_EQ(describe_demand({{"board", "rpi4"}}, {"ram>=4GiB", "arch in (arm64)"}),
            "board=rpi4 ram>=4GiB 'arch in (arm64)'");
  EXPECT_EQ(describe_demand({}, {"!camera"}), "!camera");
}

}  // namespace
}  // namespace boruta::cli

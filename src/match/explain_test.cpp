#include "match/explain.hpp"

#include <gtest/gtest.h>

#include "farm/farm_fixture.hpp"

namespace boruta::match {
namespace {

using namespace std::chrono_literals;
using farm::FarmFixture;
using farm::Policy;

Explanation explain(const FarmFixture& farm, RequestId id) {
  return match::explain(farm.farm(), farm.matcher(), ask_of(farm.request(id)), farm.now());
}

/// "w busy, x almost fits: has no camera".
std::string verdicts(const FarmFixture& farm, const Explanation& explanation, const std::vector<std::string>& names) {
  std::string text;
  for (const auto& verdict : explanation.workers) {
    for (const auto& name : names) {
      if (farm.uuid(name) != verdict.worker) continue;
      if (!text.empty()) text += ", ";
      text += name + " " + std::string(to_string(verdict.fitness));
      if (!verdict.detail.empty()) text += ": " + verdict.detail;
      for (const auto& miss : verdict.misses) text += ": " + miss.text;
    }
  }
  return text;
}

TEST(Explanation, SaysWhatEachWorkerIsToTheRequest) {
  FarmFixture farm;
  const Capabilities rpi{{"board", "rpi4"}, {"ram", "8GiB"}};
  farm.make_idle("busy", rpi);
  farm.register_worker("maintained", rpi);
  farm.make_idle("small", {{"board", "rpi4"}, {"ram", "2GiB"}});
  farm.make_idle("other", {{"board", "x86"}, {"ram", "8GiB"}});
  farm.make_idle("bare");
  farm.make_idle("grouped", rpi);
  farm.set_groups("grouped", Groups{"lab"});
  farm.create("bob", {.caps = {{"board", "rpi4"}}, .requirements = {"ram>=4GiB"}, .priority = 2});
  const auto id = farm.create("alice", {.caps = {{"board", "rpi4"}}, .requirements = {"ram>=4GiB"}});
  const auto explanation = explain(farm, id);
  EXPECT_EQ(verdicts(farm, explanation, {"busy", "maintained", "small", "other", "bare", "grouped"}),
            "busy busy, maintained out of service: new, grouped reserved: serves group lab only, "
            "small almost fits: ram is 2GiB, needs >= 4GiB, other does not fit: board is x86, bare does not fit: has "
            "no board: has no ram");
  EXPECT_EQ(explanation.standing.position, 1U);
  EXPECT_TRUE(explanation.ahead.empty());
}

TEST(Explanation, SaysWhoComesFirstAndWhy) {
  FarmFixture farm;
  farm.register_worker("w");
  const auto early = farm.create("bob");
  const auto id = farm.create("alice");
  const auto important = farm.create("bob", {.priority = 3});
  farm.create("bob");
  const auto explanation = explain(farm, id);
  ASSERT_EQ(explanation.ahead.size(), 2U);
  EXPECT_EQ(explanation.ahead[0].id, important);
  EXPECT_EQ(explanation.ahead[0].why, "more important: priority 3");
  EXPECT_EQ(explanation.ahead[1].id, early);
  EXPECT_EQ(explanation.ahead[1].why, "filed earlier");
  EXPECT_EQ(explanation.standing.position, 3U);
  EXPECT_EQ(explanation.standing.competing, 4U);
  EXPECT_EQ(explanation.estimate.unknown, "none of the workers that fit is in service");
}

TEST(Explanation, SaysWhatHoldsARequest) {
  FarmFixture farm;
  farm.make_idle("w");
  farm.make_idle("x");
  farm.act("root", farm::SetUserCeilings{.name = "alice", .ceilings = {.running = 1}});
  farm.create("alice");
  const auto id = farm.create("alice");
  const auto explanation = explain(farm, id);
  EXPECT_EQ(explanation.held, "alice has 1 job running, at most 1 is allowed");
  EXPECT_EQ(explanation.estimate.unknown, "a ceiling on running jobs may hold it");
}

TEST(Explanation, SaysThatNoTunnelPortIsFree) {
  Policy policy;
  policy.first_tunnel_port = 30'000;
  policy.last_tunnel_port = 30'000;
  FarmFixture farm(policy);
  farm.make_idle("w");
  farm.make_idle("x");
  farm.create("bob");
  const auto explanation = explain(farm, farm.create("alice"));
  EXPECT_EQ(explanation.standing.fits_idle, 1U);
  EXPECT_EQ(explanation.held, "no tunnel port is free: the server's tunnel.ports is too small for its jobs");
  EXPECT_EQ(explanation.estimate.unknown, "there are fewer tunnel ports than workers");
}

TEST(Explanation, OfARequestNotFiledStandsBehindAllOthers) {
  FarmFixture farm;
  farm.make_idle("w", {{"board", "rpi4"}});
  const Ask ask{.demand = std::make_shared<const Demand>(Demand{.caps = {{"board", "rpi4"}}, .requirements = {}}),
                .owner = farm.user("alice"),
                .priority = farm::Priority{8},
                .valid_after = {},
                .id = std::nullopt};
  auto explanation = match::explain(farm.farm(), farm.matcher(), ask, farm.now());
  EXPECT_EQ(explanation.standing.position, 1U);
  EXPECT_EQ(explanation.standing.fits_idle, 1U);
  EXPECT_EQ(explanation.estimate.not_later_than, farm.now().lease);
  farm.create("bob");
  farm.create("bob");
  explanation = match::explain(farm.farm(), farm.matcher(), ask, farm.now());
  EXPECT_EQ(explanation.standing.position, 2U);
  EXPECT_EQ(explanation.standing.competing, 2U);
}

Policy short_policy() {
  Policy policy;
  policy.lease = 1h;
  policy.claim_within = 10min;
  policy.respond_within = 1min;
  return policy;
}

TEST(Estimate, IsWhenTheFirstWorkerIsFreeForTheFirstInTheQueue) {
  FarmFixture farm(short_policy());
  farm.make_idle("w");
  farm.make_idle("x");
  const auto on_w = farm.create("bob");
  farm.grant_ok("w");
  farm.acquire("bob", on_w);
  farm.advance(10min);
  const auto on_x = farm.create("bob");
  farm.grant_ok("x");
  farm.acquire("bob", on_x);
  const auto start = farm.now().lease;
  const auto first = farm.create("alice");
  const auto second = farm.create("alice");
  const auto third = farm.create("alice");
  EXPECT_EQ(explain(farm, first).estimate.not_later_than, start + 50min + 1min);
  EXPECT_EQ(explain(farm, second).estimate.not_later_than, start + 60min + 1min) << "one ahead leaves it a worker";
  // Two ahead keep both for 71 min each at most: 2 × 71 min poured onto 51 and 61 min.
  EXPECT_EQ(std::chrono::round<std::chrono::seconds>(*explain(farm, third).estimate.not_later_than),
            std::chrono::round<std::chrono::seconds>(start + (51min + 61min + 2 * 71min) / 2));
  EXPECT_EQ(explain(farm, first).estimate.at_worst, start + 24h - 10min + 1min);
}

TEST(Estimate, CountsThatAJobMayStillBeAcquired) {
  FarmFixture farm(short_policy());
  farm.make_idle("w");
  farm.create("bob");
  farm.grant_ok("w");
  const auto id = farm.create("alice");
  EXPECT_EQ(explain(farm, id).estimate.not_later_than, farm.now().lease + 10min + 1h + 1min);
}

}  // namespace
}  // namespace boruta::match

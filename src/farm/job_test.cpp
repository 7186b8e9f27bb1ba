#include <gtest/gtest.h>

#include "farm/farm_fixture.hpp"

/// How long a job lasts: leases, claims, pauses and restarts, to the nanosecond.
namespace boruta::farm {
namespace {

using namespace std::chrono_literals;

constexpr RequestId kJob{1};
constexpr const char* kDone = "DONE: its time was up";
constexpr const char* kUnclaimed = "DONE: nobody acquired the worker within 10 m";
constexpr const char* kLeaseLimit = "invalid request: lease limit of 24 h reached";

/// Worker "w" runs request 1 of alice since now, granted and not yet acquired.
void start_job(FarmFixture& farm, Filing filing = {}) {
  farm.make_idle("w");
  farm.create("alice", std::move(filing));
  farm.grant_ok("w");
  ASSERT_EQ(farm.outcome(), "RUNNING | IN PROGRESS");
}

/// How long the job lasts from now on if nothing happens.
Duration left(const FarmFixture& farm) { return farm.job(kJob).timeout - farm.now().lease; }
Duration left_at_most(const FarmFixture& farm) { return farm.job(kJob).timeout_max - farm.now().lease; }

TEST(JobTimeout, FreesTheWorkerExactlyAtTimeout) {
  FarmFixture farm;
  start_job(farm, {.caps = {}, .claim_within = 0s});
  farm.advance(1h - 1ns);
  EXPECT_EQ(farm.outcome(), "RUNNING | IN PROGRESS");
  farm.advance(1ns);
  EXPECT_EQ(farm.outcome(), std::string("PREPARE dirty | ") + kDone);
}

TEST(JobTimeout, IsAShorterLeaseWhereTheRequestAsksForIt) {
  FarmFixture farm;
  start_job(farm, {.caps = {}, .lease = 2min});
  EXPECT_EQ(left(farm), 2min);
  farm.advance(1min);
  EXPECT_EQ(farm.prolong("alice", kJob), "");
  EXPECT_EQ(left(farm), 2min);
  farm.advance(2min - 1ns);
  EXPECT_EQ(farm.describe(kJob), "IN PROGRESS");
  farm.advance(1ns);
  EXPECT_EQ(farm.describe(kJob), kDone);
}

TEST(JobTimeout, NeverPassesLeaseMax) {
  FarmFixture farm(Policy{.lease = 1h, .lease_max = 90min});
  start_job(farm);
  farm.acquire("alice", kJob);
  farm.advance(20min);
  EXPECT_EQ(farm.prolong("alice", kJob), "");
  EXPECT_EQ(left(farm), 1h);
  farm.advance(20min);
  EXPECT_EQ(farm.prolong("alice", kJob), "");
  EXPECT_EQ(left(farm), 50min);
  EXPECT_EQ(farm.prolong("alice", kJob), "invalid request: lease limit of 1 h 30 m reached");
  EXPECT_EQ(farm.acquire("alice", kJob), "") << "at the limit there is access still";
  EXPECT_EQ(left(farm), 50min);
  farm.advance(50min);
  EXPECT_EQ(farm.describe(kJob), kDone);
}

TEST(JobTimeout, IsLeaseMaxWhereThatIsShorterThanTheLease) {
  FarmFixture farm(Policy{.lease = 2h, .lease_max = 1h});
  start_job(farm);
  EXPECT_EQ(left(farm), 1h);
  EXPECT_EQ(left_at_most(farm), 1h);
}

TEST(JobTimeout, ProlongedAtTheSameInstantStaysAndIsNotRefused) {
  FarmFixture farm;
  start_job(farm);
  EXPECT_EQ(farm.prolong("alice", kJob), "");
  EXPECT_EQ(farm.last_events(), "");
  EXPECT_EQ(left(farm), 1h);
}

TEST(JobTimeout, IsNeverShortenedByProlonging) {
  FarmFixture farm(Policy{.lost_grace = 2h});
  start_job(farm, {.caps = {}, .lease = 1min, .claim_within = 0s});
  // The restart put the timeout off by two hours, farther than one lease reaches.
  farm.restart(5min);
  EXPECT_EQ(left(farm), 2h);
  EXPECT_EQ(farm.prolong("alice", kJob), "");
  EXPECT_EQ(farm.acquire("alice", kJob), "");
  EXPECT_EQ(left(farm), 2h);
}

TEST(JobClaim, EndsAJobThatNobodyAcquiresExactlyWhenItIsDue) {
  FarmFixture farm;
  start_job(farm);
  farm.prolong("alice", kJob);
  farm.advance(10min - 1ns);
  EXPECT_EQ(farm.describe(kJob), "IN PROGRESS");
  farm.advance(1ns);
  EXPECT_EQ(farm.outcome(), std::string("PREPARE dirty | ") + kUnclaimed);
}

TEST(JobClaim, IsMetByAcquiringOnce) {
  FarmFixture farm;
  start_job(farm);
  farm.advance(10min - 1ns);
  EXPECT_EQ(farm.acquire("alice", kJob), "");
  EXPECT_EQ(farm.last_events(), "job acquired, job prolonged");
  EXPECT_EQ(left(farm), 1h) << "acquiring prolongs";
  EXPECT_EQ(farm.acquire("alice", kJob), "");
  EXPECT_EQ(farm.last_events(), "");
  farm.advance(1h - 1ns);
  EXPECT_EQ(farm.describe(kJob), "IN PROGRESS");
}

TEST(JobClaim, IsOffWithZero) {
  FarmFixture farm;
  start_job(farm, {.caps = {}, .claim_within = 0s});
  EXPECT_EQ(farm.job(kJob).claim_by, std::nullopt);
}

TEST(JobClaim, TellsTheLeaseWhereThatEndsFirst) {
  FarmFixture farm;
  start_job(farm, {.caps = {}, .lease = 5min});
  farm.advance(5min);
  EXPECT_EQ(farm.describe(kJob), kDone);
}

TEST(JobPause, StopsTheLeaseClockAndMovesTimeoutMaximumAndClaim) {
  FarmFixture farm;
  start_job(farm);
  farm.advance(1min);
  farm.lose("w");
  const auto before = farm.job(kJob);
  farm.advance(9min + 59s);
  EXPECT_EQ(farm.describe(kJob), "IN PROGRESS paused");
  farm.reconnect("w");
  const auto pause = 9min + 59s;
  EXPECT_EQ(farm.job(kJob).timeout, before.timeout + pause);
  EXPECT_EQ(farm.job(kJob).timeout_max, before.timeout_max + pause);
  EXPECT_EQ(farm.job(kJob).claim_by, *before.claim_by + pause);
  EXPECT_EQ(farm.job(kJob).pause_used, pause);
  EXPECT_EQ(farm.describe(kJob), "IN PROGRESS");
}

TEST(JobPause, OutlivesTheTimeoutThatWouldHaveFallenIntoIt) {
  FarmFixture farm;
  start_job(farm, {.caps = {}, .lease = 1min});
  farm.lose("w");
  farm.advance(5min);
  farm.reconnect("w");
  EXPECT_EQ(left(farm), 30s);
  farm.advance(30s);
  EXPECT_EQ(farm.describe(kJob), kDone);
}

TEST(JobPause, EndsWithTheGraceExactly) {
  FarmFixture farm;
  start_job(farm);
  farm.lose("w");
  farm.advance(10min - 1ns);
  EXPECT_EQ(farm.outcome(), "RUNNING lost | IN PROGRESS paused");
  farm.advance(1ns);
  EXPECT_EQ(farm.outcome(), "FAILED lost dirty: agent lost | FAILED: worker worker-0001 failed: agent lost");
}

TEST(JobPause, GraceIsForTheWholeJob) {
  FarmFixture farm;
  start_job(farm);
  farm.acquire("alice", kJob);
  farm.lose("w");
  farm.advance(6min);
  farm.reconnect("w");
  farm.lose("w");
  farm.advance(4min - 1ns);
  EXPECT_EQ(farm.describe(kJob), "IN PROGRESS paused");
  farm.advance(1ns);
  EXPECT_EQ(farm.describe(kJob), "FAILED: worker worker-0001 failed: agent lost");
}

TEST(JobPause, ProlongingMeanwhileCountsFromWhereTheClockStands) {
  FarmFixture farm;
  start_job(farm);
  farm.acquire("alice", kJob);
  farm.advance(20min);
  farm.lose("w");
  farm.advance(5min);
  EXPECT_EQ(farm.prolong("alice", kJob), "");
  EXPECT_EQ(farm.job(kJob).timeout, *farm.job(kJob).paused_since + 1h);
  farm.reconnect("w");
  EXPECT_EQ(left(farm), 1h);
}

TEST(JobPause, AcquiringMeanwhileMeetsTheClaim) {
  FarmFixture farm;
  start_job(farm);
  farm.lose("w");
  EXPECT_EQ(farm.acquire("alice", kJob), "");
  EXPECT_EQ(farm.job(kJob).claim_by, std::nullopt);
}

TEST(JobRestart, KeepsTheJobItsPortAndWhatIsLeftOfItsTime) {
  FarmFixture farm;
  start_job(farm);
  farm.acquire("alice", kJob);
  farm.advance(10min);
  const auto before = farm.job(kJob);
  farm.restart(20min);
  EXPECT_EQ(farm.outcome(), "RUNNING lost | IN PROGRESS paused");
  farm.advance(2min);
  farm.reconnect("w");
  // The clock ran while the server was down and stood still while the agent was awaited.
  EXPECT_EQ(left(farm), 30min);
  EXPECT_EQ(farm.job(kJob).tunnel_port, before.tunnel_port);
  EXPECT_EQ(farm.job(kJob).timeout_max, before.timeout_max + 2min);
}

TEST(JobRestart, GivesTheGraceToAJobWhoseTimeoutPassedMeanwhile) {
  FarmFixture farm;
  start_job(farm);
  farm.acquire("alice", kJob);
  farm.restart(2h);
  EXPECT_EQ(farm.outcome(), "RUNNING lost | IN PROGRESS paused");
  EXPECT_EQ(left(farm), 10min);
  farm.reconnect("w");
  farm.advance(10min - 1ns);
  EXPECT_EQ(farm.describe(kJob), "IN PROGRESS");
  farm.advance(1ns);
  EXPECT_EQ(farm.outcome(), std::string("PREPARE dirty | ") + kDone);
}

TEST(JobRestart, GivesNoMoreThanTheMaximumAllows) {
  FarmFixture farm(Policy{.lease = 1h, .lease_max = 64min});
  start_job(farm);
  farm.acquire("alice", kJob);
  farm.restart(1h);
  EXPECT_EQ(left(farm), 4min);
  EXPECT_EQ(left_at_most(farm), 4min);
}

TEST(JobRestart, EndsAJobWhoseMaximumPassedBeforeAnyMatch) {
  FarmFixture farm;
  start_job(farm);
  farm.acquire("alice", kJob);
  farm.create("bob");
  farm.restart(24h);
  EXPECT_EQ(farm.outcome(), std::string("FAILED lost dirty: agent lost | ") + kDone);
  EXPECT_EQ(farm.describe(RequestId{2}), "WAITING");
  farm.reconnect("w");
  EXPECT_EQ(farm.describe("w"), "PREPARE dirty check");
}

TEST(JobRestart, LeavesToAPausedJobAllThatWasLeftToIt) {
  FarmFixture farm;
  start_job(farm);
  farm.acquire("alice", kJob);
  farm.lose("w");
  const auto left_then = left(farm);
  const auto left_at_most_then = left_at_most(farm);
  farm.advance(5min);
  farm.restart(3h);
  EXPECT_EQ(farm.outcome(), "RUNNING lost | IN PROGRESS paused");
  farm.advance(10min - 1ns);
  farm.reconnect("w");
  EXPECT_EQ(left(farm), left_then);
  EXPECT_EQ(left_at_most(farm), left_at_most_then);
}

TEST(JobRestart, StartsTheGrace) {
  FarmFixture farm;
  start_job(farm);
  farm.restart(1min);
  farm.advance(10min - 1ns);
  EXPECT_EQ(farm.describe(kJob), "IN PROGRESS paused");
  farm.advance(1ns);
  EXPECT_EQ(farm.describe(kJob), "FAILED: worker worker-0001 failed: agent lost");
}

TEST(JobTunnel, MovesToAnotherPortWhenItsOwnCannotBeHad) {
  FarmFixture farm(Policy{.first_tunnel_port = 40000, .last_tunnel_port = 40001});
  start_job(farm);
  EXPECT_EQ(farm.job(kJob).tunnel_port, 40000);
  EXPECT_EQ(farm.act("server", MoveTunnel{.id = kJob, .port = 39999}), "");
  EXPECT_EQ(farm.job(kJob).tunnel_port, 40000) << "news of another port";
  EXPECT_EQ(farm.act("server", MoveTunnel{.id = kJob, .port = 40000}), "");
  EXPECT_EQ(farm.job(kJob).tunnel_port, 40001);
  farm.close("alice", kJob);
  EXPECT_EQ(farm.act("server", MoveTunnel{.id = kJob, .port = 40001}), "");
  EXPECT_EQ(farm.last_events(), "");
}

TEST(JobTunnel, GoesRoundTheRangeWhateverHappensToOlderJobs) {
  FarmFixture farm(Policy{.first_tunnel_port = 40000, .last_tunnel_port = 40003});
  start_job(farm);
  for (const auto* name : {"x", "y", "z"}) farm.make_idle(name);
  const auto second = farm.create("alice");
  EXPECT_EQ(farm.job(second).tunnel_port, 40001);
  farm.close("alice", second);
  farm.advance(1min);
  farm.prolong("alice", kJob);
  EXPECT_EQ(farm.job(farm.create("alice")).tunnel_port, 40002) << "the port that was just left comes last";
}

TEST(JobLimit, IsNamedWithThePolicysOwnMaximum) {
  FarmFixture farm;
  start_job(farm);
  farm.acquire("alice", kJob);
  for (int half_hour = 0; half_hour < 47; ++half_hour) {
    farm.advance(30min);
    EXPECT_EQ(farm.prolong("alice", kJob), half_hour < 46 ? "" : kLeaseLimit);
  }
}

}  // namespace
}  // namespace boruta::farm

#include "sim/simulation.hpp"

#include <gtest/gtest.h>

#include <array>
#include <cstdint>
#include <map>
#include <string>

#include "runtime/log.hpp"

namespace boruta::sim {
namespace {

using Counts = World::Counts;

constexpr std::uint64_t kFirstSeeds = 12;

/// Seeds that once found something, with what it was.
constexpr std::array<std::uint64_t, 6> kFoundSomething{
    // What a dead server had sent came to an agent that was dead too, and was kept in what had been its session.
    1795878224540628984U,
    // An agent that was removed was killed while it ended the job, and had forgotten the user when it came again.
    1795874259808355666U,
    // A worker was removed, and came again with a user whose job its agent had not heard of: nobody ended it.
    1795859921107484709U,
    // A tunnel was opened anew to a worker without an account, and its user counted as let in.
    1795858481689491511U,
    // The wall clock was set back by hours, and healing did not set it right: requests waited past the end.
    1795851014586350480U,
    // The same, of a clock that had been set forward before.
    1795859788909527209U,
};

std::string simulate(const Simulation::Options& options, Counts* counts) {
  // What the server logs of a simulated disaster tells nobody anything.
  static const bool kQuiet = (runtime::start_log(runtime::LogLevel::kError, runtime::LogFormat::kText), true);
  EXPECT_TRUE(kQuiet);
  Simulation simulation(options);
  simulation.run();
  for (const auto& [what, count] : simulation.world().counts()) (*counts)[what] += count;
  return simulation.report();
}

TEST(Simulation, RunsSmoothlyInFineWeather) {
  Counts counts;
  for (std::uint64_t seed = 1; seed <= kFirstSeeds; ++seed) EXPECT_EQ(simulate(Simulation::fine(seed), &counts), "");
  EXPECT_GT(counts["request filed"], 100U);
  EXPECT_GT(counts["worker acquired"], 10U);
}

TEST(Simulation, LosesNothingInRoughWeather) {
  Counts counts;
  for (std::uint64_t seed = 1; seed <= kFirstSeeds; ++seed) EXPECT_EQ(simulate(Simulation::rough(seed), &counts), "");
  for (const auto* what : {"server crashed",
                           "server crashed amidst its work",
                           "agent crashed",
                           "stream broken",
                           "operation failed",
                           "operation hung",
                           "commit failed",
                           "wall clock set",
                           "wall clock set back",
                           "agent stopped",
                           "worker acquired",
                           "commit slow",
                           "priority changed",
                           "message delayed",
                           "message doubled",
                           "message overtook others",
                           "agent lied",
                           "message lost",
                           "outcome of a commit unknown",
                           "request filed again",
                           "forbidden",
                           "too many waiting",
                           "login refused",
                           "token revoked",
                           "key removed",
                           "worker acquired with own keys",
                           "user limited",
                           "group limited",
                           "user grouped",
                           "user deleted",
                           "worker restricted",
                           "requests forgotten",
                           "events forgotten",
                           "checkpoint kept"}) {
    EXPECT_GT(counts[what], 0U) << what;
  }
}

TEST(Simulation, FindsNothingAnyMoreWhereItOnceDid) {
  Counts counts;
  for (const auto seed : kFoundSomething) EXPECT_EQ(simulate(Simulation::rough(seed), &counts), "") << seed;
}

TEST(Simulation, RepeatsItselfFromItsSeed) {
  Counts first;
  Counts second;
  EXPECT_EQ(simulate(Simulation::rough(3), &first), simulate(Simulation::rough(3), &second));
  EXPECT_EQ(first, second);
}

}  // namespace
}  // namespace boruta::sim

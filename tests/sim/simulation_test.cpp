#include "sim/simulation.hpp"

#include <gtest/gtest.h>

#include "runtime/log.hpp"

namespace boruta::sim {
namespace {

using Counts = std::map<std::string, std::uint64_t>;

/// Seeds that once found something are among them, and so are tried each time.
constexpr std::uint64_t kFirstSeeds = 12;

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
  for (const auto* what : {"server crashed",      "server crashed amidst its work",
                           "agent crashed",       "stream broken",
                           "operation failed",    "operation hung",
                           "commit failed",       "wall clock set",
                           "wall clock set back", "agent stopped",
                           "worker acquired",     "commit slow",
                           "priority changed",    "message delayed",
                           "message doubled",     "message overtook others",
                           "agent lied",          "requests forgotten",
                           "events forgotten",    "checkpoint kept"}) {
    EXPECT_GT(counts[what], 0U) << what;
  }
}

TEST(Simulation, RepeatsItselfFromItsSeed) {
  Counts first;
  Counts second;
  EXPECT_EQ(simulate(Simulation::rough(3), &first), simulate(Simulation::rough(3), &second));
  EXPECT_EQ(first, second);
}

}  // namespace
}  // namespace boruta::sim

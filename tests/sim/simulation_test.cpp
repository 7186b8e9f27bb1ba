#include "sim/simulation.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <chrono>
#include <cstdlib>
#include <iostream>

#include "runtime/log.hpp"

namespace boruta::sim {
namespace {

using namespace std::chrono_literals;

constexpr Weather kFine{};
constexpr Weather kRough{.crash_server = 40,
                         .crash_agent = 15,
                         .break_stream = 25,
                         .fail_operation = 30,
                         .hang_operation = 10,
                         .fail_commit = 20,
                         .jump_wall = 10};

/// Seeds that once found something, and so are tried each time.
constexpr std::uint64_t kFirstSeeds = 12;

std::string simulate(std::uint64_t seed, const Weather& weather, std::map<std::string, std::uint64_t>* counts) {
  // What the server logs of a simulated disaster tells nobody anything.
  static const bool kQuiet = (runtime::start_log(runtime::LogLevel::kError, runtime::LogFormat::kText), true);
  EXPECT_TRUE(kQuiet);
  Simulation simulation({.seed = seed, .weather = weather});
  simulation.run();
  for (const auto& [what, count] : simulation.world().counts()) (*counts)[what] += count;
  return simulation.report();
}

TEST(Simulation, RunsSmoothlyInFineWeather) {
  std::map<std::string, std::uint64_t> counts;
  for (std::uint64_t seed = 1; seed <= kFirstSeeds; ++seed) EXPECT_EQ(simulate(seed, kFine, &counts), "");
  EXPECT_GT(counts["request filed"], 100U);
  EXPECT_GT(counts["worker acquired"], 10U);
}

TEST(Simulation, LosesNothingInRoughWeather) {
  std::map<std::string, std::uint64_t> counts;
  for (std::uint64_t seed = 1; seed <= kFirstSeeds; ++seed) EXPECT_EQ(simulate(seed, kRough, &counts), "");
  for (const auto* what : {"server crashed", "agent crashed", "stream broken", "operation failed", "operation hung",
                           "commit failed", "wall clock set", "agent stopped", "worker acquired"}) {
    EXPECT_GT(counts[what], 0U) << what;
  }
}

TEST(Simulation, RepeatsItselfFromItsSeed) {
  std::map<std::string, std::uint64_t> first;
  std::map<std::string, std::uint64_t> second;
  EXPECT_EQ(simulate(3, kRough, &first), simulate(3, kRough, &second));
  EXPECT_EQ(first, second);
}

/// New seeds each time, for BORUTA_SIM_SECONDS (10); or the one in BORUTA_SIM_SEED.
TEST(Simulation, HoldsForFreshSeeds) {
  std::map<std::string, std::uint64_t> counts;
  if (const char* seed = std::getenv("BORUTA_SIM_SEED")) {
    EXPECT_EQ(simulate(std::strtoull(seed, nullptr, 10), kRough, &counts), "");
    return;
  }
  const char* seconds = std::getenv("BORUTA_SIM_SECONDS");
  const auto end =
      std::chrono::steady_clock::now() + std::chrono::seconds(seconds == nullptr ? 10 : std::atoi(seconds));
  auto seed = static_cast<std::uint64_t>(std::chrono::system_clock::now().time_since_epoch().count());
  int lives = 0;
  while (std::chrono::steady_clock::now() < end) {
    const auto report = simulate(++seed, kRough, &counts);
    ASSERT_EQ(report, "");
    ++lives;
  }
  std::cout << fmt::format("{} farms lived 7 hours each\n", lives);
}

}  // namespace
}  // namespace boruta::sim

// Lives through simulated farms in rough weather, seed after seed, until something goes wrong or the time is over.
//   simulate --seconds 120            fresh seeds for two minutes
//   simulate --first 17 --seeds 1     the one that found something, once more
//   simulate --seeds 200 --find       succeeds if one of them finds something: for programs with a bug planted
#include <climits>
#include <fmt/format.h>

#include <charconv>
#include <chrono>
#include <cstdint>
#include <ctime>
#include <iostream>
#include <malloc.h>
#include <optional>
#include <span>
#include <string_view>

#include "runtime/log.hpp"
#include "sim/simulation.hpp"

namespace boruta::sim {
namespace {

using Clock = std::chrono::steady_clock;

struct Settings {
  std::uint64_t first = static_cast<std::uint64_t>(std::chrono::system_clock::now().time_since_epoch().count());
  std::uint64_t seeds = UINT64_MAX;
  std::chrono::seconds time = std::chrono::hours(24);
  bool find = false;
};

std::optional<Settings> settings_of(std::span<char*> arguments) {
  Settings settings;
  while (!arguments.empty()) {
    const std::string_view name = arguments.front();
    if (name == "--find") {
      settings.find = true;
      arguments = arguments.subspan(1);
      continue;
    }
    if (arguments.size() < 2) return std::nullopt;
    const std::string_view text = arguments[1];
    std::uint64_t number = 0;
    if (std::from_chars(text.data(), text.data() + text.size(), number).ec != std::errc{}) return std::nullopt;
    if (name == "--first") {
      settings.first = number;
    } else if (name == "--seeds") {
      settings.seeds = number;
    } else if (name == "--seconds") {
      settings.time = std::chrono::seconds(number);
    } else {
      return std::nullopt;
    }
    arguments = arguments.subspan(2);
  }
  return settings;
}

int run(const Settings& settings) {
  const auto begin = Clock::now();
  std::uint64_t lived = 0;
  Duration simulated{};
  std::string report;
  while (report.empty() && lived < settings.seeds && Clock::now() - begin < settings.time) {
    const auto options = Simulation::rough(settings.first + lived++);
    Simulation simulation(options);
    simulation.run();
    simulated += Simulation::length_of(options);
    report = simulation.report();
    if (!report.empty())
      std::cout << fmt::format("seed {}, number {} of those tried:\n{}", options.seed, lived, report);
  }
  const std::chrono::duration<double, std::ratio<60>> took = Clock::now() - begin;
  const std::chrono::duration<double, std::ratio<86'400>> days = simulated;
  const auto processor_minutes = static_cast<double>(std::clock()) / CLOCKS_PER_SEC / 60;
  std::cout << fmt::format(
      "{} farms lived {:.0f} days in all, {:.0f} farm-days a minute, {:.0f} a minute of the processor\n", lived,
      days.count(), days.count() / took.count(), days.count() / processor_minutes);
  if (!report.empty() && !settings.find) {
    std::cout << fmt::format("see it again: simulate --first {} --seeds 1\n", settings.first + lived - 1);
  }
  return report.empty() == settings.find ? 1 : 0;
}

}  // namespace
}  // namespace boruta::sim

int main(int argc, char** argv) {
  const auto settings = boruta::sim::settings_of(std::span(argv, static_cast<std::size_t>(argc)).subspan(1));
  if (!settings) {
    std::cerr << "usage: simulate [--first SEED] [--seeds COUNT] [--seconds COUNT] [--find]\n";
    return 2;
  }
  // Of one farm's memory the next one is made.
  mallopt(M_TRIM_THRESHOLD, INT_MAX);
  // What the server logs of a simulated disaster tells nobody anything.
  boruta::runtime::start_log(boruta::runtime::LogLevel::kError, boruta::runtime::LogFormat::kText);
  return boruta::sim::run(*settings);
}

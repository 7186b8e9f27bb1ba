// Lives through simulated farms in rough weather, seed after seed, until something goes wrong or the time is over.
//   simulate --seconds 120 --jobs 2   fresh seeds for two minutes, by two processes
//   simulate --first 17 --seeds 1     the one that found something, once more
//   simulate --seeds 200 --find       succeeds if one of them finds something: for programs with a bug planted
#include <climits>
#include <fmt/format.h>

#include <array>
#include <atomic>
#include <charconv>
#include <chrono>
#include <cstdint>
#include <ctime>
#include <iostream>
#include <malloc.h>
#include <optional>
#include <span>
#include <string_view>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "runtime/log.hpp"
#include "sim/simulation.hpp"

namespace boruta::sim {
namespace {

using Clock = std::chrono::steady_clock;

struct Settings {
  std::uint64_t first = static_cast<std::uint64_t>(std::chrono::system_clock::now().time_since_epoch().count());
  std::uint64_t seeds = UINT64_MAX;
  std::chrono::seconds time = std::chrono::hours(24);
  std::uint64_t jobs = 1;
  bool find = false;
};

constexpr std::uint64_t kMostJobs = 64;

/// What one process has lived through.
struct Lived {
  /// Of the farm that it lives in.
  std::uint64_t seed = 0;
  std::uint64_t farms = 0;
  Duration simulated{};
  double processor_seconds = 0;
  bool well = false;
};

/// Shared by all processes.
struct Board {
  std::atomic<bool> found = false;
  std::array<Lived, kMostJobs> lived{};
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
    } else if (name == "--jobs" && number >= 1 && number <= kMostJobs) {
      settings.jobs = number;
    } else {
      return std::nullopt;
    }
    arguments = arguments.subspan(2);
  }
  return settings;
}

/// Each job takes every so many-th seed.
void live(const Settings& settings, std::uint64_t job, Clock::time_point begin, Board& board) {
  auto& lived = board.lived.at(job);
  for (auto number = job; number < settings.seeds && !board.found; number += settings.jobs) {
    if (Clock::now() - begin >= settings.time) break;
    const auto options = Simulation::rough(settings.first + number);
    lived.seed = options.seed;
    Simulation simulation(options);
    simulation.run();
    ++lived.farms;
    lived.simulated += Simulation::length_of(options);
    const auto report = simulation.report();
    if (report.empty()) continue;
    board.found = true;
    std::cout << fmt::format("seed {}, number {} of those tried:\n{}", options.seed, number + 1, report);
    if (!settings.find) std::cout << fmt::format("see it again: simulate --first {} --seeds 1\n", options.seed);
    std::cout.flush();
  }
  lived.processor_seconds = static_cast<double>(std::clock()) / CLOCKS_PER_SEC;
  lived.well = true;
}

/// Nothing where the system does not let us.
Board* make_board() {
  void* memory = ::mmap(nullptr, sizeof(Board), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  return memory == MAP_FAILED ? nullptr : new (memory) Board;
}

int run(const Settings& settings) {
  const auto begin = Clock::now();
  auto* board = make_board();
  if (board == nullptr) return 2;
  if (settings.jobs == 1) {
    live(settings, 0, begin, *board);
  } else {
    for (std::uint64_t job = 0; job < settings.jobs; ++job) {
      if (::fork() != 0) continue;
      live(settings, job, begin, *board);
      ::_exit(0);
    }
    while (::wait(nullptr) > 0) {
    }
  }
  const std::chrono::duration<double, std::ratio<60>> took = Clock::now() - begin;
  Lived all{.well = true};
  for (const auto& lived : std::span(board->lived).first(settings.jobs)) {
    all.farms += lived.farms;
    all.simulated += lived.simulated;
    all.processor_seconds += lived.processor_seconds;
    all.well = all.well && lived.well;
  }
  const std::chrono::duration<double, std::ratio<86'400>> days = all.simulated;
  std::cout << fmt::format(
      "{} farms lived {:.0f} days in all, {:.0f} farm-days a minute, {:.0f} a minute of one processor\n", all.farms,
      days.count(), days.count() / took.count(), days.count() / all.processor_seconds * 60);
  for (const auto& lived : std::span(board->lived).first(settings.jobs)) {
    if (lived.well) continue;
    std::cout << fmt::format("a process died of seed {}\nsee it again: simulate --first {} --seeds 1\n", lived.seed,
                             lived.seed);
  }
  return all.well && board->found == settings.find ? 0 : 1;
}

}  // namespace
}  // namespace boruta::sim

int main(int argc, char** argv) {
  const auto settings = boruta::sim::settings_of(std::span(argv, static_cast<std::size_t>(argc)).subspan(1));
  if (!settings) {
    std::cerr << "usage: simulate [--first SEED] [--seeds COUNT] [--seconds COUNT] [--jobs COUNT] [--find]\n";
    return 2;
  }
  // Of one farm's memory the next one is made.
  mallopt(M_TRIM_THRESHOLD, INT_MAX);
  // What the server logs of a simulated disaster tells nobody anything.
  boruta::runtime::start_log(boruta::runtime::LogLevel::kError, boruta::runtime::LogFormat::kText);
  return boruta::sim::run(*settings);
}

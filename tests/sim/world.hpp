#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "sim/virtual_clock.hpp"
#include "store/memory_journal.hpp"

namespace boruta::sim {

/// How rough the world is. Chances are per opportunity, in thousandths.
struct Weather {
  int crash_server = 0;
  int crash_agent = 0;
  int break_stream = 0;
  int fail_operation = 0;
  int hang_operation = 0;
  int fail_commit = 0;
  int jump_wall = 0;
};

/// What the parts of a simulation share: time, chance, the disk, and what must never happen.
class World {
 public:
  World(std::uint64_t seed, Weather weather) : random_(seed), weather_(weather) {}

  [[nodiscard]] VirtualClock& clock() { return clock_; }
  [[nodiscard]] store::MemoryJournal& disk() { return disk_; }
  [[nodiscard]] const Weather& weather() const { return weather_; }
  void calm_down() { weather_ = Weather{}; }

  /// A whole number from `least` to `most`. The same on every machine: the distributions of <random> are not.
  [[nodiscard]] std::uint64_t pick(std::uint64_t least, std::uint64_t most) {
    return least + random_() % (most - least + 1);
  }
  [[nodiscard]] bool chance(int thousandths) { return static_cast<int>(pick(0, 999)) < thousandths; }
  [[nodiscard]] Duration some_time(Duration least, Duration most) {
    return Duration(static_cast<Duration::rep>(
        pick(static_cast<std::uint64_t>(least.count()), static_cast<std::uint64_t>(most.count()))));
  }

  /// Something happened that must not.
  void violate(const std::string& what) { violations_.insert(what); }
  [[nodiscard]] const std::set<std::string>& violations() const { return violations_; }

  void count(const std::string& what) { ++counts_[what]; }
  [[nodiscard]] const std::map<std::string, std::uint64_t>& counts() const { return counts_; }

  /// A job's user could get into the worker: something of the user may be there from now on.
  void let_in(WorkerUuid worker, RequestId job) {
    auto& guests = guests_[worker];
    for (const auto other : guests) {
      if (other != job) {
        violate("the user of request " + std::to_string(job.value) +
                " was let into a worker on which something of request " + std::to_string(other.value) + " was left");
      }
    }
    guests.insert(job);
  }
  /// The worker's agent has removed every user.
  void clean(WorkerUuid worker) { guests_[worker].clear(); }
  [[nodiscard]] const std::set<RequestId>& guests(WorkerUuid worker) { return guests_[worker]; }

 private:
  VirtualClock clock_{Instant(std::chrono::hours(24) * 365 * 56)};
  std::mt19937_64 random_;
  Weather weather_;
  store::MemoryJournal disk_;
  std::set<std::string> violations_;
  std::map<std::string, std::uint64_t> counts_;
  std::map<WorkerUuid, std::set<RequestId>> guests_;
};

}  // namespace boruta::sim

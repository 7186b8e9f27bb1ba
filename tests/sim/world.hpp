#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <random>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/secret.hpp"
#include "sim/virtual_clock.hpp"
#include "store/memory_journal.hpp"

namespace boruta::sim {

/// The private key that every simulated agent makes: to make a real one takes longer than a simulated day.
[[nodiscard]] const Secret& agent_key();
/// Good enough for the server, but it opens nothing.
[[nodiscard]] const Secret& wrong_key();

/// What every simulated agent shows; it admits them all.
[[nodiscard]] inline Secret workers_token() { return Secret("the workers' token"); }

/// How rough the world is. Chances are per opportunity, in thousandths.
struct Weather {
  int crash_server = 0;
  /// Of the crashes: in the middle of what the server does, between two awaits, instead of while it waits.
  int crash_amidst = 0;
  int crash_agent = 0;
  int break_stream = 0;
  int fail_operation = 0;
  int hang_operation = 0;
  int fail_commit = 0;
  /// The disk takes seconds.
  int slow_commit = 0;
  /// Nobody knows whether the disk has it, and the server exits.
  int lose_outcome = 0;
  int jump_wall = 0;
  /// While the server is down.
  int jump_wall_back = 0;
  /// Of messages: up to a minute late, and with it all that follow it on that stream.
  int delay_message = 0;
  /// In either direction, and the stream goes on. Not an agent's first: without it there is no stream.
  int lose_message = 0;
  /// Of an agent's messages, which the network may give twice, and in any order, to a server that must bear it.
  int double_message = 0;
  int overtake = 0;
  /// An agent that is asked something says at once that it has done it, but of an earlier time.
  int lie = 0;
};

/// What the parts of a simulation share: time, chance, the disk, and what must never happen.
class World {
 public:
  using Counts = std::map<std::string, std::uint64_t, std::less<>>;

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

  /// How long a message is under way.
  [[nodiscard]] Duration transit() {
    if (chance(weather_.delay_message)) {
      count("message delayed");
      return some_time(std::chrono::seconds(1), std::chrono::minutes(1));
    }
    return some_time(std::chrono::microseconds(100), std::chrono::milliseconds(50));
  }

  [[nodiscard]] bool loses_message() {
    if (!chance(weather_.lose_message)) return false;
    count("message lost");
    return true;
  }

  /// The server cannot go on.
  void demand_exit() { exit_demanded_ = true; }
  [[nodiscard]] bool take_exit() { return std::exchange(exit_demanded_, false); }

  /// Something happened that must not.
  void violate(const std::string& what) { violations_.insert(what); }
  [[nodiscard]] const std::set<std::string>& violations() const { return violations_; }

  void count(std::string_view what) {
    const auto counted = counts_.find(what);
    if (counted == counts_.end()) {
      counts_.emplace(what, 1);
    } else {
      ++counted->second;
    }
  }
  [[nodiscard]] const Counts& counts() const { return counts_; }

  /// A job's user could get into the worker, if it has an account: something of the user may be there from now on.
  void let_in(WorkerUuid worker, RequestId job) {
    if (!accounts_.contains(worker)) return;
    auto& guests = guests_[worker];
    for (const auto other : guests) {
      if (other != job) {
        violate("the user of request " + std::to_string(job.value) +
                " was let into a worker on which something of request " + std::to_string(other.value) + " was left");
      }
    }
    guests.insert(job);
    ++entries_;
  }
  /// How often somebody was let in.
  [[nodiscard]] std::uint64_t entries() const { return entries_; }
  /// The worker's agent has removed every user, and the account.
  void clean(WorkerUuid worker) {
    guests_[worker].clear();
    accounts_.erase(worker);
  }
  /// The worker's agent has made an account.
  void make_account(WorkerUuid worker) { accounts_[worker] = {"made by the agent"}; }
  /// The worker's account is opened by these public keys and no other.
  void open_to(WorkerUuid worker, std::vector<std::string> keys) { accounts_.at(worker) = std::move(keys); }
  /// What opens the worker's account, if there is one.
  [[nodiscard]] std::vector<std::string> openers(WorkerUuid worker) const {
    const auto account = accounts_.find(worker);
    return account == accounts_.end() ? std::vector<std::string>{} : account->second;
  }
  [[nodiscard]] const std::set<RequestId>& guests(WorkerUuid worker) { return guests_[worker]; }
  [[nodiscard]] const std::map<WorkerUuid, std::set<RequestId>>& all_guests() const { return guests_; }

 private:
  VirtualClock clock_{Instant(std::chrono::hours(24) * 365 * 56)};
  std::mt19937_64 random_;
  Weather weather_;
  store::MemoryJournal disk_;
  std::set<std::string> violations_;
  bool exit_demanded_ = false;
  Counts counts_;
  std::map<WorkerUuid, std::set<RequestId>> guests_;
  std::map<WorkerUuid, std::vector<std::string>> accounts_;
  std::uint64_t entries_ = 0;
};

}  // namespace boruta::sim

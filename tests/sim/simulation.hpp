#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "sim/invariants.hpp"
#include "sim/sim_agent.hpp"
#include "sim/sim_server.hpp"
#include "sim/sim_users.hpp"
#include "sim/world.hpp"

namespace boruta::sim {

/// A whole farm, its users and its misfortunes, from one seed. What must always hold is checked after every event, see
/// Invariants.
class Simulation {
 public:
  struct Options {
    std::uint64_t seed = 1;
    Weather weather;
    Duration length = std::chrono::hours(4);
    std::size_t workers = 4;
    /// How long after its job's end something of a user may be left on a worker.
    Duration cleaned_within = std::chrono::seconds(10);
  };

  /// Fine weather, in which all goes as it should; and rough weather, in which everything that can fail does.
  [[nodiscard]] static Options fine(std::uint64_t seed);
  [[nodiscard]] static Options rough(std::uint64_t seed);
  /// What `run` lives through, healing included.
  [[nodiscard]] static Duration length_of(const Options& options) { return options.length + kHealing; }

  explicit Simulation(Options options);
  Simulation(const Simulation&) = delete;
  Simulation& operator=(const Simulation&) = delete;
  ~Simulation();

  /// Lives through it, then lets everything heal and end.
  void run();

  [[nodiscard]] const World& world() const { return world_; }
  /// Empty when all was well; else what was not.
  [[nodiscard]] std::string report() const;

 private:
  static constexpr Duration kHealing = std::chrono::hours(2);

  void boot();
  void crash_server();
  void run_until(Instant end);
  void bad_luck();
  void next_user_action();
  void check();

  Options options_;
  World world_;
  farm::Policy policy_;
  std::vector<std::unique_ptr<SimAgent>> agents_;
  std::unique_ptr<SimServer> server_;
  Invariants invariants_;
  std::optional<SimUsers> users_;
  bool users_active_ = true;
  /// After so many more handlers of the server's, it is killed.
  std::optional<std::size_t> last_handlers_;
  /// Nothing has changed since this event, so nothing need be checked again.
  EventSeq checked_;
};

}  // namespace boruta::sim

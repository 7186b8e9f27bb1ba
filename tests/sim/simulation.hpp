#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "sim/sim_agent.hpp"
#include "sim/sim_server.hpp"
#include "sim/world.hpp"

namespace boruta::sim {

/// A whole farm, its users and its misfortunes, from one seed. Everything that must always hold is checked after every
/// event; see `check` in simulation.cpp for the list.
class Simulation {
 public:
  struct Options {
    std::uint64_t seed = 1;
    Weather weather;
    Duration length = std::chrono::hours(4);
    std::size_t workers = 4;
  };

  explicit Simulation(Options options);
  Simulation(const Simulation&) = delete;
  Simulation& operator=(const Simulation&) = delete;
  ~Simulation();

  /// Lives through it, then lets everything heal and end.
  void run();

  [[nodiscard]] const World& world() const { return world_; }
  /// Empty when all was well; else what was not, and how to see it again.
  [[nodiscard]] std::string report() const;

 private:
  /// What users were told, and may rely on.
  struct Promise {
    bool closed = false;
    bool in_progress = false;
  };

  void boot();
  void crash_server();
  void run_until(Instant end);
  void bad_luck();
  void next_user_action();
  void user_acts();

  Task<void> create_request(farm::CreateRequest create, farm::Actor actor);
  Task<void> close_request(RequestId id, farm::Actor actor);
  Task<void> prolong(RequestId id, farm::Actor actor);
  Task<void> acquire(RequestId id, farm::Actor actor);
  Task<void> order(farm::CommandBody body);

  [[nodiscard]] farm::Actor user(std::uint64_t number) const;
  [[nodiscard]] RequestId some_request();
  [[nodiscard]] WorkerUuid some_worker();

  void check();
  void check_promises(const farm::Rows& durable);
  void check_end();

  Options options_;
  World world_;
  farm::Policy policy_;
  std::vector<std::unique_ptr<SimAgent>> agents_;
  std::unique_ptr<SimServer> server_;
  std::map<RequestId, Promise> promises_;
  bool users_active_ = true;
  /// Nothing has changed since this event, so nothing need be checked again.
  EventSeq checked_;
};

}  // namespace boruta::sim

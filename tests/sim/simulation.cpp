#include "sim/simulation.hpp"

#include <fmt/format.h>

namespace boruta::sim {
namespace {

using namespace std::chrono_literals;

constexpr Duration kLuckEvery = 20s;

/// Of each kind of farm there are some, by the seed.
farm::Policy some_policy(World& world) {
  constexpr int kMostlyControlled = 850;
  return farm::Policy{.lease = 10min,
                      .lease_max = 25min,
                      .claim_within = 5min,
                      .invalid_after = 5min,
                      .order = world.chance(500) ? farm::QueueOrder::kFair : farm::QueueOrder::kFifo,
                      .half_life = 30min,
                      .access_control = world.chance(kMostlyControlled),
                      .keep_requests = 45min};
}

/// Longer than the server is ever down.
constexpr Duration kKeepEvents = 40min;

}  // namespace

Simulation::Options Simulation::fine(std::uint64_t seed) { return Options{.seed = seed, .weather = {}}; }

Simulation::Options Simulation::rough(std::uint64_t seed) {
  return Options{.seed = seed,
                 .weather = {.crash_server = 40,
                             .crash_amidst = 500,
                             .crash_agent = 15,
                             .break_stream = 25,
                             .fail_operation = 30,
                             .hang_operation = 10,
                             .fail_commit = 20,
                             .slow_commit = 50,
                             .lose_outcome = 3,
                             .jump_wall = 10,
                             .jump_wall_back = 100,
                             .delay_message = 5,
                             .lose_message = 5,
                             .double_message = 20,
                             .overtake = 20,
                             .lie = 100},
                 // Crashes, cuts and operations that hang may follow each other for a while.
                 .cleaned_within = 20min};
}

Simulation::Simulation(Options options)
    : options_(options),
      world_(options.seed, options.weather),
      policy_(some_policy(world_)),
      invariants_(&world_, policy_, options.cleaned_within) {
  std::vector<WorkerUuid> workers;
  for (std::size_t number = 0; number < options.workers; ++number) {
    workers.push_back(*WorkerUuid::parse(fmt::format("fa4e0000-0000-4000-8000-{:012x}", number)));
    Capabilities caps{{"board", number % 2 == 0 ? "rpi4" : "odroid"}};
    if (number % 3 == 0) caps.emplace("camera", "yes");
    agents_.push_back(
        std::make_unique<SimAgent>(&world_, workers.back(), std::move(caps), [this] { return server_.get(); }));
  }
  users_.emplace(&world_, &invariants_, std::move(workers), [this] { return server_.get(); });
}

Simulation::~Simulation() { agents_.clear(); }

void Simulation::run() {
  boot();
  for (const auto& agent : agents_) agent->start();
  next_user_action();
  bad_luck();
  run_until(world_.clock().now().lease + options_.length);
  // Now let everything heal: whatever was going on has to end by itself.
  users_active_ = false;
  world_.calm_down();
  world_.clock().mend_wall();
  if (!server_) boot();
  run_until(world_.clock().now().lease + kHealing);
  if (world_.violations().empty()) invariants_.check_end(server_->farm());
}

void Simulation::run_until(Instant end) {
  do {
    if (world_.take_exit()) crash_server();
    if (server_ && last_handlers_) {
      server_->run_ready(*std::exchange(last_handlers_, std::nullopt));
      crash_server();
    } else if (server_) {
      server_->run_ready();
    }
    check();
  } while (world_.violations().empty() && world_.clock().step(end));
}

void Simulation::boot() {
  world_.count("server started");
  auto durable = *world_.disk().load();
  invariants_.server_started(durable.rows);
  server_ = std::make_unique<SimServer>(&world_, policy_, kKeepEvents, std::move(durable), &invariants_);
  users_->found();
}

void Simulation::crash_server() {
  if (!server_) return;
  world_.count("server crashed");
  invariants_.server_ends(server_->farm());
  server_.reset();
  for (const auto& agent : agents_) agent->server_died();
  world_.clock().after(world_.some_time(100ms, 3min), [this] {
    if (server_) return;
    if (world_.chance(world_.weather().jump_wall_back)) {
      world_.count("wall clock set back");
      world_.clock().jump_wall(-world_.some_time(1s, 1h));
    }
    boot();
  });
}

void Simulation::bad_luck() {
  if (!users_active_) return;
  const auto& weather = world_.weather();
  if (world_.chance(weather.crash_server)) {
    constexpr std::uint64_t kMostHandlers = 30;
    if (world_.chance(weather.crash_amidst)) {
      world_.count("server crashed amidst its work");
      last_handlers_ = world_.pick(1, kMostHandlers);
    } else {
      crash_server();
    }
  }
  if (world_.chance(weather.jump_wall)) {
    world_.count("wall clock set");
    world_.clock().jump_wall(world_.some_time(1s, 1h));
  }
  for (const auto& agent : agents_) {
    if (world_.chance(weather.crash_agent)) agent->crash();
    if (world_.chance(weather.break_stream)) agent->break_stream();
  }
  // Not on the beat, so that a crash can come at any moment of what is under way.
  world_.clock().after(world_.some_time(0s, 2 * kLuckEvery), [this] { bad_luck(); });
}

void Simulation::next_user_action() {
  if (!users_active_) return;
  world_.clock().after(world_.some_time(10ms, 40s), [this] {
    if (users_active_ && server_) users_->act();
    next_user_action();
  });
}

void Simulation::check() {
  static const std::set<RequestId> kNone;
  invariants_.check_time(server_ ? server_->tunnels().jobs() : kNone);
  if (!server_ || server_->farm().last_event() == checked_) return;
  checked_ = server_->farm().last_event();
  invariants_.check(server_->farm());
}

std::string Simulation::report() const {
  std::string text;
  for (const auto& violation : world_.violations()) text += violation + "\n";
  return text;
}

}  // namespace boruta::sim

#include "sim/simulation.hpp"

#include <fmt/format.h>

#include "farm/invariants.hpp"
#include "property/naive_model.hpp"

namespace boruta::sim {
namespace {

using namespace std::chrono_literals;

constexpr Duration kLuckEvery = 20s;

farm::Policy short_policy() {
  return farm::Policy{.lease = 10min, .lease_max = 1h, .claim_within = 5min, .invalid_after = 5min};
}

Capabilities wanted(std::uint64_t number) {
  switch (number) {
    case 0:
      return {};
    case 1:
      return {{"board", "rpi4"}};
    case 2:
      return {{"board", "odroid"}};
    default:
      return {{"board", "rpi4"}, {"camera", "yes"}};
  }
}

}  // namespace

Simulation::Simulation(Options options)
    : options_(options), world_(options.seed, options.weather), policy_(short_policy()) {
  policy_.access_control = false;
  for (std::size_t number = 0; number < options.workers; ++number) {
    const auto uuid = *WorkerUuid::parse(fmt::format("fa4e0000-0000-4000-8000-{:012x}", number));
    Capabilities caps{{"board", number % 2 == 0 ? "rpi4" : "odroid"}};
    if (number % 3 == 0) caps.emplace("camera", "yes");
    agents_.push_back(std::make_unique<SimAgent>(&world_, uuid, std::move(caps), [this] { return server_.get(); }));
  }
}

Simulation::~Simulation() { agents_.clear(); }

void Simulation::run() {
  boot();
  for (const auto& name : {"anonymous", "someone"}) {
    server_->spawn("user", order(farm::CreateUser{.name = name, .role = farm::Role::kAdmin}));
  }
  for (const auto& agent : agents_) agent->start();
  next_user_action();
  bad_luck();
  run_until(world_.clock().now().lease + options_.length);
  // Now let everything heal: whatever was going on has to end by itself.
  users_active_ = false;
  world_.calm_down();
  if (!server_) boot();
  run_until(world_.clock().now().lease + 3h);
  check_end();
}

void Simulation::run_until(Instant end) {
  do {
    if (server_) server_->run_ready();
    check();
  } while (world_.violations().empty() && world_.clock().step(end));
}

void Simulation::boot() {
  world_.count("server started");
  server_ = std::make_unique<SimServer>(&world_, policy_);
}

void Simulation::crash_server() {
  if (!server_) return;
  world_.count("server crashed");
  server_.reset();
  for (const auto& agent : agents_) agent->server_died();
  world_.clock().after(world_.some_time(100ms, 3min), [this] {
    if (!server_) boot();
  });
}

void Simulation::bad_luck() {
  if (!users_active_) return;
  const auto& weather = world_.weather();
  if (world_.chance(weather.crash_server)) crash_server();
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
    if (users_active_ && server_) user_acts();
    next_user_action();
  });
}

farm::Actor Simulation::user(std::uint64_t number) const {
  const auto* found = server_->farm().find_user(UserId{number});
  return farm::Actor{
      .kind = farm::Actor::Kind::kAdmin, .user = UserId{number}, .name = found == nullptr ? "unknown" : found->name};
}

RequestId Simulation::some_request() {
  constexpr std::uint64_t kRecent = 10;
  const auto size = server_->farm().requests().size();
  const auto back = world_.pick(0, kRecent);
  return RequestId{size > back ? size - back : size + 1};
}

WorkerUuid Simulation::some_worker() { return agents_[world_.pick(0, agents_.size() - 1)]->uuid(); }

void Simulation::user_acts() {
  const auto actor = user(world_.pick(1, 2));
  if (server_->farm().find_user(actor.user) == nullptr) return;
  const auto what = world_.pick(0, 15);
  if (what <= 4) {
    farm::CreateRequest create{.caps = wanted(world_.pick(0, 3)),
                               .priority = static_cast<std::int64_t>(world_.pick(1, 4))};
    if (world_.chance(200)) create.valid_after = WallTime{.at = world_.clock().now().wall + 2min};
    // Nobody waits for ever, so that what was filed last has ended when the world has healed.
    create.deadline = WallTime{.at = world_.clock().now().wall + world_.some_time(3min, 20min)};
    server_->spawn("create", create_request(std::move(create), actor));
  } else if (what <= 7) {
    server_->spawn("close", close_request(some_request(), actor));
  } else if (what <= 9) {
    server_->spawn("acquire", acquire(some_request(), actor));
  } else if (what == 10) {
    server_->spawn("prolong", prolong(some_request(), actor));
  } else if (what <= 13) {
    server_->spawn("enable", order(farm::SetWorkerState{.uuid = some_worker(), .state = farm::WorkerState::kIdle}));
  } else if (what == 14) {
    server_->spawn("disable", order(farm::SetWorkerState{.uuid = some_worker(), .drain = world_.chance(500)}));
  } else if (world_.chance(300)) {
    server_->spawn("deregister", order(farm::DeregisterWorker{.uuid = some_worker()}));
  }
}

Task<void> Simulation::create_request(farm::CreateRequest create, farm::Actor actor) {
  farm::Command command{.actor = std::move(actor), .body = std::move(create)};
  const auto created = co_await server_->coordinator().submit(std::move(command));
  if (!created) co_return;
  world_.count("request filed");
  promises_[std::get<farm::RequestCreated>(created->front().body).id] = Promise{};
}

Task<void> Simulation::close_request(RequestId id, farm::Actor actor) {
  farm::Command command{.actor = std::move(actor), .body = farm::CloseRequest{.id = id}};
  const auto closed = co_await server_->coordinator().submit(std::move(command));
  if (closed) promises_[id].closed = true;
}

Task<void> Simulation::prolong(RequestId id, farm::Actor actor) {
  farm::Command command{.actor = std::move(actor), .body = farm::ProlongAccess{.id = id}};
  const auto prolonged = co_await server_->coordinator().submit(std::move(command));
  if (prolonged) promises_[id].in_progress = true;
}

Task<void> Simulation::acquire(RequestId id, farm::Actor actor) {
  const auto access = co_await server_->coordinator().acquire(std::move(actor), id, 10min);
  if (!access) co_return;
  world_.count("worker acquired");
  promises_[id].in_progress = true;
  const auto durable = world_.disk().load();
  const auto& request = durable->rows.requests.at(id.value - 1);
  if (!request.job || request.job->worker != access->worker) {
    world_.violate(fmt::format("access to request {} was handed out that was not durable", id.value));
  }
}

Task<void> Simulation::order(farm::CommandBody body) {
  farm::Command command{.actor = {}, .body = std::move(body)};
  co_await server_->coordinator().submit(std::move(command));
}

void Simulation::check() {
  if (!server_ || server_->farm().last_event() == checked_) return;
  checked_ = server_->farm().last_event();
  for (const auto& violation : farm::check_invariants(server_->farm())) world_.violate(violation);
  const auto& farm = server_->farm();
  if (const auto match = property::next_match(farm, world_.clock().now())) {
    world_.violate(
        fmt::format("request {} waits while worker {} idles", match->request.value, match->worker.to_string()));
  }
  for (const auto& agent : agents_) {
    const auto* worker = farm.find_worker(agent->uuid());
    if (worker != nullptr && worker->state == farm::WorkerState::kIdle && !world_.guests(agent->uuid()).empty()) {
      world_.violate(fmt::format("worker {} is IDLE and something of a user is left on it", worker->uuid.to_string()));
    }
  }
}

void Simulation::check_promises(const farm::Rows& durable) {
  for (const auto& [id, promise] : promises_) {
    if (id.value > durable.requests.size()) {
      world_.violate(fmt::format("request {} was acknowledged and is not there", id.value));
      continue;
    }
    const auto& request = durable.requests[id.value - 1];
    if (promise.closed && !farm::is_terminal(request.state)) {
      world_.violate(fmt::format("request {} was closed and is {}", id.value, to_string(request.state)));
    }
    if (promise.in_progress && !request.job) {
      world_.violate(fmt::format("request {} was in progress and has no job", id.value));
    }
  }
}

/// All that was begun has ended, and the journal tells the same as the tables.
void Simulation::check_end() {
  if (!world_.violations().empty()) return;
  const auto durable = world_.disk().load();
  check_promises(durable->rows);
  const auto& farm = server_->farm();
  for (const auto& [uuid, worker] : farm.workers()) {
    const bool settled = worker.state == farm::WorkerState::kMaintenance || worker.state == farm::WorkerState::kIdle ||
                         worker.state == farm::WorkerState::kFailed;
    if (!settled || !worker.connected || worker.untold) {
      world_.violate(fmt::format("worker {} is {} ({}connected) at the end", uuid.to_string(), to_string(worker.state),
                                 worker.connected ? "" : "not "));
    }
    if (worker.dirty || !world_.guests(uuid).empty()) {
      world_.violate(fmt::format("something of a user is left on worker {} at the end", uuid.to_string()));
    }
  }
  if (!server_->tunnels().jobs().empty()) world_.violate("a tunnel is open at the end");

  farm::Farm replayed(policy_);
  const auto events = world_.disk().read({.after = EventSeq{}, .limit = SIZE_MAX});
  for (const auto& event : *events) {
    farm::Touched touched;
    farm::apply_event(replayed, event, touched);
  }
  if (replayed.rows() != durable->rows) world_.violate("replaying the journal does not give the rows");
}

std::string Simulation::report() const {
  std::string text;
  for (const auto& violation : world_.violations()) text += violation + "\n";
  if (!text.empty()) {
    text +=
        fmt::format("see it again: BORUTA_SIM_SEED={} ctest -R Simulation, or sim_test in the build\n", options_.seed);
  }
  return text;
}

}  // namespace boruta::sim

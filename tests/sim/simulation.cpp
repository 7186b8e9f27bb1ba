#include "sim/simulation.hpp"

#include <fmt/format.h>

namespace boruta::sim {
namespace {

using namespace std::chrono_literals;

constexpr Duration kLuckEvery = 20s;

farm::Policy short_policy() {
  return farm::Policy{.lease = 10min,
                      .lease_max = 25min,
                      .claim_within = 5min,
                      .invalid_after = 5min,
                      .access_control = false,
                      .keep_requests = 45min};
}

/// Longer than the server is ever down.
constexpr Duration kKeepEvents = 40min;

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

/// Seldom anything: what can be had by capabilities is asked for more often.
Requirements required(std::uint64_t number) {
  const auto one = [](std::string_view text) { return Requirements{*parse_requirement(text)}; };
  switch (number) {
    case 0:
      return one("board in (odroid, rpi4)");
    case 1:
      return one("!camera");
    default:
      return {};
  }
}

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
      policy_(short_policy()),
      invariants_(&world_, policy_, options.cleaned_within) {
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
  const auto size = server_->farm().requests().last_id().value;
  const auto back = world_.pick(0, kRecent);
  return RequestId{size > back ? size - back : size + 1};
}

RequestId Simulation::some_open_request() {
  const auto& open = server_->farm().open_requests();
  if (open.empty()) return some_request();
  return *std::next(open.begin(), static_cast<std::ptrdiff_t>(world_.pick(0, open.size() - 1)));
}

WorkerUuid Simulation::some_worker() { return agents_[world_.pick(0, agents_.size() - 1)]->uuid(); }

void Simulation::user_acts() {
  const auto actor = user(world_.pick(1, 2));
  if (server_->farm().find_user(actor.user) == nullptr) return;
  const auto what = world_.pick(0, 17);
  if (what <= 4) {
    farm::CreateRequest create{.caps = wanted(world_.pick(0, 3)),
                               .requirements = required(world_.pick(0, 9)),
                               .priority = static_cast<std::int64_t>(world_.pick(1, 4))};
    if (world_.chance(200)) create.valid_after = WallTime{.at = world_.clock().now().wall + 2min};
    if (world_.chance(100)) {
      constexpr std::uint64_t kKeys = 20;
      create.idempotency_key = fmt::format("key {}", world_.pick(1, kKeys));
      create.body_hash = "the same";
    }
    // Nobody waits for ever, so that what was filed last has ended when the world has healed.
    create.deadline = WallTime{.at = world_.clock().now().wall + world_.some_time(3min, 20min)};
    server_->spawn("create", create_request(std::move(create), actor));
  } else if (what <= 7) {
    server_->spawn("close", close_request(some_request(), actor));
  } else if (what <= 9) {
    server_->spawn("acquire", acquire(some_request(), actor));
  } else if (what <= 11) {
    server_->spawn("prolong", prolong(some_open_request(), actor));
  } else if (what <= 13) {
    server_->spawn("enable", order(farm::SetWorkerState{.uuid = some_worker(), .state = farm::WorkerState::kIdle}));
  } else if (what == 14) {
    server_->spawn("disable", order(farm::SetWorkerState{.uuid = some_worker(), .drain = world_.chance(500)}));
  } else if (what <= 16) {
    server_->spawn("update", update(some_open_request(), actor));
  } else if (world_.chance(300)) {
    server_->spawn("deregister", order(farm::DeregisterWorker{.uuid = some_worker()}));
  }
}

Task<void> Simulation::create_request(farm::CreateRequest create, farm::Actor actor) {
  farm::Command command{.actor = std::move(actor), .body = std::move(create)};
  const auto created = co_await server_->coordinator().submit(std::move(command));
  if (!created) co_return;
  invariants_.acknowledged(*created);
  if (created->empty()) {
    world_.count("request filed again");
    co_return;
  }
  world_.count("request filed");
  invariants_.filed(std::get<farm::RequestCreated>(created->front().body).id);
}

Task<void> Simulation::close_request(RequestId id, farm::Actor actor) {
  farm::Command command{.actor = std::move(actor), .body = farm::CloseRequest{.id = id}};
  const auto closed = co_await server_->coordinator().submit(std::move(command));
  if (!closed) co_return;
  invariants_.acknowledged(*closed);
  invariants_.closed(id);
}

Task<void> Simulation::update(RequestId id, farm::Actor actor) {
  farm::Command command{
      .actor = std::move(actor),
      .body = farm::UpdateRequest{.id = id, .priority = world_.pick(1, 4), .valid_after = {}, .deadline = {}}};
  const auto updated = co_await server_->coordinator().submit(std::move(command));
  if (!updated) co_return;
  invariants_.acknowledged(*updated);
  if (!updated->empty()) world_.count("priority changed");
}

Task<void> Simulation::prolong(RequestId id, farm::Actor actor) {
  farm::Command command{.actor = std::move(actor), .body = farm::ProlongAccess{.id = id}};
  const auto prolonged = co_await server_->coordinator().submit(std::move(command));
  if (!prolonged) co_return;
  invariants_.acknowledged(*prolonged);
  invariants_.in_progress(id);
}

Task<void> Simulation::acquire(RequestId id, farm::Actor actor) {
  const auto access = co_await server_->coordinator().acquire(std::move(actor), id, 10min);
  if (!access) co_return;
  world_.count("worker acquired");
  invariants_.access_given(id, *access);
}

Task<void> Simulation::order(farm::CommandBody body) {
  farm::Command command{.actor = {}, .body = std::move(body)};
  const auto obeyed = co_await server_->coordinator().submit(std::move(command));
  if (obeyed) invariants_.acknowledged(*obeyed);
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

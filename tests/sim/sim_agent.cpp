#include "sim/sim_agent.hpp"

#include <algorithm>

#include "base/assert.hpp"

namespace boruta::sim {
namespace {

using namespace std::chrono_literals;

/// The real agent's own backoff, in short.
constexpr Duration kLeastBackoff = 200ms;
constexpr Duration kMostBackoff = 5s;

dryad::AgentState first_state(WorkerUuid uuid) {
  dryad::AgentState state;
  state.instance = "instance of " + uuid.to_string();
  return state;
}

}  // namespace

/// The agent's end of one stream; it dies with the stream, so what is late on the network finds nobody. Only the agent
/// owns it: whatever is planned for later may have no more than a weak pointer.
class SimAgent::Connection final : public AgentEnd {
 public:
  explicit Connection(SimAgent* agent) : agent_(*agent) {}

  void deliver(agent::ToAgent message) override {
    if (deaf_) return;
    // Nobody may keep it alive beyond the stream, and with that beyond the session.
    BORUTA_ASSERT(agent_.connection_.get() == this);
    agent_.act(agent_.session_->received(message, agent_.world_.clock().now()));
  }
  void end_stream() override {
    if (!deaf_) agent_.stream_ended();
  }

  void send(agent::FromAgent message) {
    auto& world = agent_.world_;
    const auto arrival = world.clock().now().lease + world.transit();
    // Without Register there is no stream.
    const bool first = std::holds_alternative<agent::Register>(message);
    if (!first && world.loses_message()) return;
    if (!first && world.chance(world.weather().double_message)) {
      world.count("message doubled");
      arrive(arrival + world.some_time(1ms, 2min), message);
    }
    if (!first && world.chance(world.weather().overtake)) {
      world.count("message overtook others");
      arrive(std::max(arrival, registered_), std::move(message));
      return;
    }
    last_arrival_ = std::max(last_arrival_, arrival);
    if (first) registered_ = last_arrival_;
    arrive(last_arrival_, std::move(message));
  }

  std::weak_ptr<ServerEnd> server_;
  /// Nothing gets through any more, in either direction.
  std::shared_ptr<bool> dead_ = std::make_shared<bool>(false);
  bool deaf_ = false;

 private:
  void arrive(Instant at, agent::FromAgent message) {
    agent_.world_.clock().at(at, [server = server_, dead = dead_, message = std::move(message)]() mutable {
      const auto end = server.lock();
      if (end && !*dead) end->arrive(std::move(message));
    });
  }

  SimAgent& agent_;
  Instant last_arrival_{};
  Instant registered_{};
};

SimAgent::SimAgent(World* world, WorkerUuid uuid, Capabilities caps, std::function<SimServer*()> server)
    : world_(*world), uuid_(uuid), caps_(std::move(caps)), server_(std::move(server)) {
  caps_.insert_or_assign(std::string(kUuidCap), uuid.to_string());
  const auto saved = disk_.save(first_state(uuid));
  if (!saved) world_.violate("an agent could not keep its state");
}

SimAgent::~SimAgent() {
  if (life_) *life_ = false;
  if (timer_) world_.clock().forget(*timer_);
}

void SimAgent::start() {
  life_ = std::make_shared<bool>(true);
  session_.emplace(dryad::Session::Options{.identity = {.caps = caps_, .ssh_address = {}, .ssh_port = 22}}, &disk_,
                   disk_.saved(), disk_.saved().prepared, world_.clock().now());
  act(session_->start(world_.clock().now()));
  connect_later();
}

void SimAgent::die() {
  *life_ = false;
  if (timer_) world_.clock().forget(*timer_);
  timer_.reset();
}

void SimAgent::crash() {
  if (!session_) return;
  world_.count("agent crashed");
  die();
  if (connection_) {
    // The kernel closes the connection of a process that dies.
    world_.clock().after(1ms, [server = connection_->server_] {
      if (const auto end = server.lock()) end->break_off();
    });
    connection_.reset();
  }
  session_.reset();
  world_.clock().after(world_.some_time(1s, 90s), [this] {
    if (!session_) start();
  });
}

void SimAgent::break_stream() {
  if (!connection_) return;
  world_.count("stream broken");
  const auto connection = connection_;
  *connection->dead_ = true;
  connection->deaf_ = true;
  // The server may find out by itself, or only by the silence.
  if (world_.chance(500)) {
    world_.clock().after(world_.some_time(0s, 20s), [server = connection->server_] {
      if (const auto end = server.lock()) end->break_off();
    });
  }
  world_.clock().after(world_.some_time(0s, 60s), [this, connection = std::weak_ptr(connection), life = life_] {
    if (*life && is_present(connection)) stream_ended();
  });
}

/// What it says of the present it may believe itself: only of the past does the server know better.
void SimAgent::lie(const dryad::Operation& operation) {
  const auto newest = disk_.saved().generation.value;
  if (!connection_ || newest == 0) return;
  world_.count("agent lied");
  connection_->send(agent::Done{.kind = agent::kind_of({.generation = {}, .body = operation}),
                                .generation = {world_.pick(0, newest - 1)},
                                .error = world_.chance(200) ? "it lies" : "",
                                .username = "boruta-user",
                                .private_key = wrong_key()});
}

void SimAgent::server_died() {
  if (!connection_) return;
  world_.clock().after(world_.some_time(0s, 2s), [this, connection = std::weak_ptr(connection_), life = life_] {
    if (*life && is_present(connection)) stream_ended();
  });
}

bool SimAgent::is_present(const std::weak_ptr<Connection>& connection) const {
  return connection_ && connection_ == connection.lock();
}

void SimAgent::stream_ended() {
  if (!connection_) return;
  const auto connection = std::exchange(connection_, nullptr);
  *connection->dead_ = true;
  if (const auto end = connection->server_.lock()) end->break_off();
  act(session_->disconnected(world_.clock().now()));
  connect_later();
}

void SimAgent::connect_later() {
  world_.clock().after(world_.some_time(kLeastBackoff, kMostBackoff), [this, life = life_] {
    if (*life && session_ && !connection_) connect();
  });
}

void SimAgent::connect() {
  auto* server = server_();
  if (server == nullptr) {
    connect_later();
    return;
  }
  connection_ = std::make_shared<Connection>(this);
  connection_->server_ = server->accept(connection_);
  act(session_->connected(world_.clock().now()));
}

void SimAgent::act(dryad::Actions actions) {
  const auto life = life_;
  for (auto& action : actions) {
    if (!*life) return;
    std::visit([this](auto&& some) { on(std::forward<decltype(some)>(some)); }, std::move(action));
  }
  if (*life) arm();
}

void SimAgent::arm() {
  if (timer_) world_.clock().forget(*timer_);
  timer_.reset();
  const auto deadline = session_->next_deadline();
  if (!deadline) return;
  timer_ = world_.clock().at(*deadline, [this] {
    timer_.reset();
    act(session_->tick(world_.clock().now()));
  });
}

void SimAgent::on(dryad::SendMessage action) {
  if (connection_) connection_->send(std::move(action.message));
}

void SimAgent::on(const dryad::StartOperation& action) {
  const auto& weather = world_.weather();
  if (world_.chance(weather.lie)) lie(action.operation);
  if (world_.chance(weather.hang_operation)) {
    world_.count("operation hung");
    world_.clock().after(world_.some_time(61s, 200s), [this, life = life_, operation = action.operation] {
      if (*life) finish(operation);
    });
    return;
  }
  world_.clock().after(world_.some_time(1ms, 3s), [this, life = life_, operation = action.operation] {
    if (*life) finish(operation);
  });
}

void SimAgent::finish(const dryad::Operation& operation) {
  dryad::OperationResult result;
  if (world_.chance(world_.weather().fail_operation)) {
    world_.count("operation failed");
    result.error = "it broke";
  } else if (std::holds_alternative<agent::Prepare>(operation)) {
    world_.clean(uuid_);
    world_.make_account(uuid_);
    result.username = "boruta-user";
    result.private_key = agent_key();
  } else if (const auto* grant = std::get_if<agent::Grant>(&operation)) {
    if (!grant->public_keys.empty()) world_.open_to(uuid_, grant->public_keys);
  } else if (std::holds_alternative<agent::EndJob>(operation)) {
    world_.clean(uuid_);
  }
  act(session_->finished(std::move(result), world_.clock().now()));
}

void SimAgent::on(const dryad::CancelOperation& /*action*/) {}

void SimAgent::on(const dryad::CloseStream& /*action*/) {
  world_.clock().after(Duration::zero(), [this, life = life_] {
    if (*life) stream_ended();
  });
}

void SimAgent::on(const dryad::ConnectTunnel& /*action*/) {
  world_.violate("a connection was asked for, but the simulated tunnels carry none");
}

void SimAgent::on(const dryad::UseBoard& /*action*/) {
  world_.violate("something was asked of the board, but the simulated users ask for nothing");
}

void SimAgent::on(const dryad::ReadConsole& /*action*/) {
  world_.violate("a console was asked for, but the simulated users ask for none");
}

void SimAgent::on(const dryad::StopAgent& /*action*/) {
  world_.count("agent stopped");
  die();
  world_.clock().after(Duration::zero(), [this] {
    if (connection_) {
      if (const auto end = connection_->server_.lock()) end->break_off();
    }
    connection_.reset();
    session_.reset();
  });
  // An admin starts it again.
  world_.clock().after(world_.some_time(10s, 60s), [this] {
    if (!session_) start();
  });
}

void SimAgent::on(const dryad::Note& /*action*/) { world_.count("agent noted"); }

}  // namespace boruta::sim

#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "dryad/session.hpp"
#include "sim/sim_server.hpp"
#include "sim/world.hpp"

namespace boruta::sim {

/// A worker's agent: the real session over a simulated machine, whose disk and users outlive a crash of the agent.
class SimAgent {
 public:
  /// `server` tells the server of the moment, or nothing while it is down.
  SimAgent(World* world, WorkerUuid uuid, Capabilities caps, std::function<SimServer*()> server);
  SimAgent(const SimAgent&) = delete;
  SimAgent& operator=(const SimAgent&) = delete;
  ~SimAgent();

  void start();
  /// kill -9; it comes back after a while.
  void crash();
  /// The network between it and the server breaks; each side notices in its own time, or not at all.
  void break_stream();
  /// The server died: its connections are reset.
  void server_died();

  [[nodiscard]] WorkerUuid uuid() const { return uuid_; }
  /// What is on its disk.
  [[nodiscard]] const dryad::AgentState& state() const { return disk_.saved(); }

 private:
  class Connection;

  void act(dryad::Actions actions);
  void on(dryad::SendMessage action);
  void on(const dryad::StartOperation& action);
  void on(const dryad::CancelOperation& action);
  void on(const dryad::CloseStream& action);
  void on(const dryad::ConnectTunnel& action);
  void on(const dryad::UseBoard& action);
  void on(const dryad::ReadConsole& action);
  void on(const dryad::StopAgent& action);
  void on(const dryad::Note& action);

  void connect_later();
  void connect();
  /// Nothing that was planned for the running agent happens any more.
  void die();
  /// Whether it is that of the stream which stands now.
  [[nodiscard]] bool is_present(const std::weak_ptr<Connection>& connection) const;
  void stream_ended();
  void finish(const dryad::Operation& operation);
  void lie(const dryad::Operation& operation);
  void arm();

  World& world_;
  WorkerUuid uuid_;
  Capabilities caps_;
  std::function<SimServer*()> server_;
  dryad::MemoryStateStore disk_;
  std::optional<dryad::Session> session_;
  std::shared_ptr<Connection> connection_;
  /// Of the agent's present life: what was begun in an earlier one does not come back.
  std::shared_ptr<bool> life_;
  std::optional<VirtualClock::Entry> timer_;
};

}  // namespace boruta::sim

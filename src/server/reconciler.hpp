#pragma once

#include <map>
#include <optional>
#include <unordered_map>

#include "server/agents.hpp"
#include "server/coordinator.hpp"
#include "server/tunnels.hpp"

namespace boruta::server {

/// Makes the world follow the farm. What an agent should do and which tunnels should stand is derived from the state,
/// never queued, so a restart or a reconnect picks up whatever was interrupted.
/// Thread: the coordinator's strand. Acts on durable state alone.
class Reconciler final : public Listener {
 public:
  Reconciler(Coordinator* coordinator, Agents* agents, Tunnels* tunnels);

  void on_durable(const farm::Events& events, const farm::Touched& touched) override;
  /// Every `interval`, asks again those agents whose answer did not settle what is wanted of them; until cancelled.
  Task<void> run(Duration interval);
  /// Ends what it has begun; `join` returns when that is done.
  void request_stop() { begun_.request_stop(); }
  Task<void> join() { co_await begun_.join(); }

 private:
  /// What was said last, and over which stream: the same is said once.
  struct Said {
    Agents::Session session = 0;
    Generation generation;
    agent::CommandKind kind{};

    friend bool operator==(const Said&, const Said&) = default;
  };
  struct OpenTunnel {
    std::uint16_t port = 0;
    TunnelTarget target;
  };

  void reconcile_agent(WorkerUuid uuid);
  void reconcile_tunnel(RequestId id);
  void open_tunnel(const farm::Request& request, const TunnelTarget& target);
  void close_tunnel(RequestId id);
  void tell_remaining(RequestId id);
  [[nodiscard]] std::optional<agent::Command> wanted(const farm::Worker& worker) const;

  Coordinator& coordinator_;
  Agents& agents_;
  Tunnels& tunnels_;
  std::unordered_map<WorkerUuid, Said> said_;
  std::map<RequestId, OpenTunnel> open_;
  runtime::TaskGroup begun_;
};

}  // namespace boruta::server

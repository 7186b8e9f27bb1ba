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
  Reconciler(Coordinator* coordinator, Agents* agents, Tunnels* tunnels)
      : coordinator_(*coordinator), agents_(*agents), tunnels_(*tunnels) {}

  void on_durable(const farm::Events& events, const farm::Touched& touched) override;
  /// Compares everything: after a restart, and to repeat what failed.
  void reconcile_all();
  /// Looks again, every `interval`, at dirty workers whose EndJob failed; until cancelled.
  Task<void> run(Duration interval);

 private:
  /// What was said last, and over which stream: the same is said once.
  struct Said {
    Agents::Session session = 0;
    agent::Command command;
  };
  struct OpenTunnel {
    std::uint16_t port = 0;
    TunnelTarget target;
  };

  void reconcile(WorkerUuid uuid);
  void reconcile_agent(const farm::Worker& worker);
  void reconcile_tunnel(RequestId id);
  void tell_remaining(const farm::Events& events);
  [[nodiscard]] std::optional<agent::Command> wanted(const farm::Worker& worker) const;

  Coordinator& coordinator_;
  Agents& agents_;
  Tunnels& tunnels_;
  std::unordered_map<WorkerUuid, Said> said_;
  std::map<RequestId, OpenTunnel> open_;
};

}  // namespace boruta::server

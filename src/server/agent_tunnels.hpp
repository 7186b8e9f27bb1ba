#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <unordered_map>

#include "base/secret.hpp"
#include "server/agents.hpp"
#include "server/tunnels.hpp"

namespace boruta::server {

/// From asking an agent for a connection to having it.
inline constexpr std::chrono::seconds kAgentDialWithin{10};

/// Asks agents for connections by OpenTunnel, and hands over those that come. Each has an unguessable token that is
/// good for one call of one connection, and forgotten when nobody waits for it any more.
/// Thread: the coordinator's strand.
class AgentTunnels final : public AgentRoutes {
 public:
  using Pipe = std::shared_ptr<runtime::BytePipe>;

  /// Hears from `agents` which connections fail. Both outlive it.
  AgentTunnels(Coordinator* coordinator, Agents* agents);

  Task<std::expected<Pipe, std::string>> dial(WorkerUuid worker, RequestId job) override;
  [[nodiscard]] std::optional<TunnelWay> known_way(WorkerUuid worker) const override;
  void learn_way(WorkerUuid worker, TunnelWay way) override;

  /// An agent has called with `token`. False when nobody waits for it: the caller refuses the call.
  [[nodiscard]] bool arrive(const Secret& token, Pipe pipe);

 private:
  struct Waiting {
    explicit Waiting(const asio::any_io_executor& executor) : changed(executor) {}

    WorkerUuid worker;
    std::expected<Pipe, std::string> outcome;
    runtime::Signal changed;
  };
  struct Learnt {
    /// Another session may be another place on the network.
    Agents::Session session = 0;
    TunnelWay way{};
  };

  Task<void> answer(std::string token, std::shared_ptr<Waiting> waiting);
  void fail(WorkerUuid worker, const agent::TunnelFailed& failure);

  Coordinator& coordinator_;
  Agents& agents_;
  std::unordered_map<std::string, std::shared_ptr<Waiting>> waiting_;
  std::unordered_map<WorkerUuid, Learnt> learnt_;
};

}  // namespace boruta::server

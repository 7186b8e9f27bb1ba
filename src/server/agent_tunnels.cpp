#include "server/agent_tunnels.hpp"

#include <utility>

#include "runtime/deadline.hpp"
#include "server/access.hpp"

namespace boruta::server {

std::string_view to_string(TunnelWay way) {
  switch (way) {
    case TunnelWay::kDirect:
      return "direct";
    case TunnelWay::kAgent:
      return "agent";
  }
  return "";
}

AgentTunnels::AgentTunnels(Coordinator* coordinator, Agents* agents) : coordinator_(*coordinator), agents_(*agents) {
  agents_.set_on_tunnel_failed(
      [this](WorkerUuid worker, const agent::TunnelFailed& failure) { fail(worker, failure); });
}

Task<std::expected<AgentTunnels::Pipe, std::string>> AgentTunnels::dial(WorkerUuid worker, RequestId job) {
  auto token = make_token();
  auto waiting = std::make_shared<Waiting>(coordinator_.strand());
  waiting->worker = worker;
  std::string name(token.reveal());
  waiting_.emplace(name, waiting);
  // Whoever leaves, the token is good no more, and nobody is left with a connection that was made too late.
  const std::shared_ptr<void> forget(nullptr, [this, name, waiting](void*) {
    waiting_.erase(name);
    if (waiting->outcome && *waiting->outcome) (*waiting->outcome)->close();
  });
  if (!agents_.send(worker, agent::OpenTunnel{.job = job, .token = std::move(token)})) {
    co_return std::unexpected("its agent is not connected");
  }
  const bool in_time = co_await runtime::with_deadline(coordinator_.clock(), kAgentDialWithin, answer(name, waiting));
  if (!in_time && waiting_.contains(name)) co_return std::unexpected("its agent did not answer");
  co_return std::exchange(waiting->outcome, Pipe());
}

Task<void> AgentTunnels::answer(std::string token, std::shared_ptr<Waiting> waiting) {
  while (waiting_.contains(token)) co_await waiting->changed.wait();
}

bool AgentTunnels::arrive(const Secret& token, Pipe pipe) {
  const auto found = waiting_.find(std::string(token.reveal()));
  if (found == waiting_.end()) return false;
  const auto waiting = found->second;
  waiting_.erase(found);
  waiting->outcome = std::move(pipe);
  waiting->changed.notify_all();
  return true;
}

void AgentTunnels::fail(WorkerUuid worker, const agent::TunnelFailed& failure) {
  const auto found = waiting_.find(std::string(failure.token.reveal()));
  if (found == waiting_.end() || found->second->worker != worker) return;
  const auto waiting = found->second;
  waiting_.erase(found);
  waiting->outcome = std::unexpected(failure.reason);
  waiting->changed.notify_all();
}

std::optional<TunnelWay> AgentTunnels::known_way(WorkerUuid worker) const {
  const auto learnt = learnt_.find(worker);
  if (learnt == learnt_.end() || agents_.session_of(worker) != learnt->second.session) return std::nullopt;
  return learnt->second.way;
}

void AgentTunnels::learn_way(WorkerUuid worker, TunnelWay way) {
  const auto session = agents_.session_of(worker);
  if (session) learnt_.insert_or_assign(worker, Learnt{.session = *session, .way = way});
}

}  // namespace boruta::server

#pragma once

#include <boost/asio/io_context.hpp>

#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "server/agents.hpp"
#include "server/coordinator.hpp"
#include "server/reconciler.hpp"
#include "server/retention.hpp"
#include "sim/world.hpp"

namespace boruta::sim {

/// The agent's end of a stream, as the server's side sees it.
class AgentEnd {
 public:
  virtual ~AgentEnd() = default;
  virtual void deliver(agent::ToAgent message) = 0;
  virtual void end_stream() = 0;
};

/// A context whose handlers can be destroyed while what they refer to is still there: a process that is killed. It is
/// used by one thread, and locks nothing.
class MortalContext : public asio::io_context {
 public:
  MortalContext() : asio::io_context(BOOST_ASIO_CONCURRENCY_HINT_UNSAFE) {}
  void destroy_handlers() { shutdown(); }
};

/// Commits to the world's disk after a while, several batches at once when they come fast. A crash may come before,
/// between commit and acknowledgement, or after.
class SimCommitter final : public server::Committer {
 public:
  SimCommitter(World* world, asio::any_io_executor executor) : world_(*world), executor_(std::move(executor)) {}
  ~SimCommitter() override { *alive_ = false; }

  void start(OnDurable on_durable) override { on_durable_ = std::move(on_durable); }
  void submit(store::EventBatch batch) override;
  [[nodiscard]] bool stalled() const override { return stalled_; }
  Task<std::expected<farm::Events, store::StoreError>> read(store::EventQuery query) override;
  Task<std::expected<store::Tidied, store::StoreError>> tidy(store::TidyOrder order) override;
  void stop() override {}

 private:
  void commit_later();
  void commit();

  World& world_;
  asio::any_io_executor executor_;
  OnDurable on_durable_;
  store::EventBatch waiting_;
  /// Being written.
  store::EventBatch in_hand_;
  bool under_way_ = false;
  bool stalled_ = false;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

/// Whoever has a tunnel gets in: the world is told.
class SimTunnels final : public server::Tunnels {
 public:
  SimTunnels(World* world, const server::Coordinator* coordinator) : world_(*world), coordinator_(*coordinator) {}

  std::expected<void, std::string> open(RequestId job, std::uint16_t port, server::TunnelTarget target) override;
  void retarget(RequestId job, server::TunnelTarget target) override;
  void close(RequestId job) override { open_.erase(job); }

  [[nodiscard]] const std::set<RequestId>& jobs() const { return open_; }

 private:
  World& world_;
  const server::Coordinator& coordinator_;
  std::set<RequestId> open_;
};

/// The server's side of one stream: hands the agent's messages over in order, as the superviser does.
class ServerEnd final : public server::AgentLink {
 public:
  ServerEnd(World* world, const asio::any_io_executor& executor, std::weak_ptr<AgentEnd> agent)
      : world_(*world), arrived_(world->clock().make_timer(executor)), agent_(std::move(agent)) {}

  /// From the agent, after its time on the network.
  void arrive(agent::FromAgent message);
  /// The connection broke, and the server notices.
  void break_off();

  void send(agent::ToAgent message) override;
  void close(std::optional<Refusal> why) override;

  static Task<void> serve(std::shared_ptr<ServerEnd> self, server::Agents* agents);

 private:
  World& world_;
  std::deque<agent::FromAgent> inbound_;
  /// Never expires: a message ends the wait.
  std::unique_ptr<runtime::Timer> arrived_;
  std::weak_ptr<AgentEnd> agent_;
  bool ended_ = false;
  Instant last_delivery_{};
};

/// One life of the real server over virtual time: coordinator, agents, reconciler.
class SimServer {
 public:
  /// Begins with what is `durable`; `invariants` hear of what becomes so.
  SimServer(World* world, farm::Policy policy, Duration keep_events, store::Loaded durable,
            server::Listener* invariants);
  SimServer(const SimServer&) = delete;
  SimServer& operator=(const SimServer&) = delete;
  /// As kill -9 does it.
  ~SimServer();

  [[nodiscard]] server::Coordinator& coordinator() { return coordinator_; }
  [[nodiscard]] const farm::Farm& farm() const { return coordinator_.engine().farm(); }
  [[nodiscard]] const SimTunnels& tunnels() const { return tunnels_; }

  /// A stream that an agent opened.
  std::shared_ptr<ServerEnd> accept(std::weak_ptr<AgentEnd> agent);
  void spawn(std::string name, Task<void> task) { tasks_.spawn(std::move(name), std::move(task)); }
  /// Runs whatever can run without time passing, or `most` handlers of it.
  void run_ready(std::size_t most = SIZE_MAX) {
    context_.restart();
    if (most == SIZE_MAX) {
      context_.poll();
    } else {
      while (most > 0 && context_.poll_one() > 0) --most;
    }
  }

 private:
  World& world_;
  MortalContext context_;
  SimCommitter committer_;
  server::Coordinator coordinator_;
  server::Agents agents_;
  SimTunnels tunnels_;
  server::Reconciler reconciler_;
  server::EventFeed feed_;
  server::Retention retention_;
  runtime::TaskGroup tasks_;
};

}  // namespace boruta::sim

#pragma once

#include <cstdint>
#include <expected>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>

#include "base/agent_messages.hpp"
#include "base/refusal.hpp"
#include "base/secret.hpp"
#include "runtime/task.hpp"
#include "server/client_limits.hpp"
#include "server/coordinator.hpp"

namespace boruta::server {

/// The server's end of one agent's stream. Implemented by the superviser over gRPC, and by simulations.
class AgentLink {
 public:
  virtual ~AgentLink() = default;

  /// Queues `message`; may be called from the coordinator's strand at any time, also after the stream has broken.
  virtual void send(agent::ToAgent message) = 0;
  /// Ends the stream after what was sent. `why` becomes the status that the agent reads; nothing means a normal end.
  virtual void close(std::optional<Refusal> why) = 0;
};

/// The agents that are connected, one stream each, and what they say.
/// Thread: the coordinator's strand for everything but `connect`, which may be awaited from anywhere.
class Agents {
 public:
  /// Names one stream among all that this server ever had.
  using Session = std::uint64_t;

  explicit Agents(Coordinator* coordinator) : coordinator_(*coordinator) {}

  /// `on_connected` is called when a worker's new stream can be spoken to. Before the first connect.
  void set_on_connected(std::function<void(WorkerUuid)> on_connected) { on_connected_ = std::move(on_connected); }
  /// `on_refused` is called, on the strand, for each agent that is not admitted. Before the first connect.
  using OnRefused = std::function<void(const farm::Actor&, const Refusal&)>;
  void set_on_refused(OnRefused on_refused) { on_refused_ = std::move(on_refused); }

  /// `on_tunnel_failed` is called with what a worker's agent says of a connection that it was asked for. Before the
  /// first connect.
  void set_on_tunnel_failed(std::function<void(WorkerUuid, const agent::TunnelFailed&)> on_tunnel_failed) {
    on_tunnel_failed_ = std::move(on_tunnel_failed);
  }

  /// `on_board_used` is called with a worker's agent's answer to UseBoard. Before the first connect.
  void set_on_board_used(std::function<void(WorkerUuid, const agent::BoardUsed&)> on_board_used) {
    on_board_used_ = std::move(on_board_used);
  }

  /// `on_console_read` is called with a worker's agent's answer to ReadConsole. Before the first connect.
  void set_on_console_read(std::function<void(WorkerUuid, agent::ConsoleRead)> on_console_read) {
    on_console_read_ = std::move(on_console_read);
  }

  /// A new stream whose first message was `hello`. Admits the agent, tells it Welcome through `link`, and replaces
  /// the older stream of the same agent. `peer` is the address that the stream comes from. When refused, the caller
  /// closes the stream with the refusal.
  Task<std::expected<Session, Refusal>> connect(std::optional<Secret> token, agent::Register hello, std::string peer,
                                                std::shared_ptr<AgentLink> link);
  /// A later message of the stream, in the order of arrival. Whatever comes from a replaced stream is dropped.
  Task<void> receive(Session session, agent::FromAgent message);
  /// The stream has ended.
  Task<void> disconnect(Session session);

  struct Probe {
    Instant time{};
    /// Why the worker would not be let in; nothing: it would.
    std::optional<Refusal> refusal;
  };

  /// Whether `token` lets `worker` in, or any worker if none is given. Changes nothing. kUnavailable when the server
  /// stops. May be awaited from anywhere.
  Task<std::expected<Probe, Refusal>> probe(std::optional<Secret> token, std::optional<WorkerUuid> worker);

  /// Closes the streams of agents that were silent for `lost_after`, until cancelled.
  Task<void> run();

  /// Sends to the worker's agent, if it is connected; the session then in use, so that a caller can tell a new
  /// stream from the one it has spoken to.
  std::optional<Session> send(WorkerUuid worker, agent::ToAgent message);
  [[nodiscard]] std::optional<Session> session_of(WorkerUuid worker) const;
  /// Ends the worker's stream for good, telling the agent that it was deregistered.
  void deregister(WorkerUuid worker);
  /// Closes all streams: the server stops.
  void close_all();

 private:
  /// What an agent's checks have warned of: the same again, every few minutes, is no news until a check passed
  /// without it.
  class Warnings {
   public:
    bool is_news(const std::string& text);
    void end_check();

   private:
    /// Of one check; what is beyond counts as new each time.
    static constexpr std::size_t kKept = 16;

    std::set<std::string> now_;
    std::set<std::string> before_;
  };

  /// How often of late a newer stream of the same agent took the place of one on which it still spoke.
  struct Takeovers {
    unsigned count = 0;
    Instant last{};
  };

  struct Connection {
    Session session = 0;
    WorkerUuid worker;
    farm::Actor actor;
    std::string instance;
    std::shared_ptr<AgentLink> link;
    Instant last_heard{};
    Takeovers takeovers;
    Warnings warnings;
  };

  Task<std::expected<Session, Refusal>> connect_on_strand(std::optional<Secret> token, agent::Register hello,
                                                          std::string peer, std::shared_ptr<AgentLink> link);
  /// REQUIRES: the session's connection is there.
  Task<void> hear(Session session, agent::FromAgent message);
  [[nodiscard]] Connection* find(Session session);
  /// What is to be known of them when `older` is taken over now. Nothing: there are two agents at it, and the stream
  /// that stands goes on.
  [[nodiscard]] std::optional<Takeovers> take_over(Connection& older, Instant now) const;
  /// Forgets the worker's stream and closes it.
  void drop(WorkerUuid worker, std::optional<Refusal> why);
  Task<void> lose(WorkerUuid worker);
  /// A registration whose commit is awaited.
  struct Attempt {
    std::string instance;
    std::uint64_t number = 0;
  };

  std::unexpected<Refusal> refuse(const farm::Actor& actor, Refusal refusal);
  [[nodiscard]] std::uint64_t begin_attempt(WorkerUuid worker, const std::string& instance);
  /// False if the same agent has begun another one meanwhile.
  [[nodiscard]] bool end_attempt(WorkerUuid worker, std::uint64_t number);

  Coordinator& coordinator_;
  std::function<void(WorkerUuid)> on_connected_;
  OnRefused on_refused_;
  std::function<void(WorkerUuid, const agent::TunnelFailed&)> on_tunnel_failed_;
  std::function<void(WorkerUuid, const agent::BoardUsed&)> on_board_used_;
  std::function<void(WorkerUuid, agent::ConsoleRead)> on_console_read_;
  Session last_session_ = 0;
  std::uint64_t last_attempt_ = 0;
  /// The newest of each worker.
  std::unordered_map<WorkerUuid, Attempt> attempts_;
  std::unordered_map<WorkerUuid, Connection> connections_;
  std::unordered_map<Session, WorkerUuid> workers_;
  ClientLimits bad_tokens_{{}};
};

}  // namespace boruta::server

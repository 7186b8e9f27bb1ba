#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "base/agent_messages.hpp"
#include "base/instant.hpp"
#include "dryad/state.hpp"

namespace boruta::dryad {

/// Commands that wait behind the one being obeyed. A server that sends more has lost its way: the stream is closed,
/// and the server derives anew what it wants.
inline constexpr std::size_t kCommandQueue = 16;
/// From opening the stream to the server's Welcome.
inline constexpr std::chrono::seconds kWelcomeWithin{10};
/// Between attempts to end a job by ourselves.
inline constexpr std::chrono::seconds kEndRetry{30};
/// A deregistered agent cleans up for so long at most before it stops.
inline constexpr std::chrono::seconds kLeaveWithin{30};

/// What Register says and no state changes.
struct Identity {
  Capabilities caps;
  std::string ssh_address;
  std::uint16_t ssh_port = 0;
  std::vector<std::string> host_keys;
};

/// What the worker is to do: the body of a command.
using Operation = decltype(agent::Command::body);

/// How an operation ended.
struct OperationResult {
  /// Empty: it succeeded. Of a health check: what is critical.
  std::string error;
  /// Of a Prepare that succeeded.
  std::string username;
  Secret private_key;
  /// What an admin should know, however it ended.
  std::vector<std::string> warnings;
  /// It ended early because of a CancelOperation; nothing else counts then.
  bool cancelled = false;
};

/// What the session wants done, in this order.
struct SendMessage {
  agent::FromAgent message;
};
/// Begins an operation; `Session::finished` is told its result. Never two at a time.
struct StartOperation {
  Operation operation;
};
/// The operation under way should end soon: a health check that a more important command waits for.
struct CancelOperation {};
/// Closes the stream. `Session::disconnected` is told as if the server had done it.
struct CloseStream {
  std::string reason;
};
/// A connection to sshd, under a token of the server's. Its failure is told to the server by TunnelFailed.
struct ConnectTunnel {
  Secret token;
};
/// Something that the running job's user wants of the board; how it ended is told to the server by BoardUsed.
struct UseBoard {
  std::uint64_t ticket = 0;
  agent::BoardAction action{};
};
/// What the board's console printed during a job is to be told to the server by ConsoleRead.
struct ReadConsole {
  RequestId job;
  std::uint64_t ticket = 0;
};
/// The agent is to end.
struct StopAgent {
  int exit_code = 0;
};
/// For the log, since nobody is there to be told.
struct Note {
  std::string text;
};

using Action = std::variant<SendMessage, StartOperation, CancelOperation, CloseStream, ConnectTunnel, UseBoard,
                            ReadConsole, StopAgent, Note>;
using Actions = std::vector<Action>;

/// The agent's behaviour, without I/O: what it hears from server, worker and clock goes in, actions come out.
///
/// Commands are obeyed one at a time, in order, each answered by exactly one Done unless the stream breaks first: the
/// server then asks again. Before a command is obeyed its generation is in the store; a lower one is refused.
/// Cut off past the end of its job and the grace, the agent ends the job by itself, also after a restart.
/// Thread: one. Time: both clocks come in with each call and never go back.
class Session {
 public:
  struct Options {
    Identity identity;
    /// False simulates an agent that fell silent.
    bool heartbeats = true;
  };

  /// `store` must outlive the session and holds `state` already. `standing`: the account that `state` speaks of was
  /// found to be there; without it the worker has to be prepared anew.
  Session(Options options, StateStore* store, AgentState state, bool standing, Now now);

  /// Once, before anything else: ends what a crash or a long absence left to be ended.
  [[nodiscard]] Actions start(Now now);
  /// A stream was opened, and nothing was sent on it yet.
  [[nodiscard]] Actions connected(Now now);
  /// The stream ended, whoever did it.
  [[nodiscard]] Actions disconnected(Now now);
  [[nodiscard]] Actions received(const agent::ToAgent& message, Now now);
  /// REQUIRES: an operation is under way.
  [[nodiscard]] Actions finished(OperationResult result, Now now);
  /// To be called when `next_deadline` has come; too early does no harm.
  [[nodiscard]] Actions tick(Now now);
  /// On the lease clock; nothing: only a call of another kind can change anything.
  [[nodiscard]] std::optional<Instant> next_deadline() const;

  /// What the next Register says of the worker's capabilities.
  void set_caps(Capabilities caps) { options_.identity.caps = std::move(caps); }

  [[nodiscard]] const AgentState& state() const { return state_; }
  /// The server has welcomed us on the present stream.
  [[nodiscard]] bool online() const { return online_; }
  [[nodiscard]] bool busy() const { return running_.has_value(); }

 private:
  struct Running {
    Operation operation;
    agent::CommandKind kind{};
    Generation generation;
    /// The stream that asked for it is still there, and waits for an answer.
    bool answer = false;
    bool cancelled = false;
  };

  void on(const agent::Welcome& message, Now now, Actions& actions);
  void on(const agent::Command& message, Now now, Actions& actions);
  void on(const agent::JobRemaining& message, Now now, Actions& actions);
  void on(const agent::Deregistered& message, Now now, Actions& actions);
  void on(const agent::OpenTunnel& message, Now now, Actions& actions) const;
  void on(const agent::UseBoard& message, Now now, Actions& actions) const;
  void on(const agent::ReadConsole& message, Now now, Actions& actions) const;

  /// Starts what is to be done next, if nothing is under way.
  void advance(Now now, Actions& actions);
  void obey(const agent::Command& command, Now now, Actions& actions);
  [[nodiscard]] std::string why_not(const agent::Command& command) const;
  [[nodiscard]] AgentState state_under(const agent::Command& command, Now now) const;
  [[nodiscard]] AgentState state_after(const Running& done, bool ok) const;
  void end_by_ourselves(Now now, Actions& actions);
  void leave(Actions& actions);
  /// When the job is to be ended by ourselves, if nothing changes.
  [[nodiscard]] std::optional<Instant> own_end() const;
  std::expected<void, std::string> keep(const AgentState& next);
  void answer(const Running& done, OperationResult result, Actions& actions) const;
  [[nodiscard]] agent::Register hello() const;

  Options options_;
  StateStore* store_;
  AgentState state_;
  bool connected_ = false;
  bool online_ = false;
  bool leaving_ = false;
  std::deque<agent::Command> queue_;
  std::optional<Running> running_;
  std::chrono::milliseconds heartbeat_every_{};
  std::chrono::milliseconds lost_grace_;
  Instant next_heartbeat_{};
  Instant welcome_deadline_{};
  Instant leave_deadline_{};
  /// The end of the job on the lease clock.
  Instant job_end_{};
  /// Not before this is a job ended by ourselves once more.
  Instant retry_end_{};
};

}  // namespace boruta::dryad

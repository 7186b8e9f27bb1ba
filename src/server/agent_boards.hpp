#pragma once

#include <chrono>
#include <cstdint>
#include <expected>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <variant>

#include "base/agent_messages.hpp"
#include "base/refusal.hpp"
#include "server/agents.hpp"
#include "server/coordinator.hpp"

namespace boruta::server {

/// From asking an agent for something of its board to having the answer: the agent's own limit, and the way.
inline constexpr std::chrono::seconds kBoardAnswerWithin = agent::kBoardActionWithin + std::chrono::seconds(5);

/// Has done at the board of a running job's worker what the job's owner or an admin asks for, and tells what its
/// console printed during a job. Thread: the coordinator's strand for everything but `use` and `console_log`, which may
/// be awaited from anywhere.
class AgentBoards {
 public:
  using Milliamperes = std::optional<std::int32_t>;

  /// Hears the answers from `agents`. Both outlive it.
  AgentBoards(Coordinator* coordinator, Agents* agents);

  /// Returns when it is done, with what was measured, if anything was. kRequestNotFound, kForbidden; kNotAssigned: no
  /// job of the request runs; kInvalid: the board can't do it; kUnavailable: the board failed, or its agent is not
  /// connected or silent for `kBoardAnswerWithin`. Obeys cancellation; what the agent was asked for goes on then.
  Task<std::expected<Milliamperes, Refusal>> use(farm::Actor actor, RequestId id, agent::BoardAction action);

  /// What the console printed during the request's job, which may be over. Refuses as `use` does; kInvalid: nothing is
  /// kept of it, with the reason.
  Task<std::expected<std::string, Refusal>> console_log(farm::Actor actor, RequestId id);

 private:
  using Answer = std::variant<agent::BoardResult, agent::ConsoleRead>;
  struct Waiting {
    explicit Waiting(const asio::any_io_executor& executor) : changed(executor) {}

    WorkerUuid worker;
    std::optional<Answer> answer;
    runtime::Signal changed;
  };

  Task<std::expected<Milliamperes, Refusal>> use_on_strand(farm::Actor actor, RequestId id, agent::BoardAction action);
  Task<std::expected<std::string, Refusal>> read_on_strand(farm::Actor actor, RequestId id);
  /// The answer of the worker's agent to the message that `make` makes of a ticket.
  Task<std::expected<Answer, Refusal>> ask(WorkerUuid worker, std::function<agent::ToAgent(std::uint64_t)> make);
  static Task<void> await(std::shared_ptr<Waiting> waiting);
  void arrive(WorkerUuid worker, std::uint64_t ticket, Answer answer);

  Coordinator& coordinator_;
  Agents& agents_;
  std::uint64_t last_ticket_ = 0;
  std::unordered_map<std::uint64_t, std::shared_ptr<Waiting>> waiting_;
};

}  // namespace boruta::server

#include "server/agent_boards.hpp"

#include <boost/asio/co_spawn.hpp>
#include <fmt/format.h>

#include <utility>

#include "farm/decide.hpp"
#include "runtime/deadline.hpp"

namespace boruta::server {
namespace {

std::unexpected<Refusal> refuse(RefusalCode code, std::string detail = {}) {
  return std::unexpected(Refusal{.code = code, .detail = std::move(detail)});
}

std::expected<AgentBoards::Milliamperes, Refusal> outcome_of(const agent::BoardResult& result) {
  switch (result.outcome) {
    case agent::BoardOutcome::kDone:
      return result.milliamperes;
    case agent::BoardOutcome::kRefused:
      return refuse(RefusalCode::kInvalid, result.error);
    case agent::BoardOutcome::kFailed:
      break;
  }
  return refuse(RefusalCode::kUnavailable, fmt::format("the board failed: {}", result.error));
}

}  // namespace

AgentBoards::AgentBoards(Coordinator* coordinator, Agents* agents) : coordinator_(*coordinator), agents_(*agents) {
  agents_.set_on_board_used(
      [this](WorkerUuid worker, const agent::BoardUsed& used) { arrive(worker, used.ticket, used.result); });
  agents_.set_on_console_read([this](WorkerUuid worker, agent::ConsoleRead read) {
    const auto ticket = read.ticket;
    arrive(worker, ticket, std::move(read));
  });
}

Task<std::expected<AgentBoards::Milliamperes, Refusal>> AgentBoards::use(farm::Actor actor, RequestId id,
                                                                         agent::BoardAction action) {
  co_return co_await asio::co_spawn(coordinator_.strand(), use_on_strand(std::move(actor), id, action),
                                    asio::use_awaitable);
}

Task<std::expected<std::string, Refusal>> AgentBoards::console_log(farm::Actor actor, RequestId id) {
  co_return co_await asio::co_spawn(coordinator_.strand(), read_on_strand(std::move(actor), id), asio::use_awaitable);
}

Task<std::expected<AgentBoards::Milliamperes, Refusal>> AgentBoards::use_on_strand(farm::Actor actor, RequestId id,
                                                                                   agent::BoardAction action) {
  const auto& farm = coordinator_.engine().farm();
  if (const auto allowed = farm::check_owner(farm, actor, id); !allowed) co_return std::unexpected(allowed.error());
  const auto request = farm.find_request(id);
  if (request->state != farm::RequestState::kInProgress) co_return refuse(RefusalCode::kNotAssigned);
  std::function<agent::ToAgent(std::uint64_t)> make = [id, action](std::uint64_t ticket) {
    return agent::UseBoard{.job = id, .ticket = ticket, .action = action};
  };
  const auto answer = co_await ask(request->job->worker, std::move(make));
  if (!answer) co_return std::unexpected(answer.error());
  const auto* result = std::get_if<agent::BoardResult>(&*answer);
  if (result == nullptr) co_return refuse(RefusalCode::kUnavailable, "the worker's agent answered something else");
  co_return outcome_of(*result);
}

Task<std::expected<std::string, Refusal>> AgentBoards::read_on_strand(farm::Actor actor, RequestId id) {
  const auto& farm = coordinator_.engine().farm();
  if (const auto allowed = farm::check_owner(farm, actor, id); !allowed) co_return std::unexpected(allowed.error());
  const auto request = farm.find_request(id);
  if (!request->job) co_return refuse(RefusalCode::kNotAssigned);
  std::function<agent::ToAgent(std::uint64_t)> make = [id](std::uint64_t ticket) {
    return agent::ReadConsole{.job = id, .ticket = ticket};
  };
  auto answer = co_await ask(request->job->worker, std::move(make));
  if (!answer) co_return std::unexpected(answer.error());
  auto* read = std::get_if<agent::ConsoleRead>(&*answer);
  if (read == nullptr) co_return refuse(RefusalCode::kUnavailable, "the worker's agent answered something else");
  if (!read->error.empty()) co_return refuse(RefusalCode::kInvalid, read->error);
  co_return std::move(read->text);
}

Task<std::expected<AgentBoards::Answer, Refusal>> AgentBoards::ask(WorkerUuid worker,
                                                                   std::function<agent::ToAgent(std::uint64_t)> make) {
  const auto waiting = std::make_shared<Waiting>(coordinator_.strand());
  waiting->worker = worker;
  const auto ticket = ++last_ticket_;
  waiting_.emplace(ticket, waiting);
  // Whoever leaves, nobody waits any more.
  const std::shared_ptr<void> forget(nullptr, [this, ticket](void*) { waiting_.erase(ticket); });
  if (!agents_.send(worker, make(ticket))) {
    co_return refuse(RefusalCode::kUnavailable, "the worker's agent is not connected: try again when it is back");
  }
  const bool in_time = co_await runtime::with_deadline(coordinator_.clock(), kBoardAnswerWithin, await(waiting));
  if (!in_time && !waiting->answer) {
    co_return refuse(RefusalCode::kUnavailable, fmt::format("the worker's agent did not answer within {}",
                                                            format_duration_spaced(kBoardAnswerWithin)));
  }
  co_return std::move(*waiting->answer);
}

Task<void> AgentBoards::await(std::shared_ptr<Waiting> waiting) {
  while (!waiting->answer) co_await waiting->changed.wait();
}

void AgentBoards::arrive(WorkerUuid worker, std::uint64_t ticket, Answer answer) {
  const auto found = waiting_.find(ticket);
  if (found == waiting_.end() || found->second->worker != worker) return;
  found->second->answer = std::move(answer);
  found->second->changed.notify_all();
}

}  // namespace boruta::server

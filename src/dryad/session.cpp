#include "dryad/session.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/assert.hpp"
#include "dryad/exit_codes.hpp"

namespace boruta::dryad {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kDefaultHeartbeat = std::chrono::seconds(10);
/// Less often is not worth a write to disk.
constexpr milliseconds kNoticeableChange = std::chrono::seconds(1);

agent::Done refusal_of(const agent::Command& command, std::string error) {
  return {.kind = agent::kind_of(command),
          .generation = command.generation,
          .error = std::move(error),
          .username = {},
          .private_key = {}};
}

bool is_periodic_check(const Operation& operation) {
  const auto* check = std::get_if<agent::Healthcheck>(&operation);
  return check != nullptr && !check->full;
}

}  // namespace

Session::Session(Options options, StateStore* store, AgentState state, bool standing, Now now)
    : options_(std::move(options)),
      store_(store),
      state_(std::move(state)),
      lost_grace_(state_.lost_grace),
      job_end_(now.lease + (state_.job_end - now.wall)) {
  if (standing) return;
  // Whatever was there is gone: the server must not send a user. A half of it may remain, so a job is still ended.
  state_.ending = state_.ending || state_.job.has_value();
  state_.prepared = false;
  state_.job.reset();
}

Actions Session::start(Now now) {
  Actions actions;
  advance(now, actions);
  return actions;
}

Actions Session::connected(Now now) {
  connected_ = true;
  online_ = false;
  welcome_deadline_ = now.lease + kWelcomeWithin;
  return {SendMessage{hello()}};
}

Actions Session::disconnected(Now now) {
  connected_ = false;
  online_ = false;
  queue_.clear();
  if (running_) running_->answer = false;
  Actions actions;
  advance(now, actions);
  return actions;
}

Actions Session::received(const agent::ToAgent& message, Now now) {
  Actions actions;
  std::visit([&](const auto& body) { on(body, now, actions); }, message);
  advance(now, actions);
  return actions;
}

void Session::on(const agent::Welcome& message, Now now, Actions& actions) {
  online_ = true;
  heartbeat_every_ = message.heartbeat_every > milliseconds(0) ? message.heartbeat_every : kDefaultHeartbeat;
  next_heartbeat_ = now.lease + heartbeat_every_;
  lost_grace_ = message.lost_grace;
  // The server asks for it first, but for one that removed this worker and knows of no job.
  if (state_.ending) retry_end_ = now.lease + kEndRetry;
  if (!state_.job || state_.lost_grace == lost_grace_) return;
  AgentState next = state_;
  next.lost_grace = lost_grace_;
  if (auto kept = keep(next); !kept) actions.emplace_back(Note{kept.error()});
}

void Session::on(const agent::Command& message, Now, Actions& actions) {
  if (!online_) {
    actions.emplace_back(SendMessage{refusal_of(message, "a command before Welcome")});
    return;
  }
  if (leaving_) return;
  if (queue_.size() >= kCommandQueue) {
    queue_.clear();
    if (running_) running_->answer = false;
    actions.emplace_back(CloseStream{fmt::format("more than {} commands wait to be obeyed", kCommandQueue)});
    return;
  }
  queue_.push_back(message);
  if (running_ && !running_->cancelled && is_periodic_check(running_->operation)) {
    running_->cancelled = true;
    actions.emplace_back(CancelOperation{});
  }
}

void Session::on(const agent::JobRemaining& message, Now now, Actions& actions) {
  if (state_.job != message.job) return;
  job_end_ = now.lease + message.remaining;
  const auto change = now.wall + message.remaining - state_.job_end;
  if (change < kNoticeableChange && change > -kNoticeableChange) return;
  AgentState next = state_;
  next.job_end = now.wall + message.remaining;
  if (auto kept = keep(next); !kept) actions.emplace_back(Note{kept.error()});
}

void Session::on(const agent::Deregistered&, Now now, Actions& actions) {
  if (leaving_) return;
  leaving_ = true;
  leave_deadline_ = now.lease + kLeaveWithin;
  queue_.clear();
  if (!running_) return;
  running_->answer = false;
  running_->cancelled = true;
  actions.emplace_back(CancelOperation{});
}

void Session::on(const agent::OpenTunnel& message, Now, Actions& actions) const {
  if (state_.job == message.job) {
    actions.emplace_back(ConnectTunnel{message.token});
    return;
  }
  const auto reason = fmt::format("job {} is not on this worker", message.job.value);
  actions.emplace_back(SendMessage{agent::TunnelFailed{.token = message.token, .reason = reason}});
}

void Session::on(const agent::UseBoard& message, Now, Actions& actions) const {
  if (state_.job == message.job) {
    actions.emplace_back(UseBoard{.ticket = message.ticket, .action = message.action});
    return;
  }
  const agent::BoardUsed refusal{
      .ticket = message.ticket,
      .result = {.outcome = agent::BoardOutcome::kRefused,
                 .error = fmt::format("job {} is not on this worker, or not any more", message.job.value),
                 .milliamperes = std::nullopt}};
  actions.emplace_back(SendMessage{refusal});
}

void Session::on(const agent::ReadConsole& message, Now, Actions& actions) const {
  actions.emplace_back(ReadConsole{.job = message.job, .ticket = message.ticket});
}

void Session::advance(Now now, Actions& actions) {
  if (leaving_ && !running_) {
    leave(actions);
    return;
  }
  while (!running_ && !queue_.empty()) {
    const agent::Command command = std::move(queue_.front());
    queue_.pop_front();
    obey(command, now, actions);
  }
  const auto end = own_end();
  if (end && now.lease >= *end) end_by_ourselves(now, actions);
}

void Session::obey(const agent::Command& command, Now now, Actions& actions) {
  if (auto reason = why_not(command); !reason.empty()) {
    actions.emplace_back(SendMessage{refusal_of(command, std::move(reason))});
    return;
  }
  if (auto kept = keep(state_under(command, now)); !kept) {
    actions.emplace_back(SendMessage{refusal_of(command, kept.error())});
    return;
  }
  if (const auto* grant = std::get_if<agent::Grant>(&command.body)) job_end_ = now.lease + grant->remaining;
  running_ = Running{
      .operation = command.body, .kind = agent::kind_of(command), .generation = command.generation, .answer = true};
  actions.emplace_back(StartOperation{command.body});
}

std::string Session::why_not(const agent::Command& command) const {
  if (command.generation < state_.generation) {
    return fmt::format("stale generation {}: {} was obeyed already", command.generation.value, state_.generation.value);
  }
  const auto* grant = std::get_if<agent::Grant>(&command.body);
  if (grant == nullptr) return {};
  if (!state_.prepared) return "not prepared";
  if (state_.job && *state_.job != grant->job) {
    return fmt::format("job {} is still on this worker", state_.job->value);
  }
  return {};
}

AgentState Session::state_under(const agent::Command& command, Now now) const {
  AgentState next = state_;
  next.generation = command.generation;
  if (const auto* grant = std::get_if<agent::Grant>(&command.body)) {
    next.job = grant->job;
    next.job_end = now.wall + grant->remaining;
    next.lost_grace = lost_grace_;
  } else if (std::holds_alternative<agent::Prepare>(command.body) ||
             std::holds_alternative<agent::EndJob>(command.body)) {
    // Should the agent die now, its successor must finish this, whether or not the server is there to ask again.
    next.ending = state_.ending || state_.prepared;
    next.prepared = false;
    next.job.reset();
  }
  return next;
}

AgentState Session::state_after(const Running& done, bool ok) const {
  AgentState next = state_;
  switch (done.kind) {
    case agent::CommandKind::kPrepare:
      next.prepared = ok;
      next.ending = next.ending && !ok;
      break;
    case agent::CommandKind::kGrant:
      if (ok) break;
      // Nobody knows which keys open the account now.
      next.prepared = false;
      next.ending = true;
      next.job.reset();
      break;
    case agent::CommandKind::kEndJob:
      next.ending = next.ending && !ok;
      break;
    case agent::CommandKind::kPutInMaintenance:
    case agent::CommandKind::kHealthcheck:
      break;
  }
  return next;
}

Actions Session::finished(OperationResult result, Now now) {
  BORUTA_ASSERT(running_.has_value());
  const Running done = *std::exchange(running_, std::nullopt);
  if (auto kept = keep(state_after(done, result.error.empty())); !kept) {
    if (result.error.empty()) result.error = kept.error();
    result.private_key = {};
  }
  Actions actions;
  if (!result.error.empty() && !result.cancelled) {
    if (state_.ending) retry_end_ = now.lease + kEndRetry;
    if (!done.answer) actions.emplace_back(Note{result.error});
  }
  answer(done, std::move(result), actions);
  advance(now, actions);
  return actions;
}

void Session::answer(const Running& done, OperationResult result, Actions& actions) const {
  const bool check = done.kind == agent::CommandKind::kHealthcheck;
  if (result.cancelled && check) {
    // It did not look to the end: what it says of the worker is worth nothing.
    result.warnings.clear();
    result.error = "cancelled by a command";
  }
  if (online_) {
    for (auto& warning : result.warnings) actions.emplace_back(SendMessage{agent::Warning{std::move(warning)}});
    if (check && !result.cancelled && !result.error.empty())
      actions.emplace_back(SendMessage{agent::SetFail{result.error}});
  }
  if (!done.answer) return;
  actions.emplace_back(SendMessage{agent::Done{.kind = done.kind,
                                               .generation = done.generation,
                                               .error = std::move(result.error),
                                               .username = std::move(result.username),
                                               .private_key = std::move(result.private_key)}});
}

std::optional<Instant> Session::own_end() const {
  if (running_ || leaving_) return std::nullopt;
  if (state_.ending) return retry_end_;
  if (state_.job && !online_) return std::max(job_end_ + state_.lost_grace, retry_end_);
  return std::nullopt;
}

void Session::end_by_ourselves(Now now, Actions& actions) {
  AgentState next = state_;
  next.ending = true;
  next.prepared = false;
  const auto job = std::exchange(next.job, std::nullopt);
  if (auto kept = keep(next); !kept) {
    retry_end_ = now.lease + kEndRetry;
    actions.emplace_back(Note{kept.error()});
    return;
  }
  if (job) actions.emplace_back(Note{fmt::format("job {} is over and the server out of reach: ending it", job->value)});
  running_ = Running{.operation = agent::EndJob{}, .kind = agent::CommandKind::kEndJob, .generation = {}};
  actions.emplace_back(StartOperation{agent::EndJob{}});
}

void Session::leave(Actions& actions) {
  if (state_.prepared || state_.job || state_.ending) {
    AgentState next = state_;
    next.prepared = false;
    next.job.reset();
    // Until it is done: who is stopped before goes on at the next start.
    next.ending = true;
    if (auto kept = keep(next); !kept) {
      // The disk says even more, which ends the job as well.
      actions.emplace_back(Note{kept.error()});
      state_ = next;
    }
    running_ = Running{.operation = agent::EndJob{}, .kind = agent::CommandKind::kEndJob, .generation = {}};
    actions.emplace_back(StartOperation{agent::EndJob{}});
    return;
  }
  // Registered anew this is a new worker, whose generations begin from the start.
  AgentState next = state_;
  next.generation = {};
  if (auto kept = keep(next); !kept) actions.emplace_back(Note{kept.error()});
  actions.emplace_back(StopAgent{kExitDeregistered});
}

Actions Session::tick(Now now) {
  Actions actions;
  if (leaving_ && now.lease >= leave_deadline_) return {StopAgent{kExitDeregistered}};
  if (connected_ && !online_ && now.lease >= welcome_deadline_) {
    welcome_deadline_ = now.lease + kWelcomeWithin;
    actions.emplace_back(CloseStream{"the server did not answer Register"});
  }
  if (online_ && options_.heartbeats && now.lease >= next_heartbeat_) {
    next_heartbeat_ = now.lease + heartbeat_every_;
    actions.emplace_back(SendMessage{agent::Heartbeat{}});
  }
  advance(now, actions);
  return actions;
}

std::optional<Instant> Session::next_deadline() const {
  std::optional<Instant> next = own_end();
  const auto consider = [&](Instant deadline) { next = next ? std::min(*next, deadline) : deadline; };
  if (leaving_) consider(leave_deadline_);
  if (connected_ && !online_) consider(welcome_deadline_);
  if (online_ && options_.heartbeats) consider(next_heartbeat_);
  return next;
}

std::expected<void, std::string> Session::keep(const AgentState& next) {
  if (next == state_) return {};
  if (auto saved = store_->save(next); !saved)
    return std::unexpected("the agent's state can't be kept: " + saved.error());
  state_ = next;
  return {};
}

agent::Register Session::hello() const {
  return {.caps = options_.identity.caps,
          .ssh_address = options_.identity.ssh_address,
          .ssh_port = options_.identity.ssh_port,
          .host_keys = options_.identity.host_keys,
          .instance = state_.instance,
          .generation = state_.generation,
          .prepared = state_.prepared,
          .job = state_.job};
}

}  // namespace boruta::dryad

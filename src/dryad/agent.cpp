#include "dryad/agent.hpp"

#include <algorithm>
#include <utility>

#include "dryad/exit_codes.hpp"
#include "runtime/log.hpp"

namespace boruta::dryad {
namespace {

using runtime::log_info;
using runtime::log_warning;

/// For a timer with nothing to wait for.
constexpr Duration kLongTime = std::chrono::hours(24);

}  // namespace

Duration Backoff::next() {
  const auto full = next_;
  next_ = std::min(next_ * 2, limits_.most);
  std::uniform_int_distribution<Duration::rep> part(full.count() / 2, std::max(full.count(), Duration::rep{1}));
  return Duration(part(random_));
}

Agent::Agent(Parts parts, Session session)
    : parts_(std::move(parts)),
      session_(std::move(session)),
      timer_(parts_.clock->make_timer(parts_.executor)),
      pause_(parts_.clock->make_timer(parts_.executor)),
      changed_(parts_.executor),
      group_(parts_.executor) {}

Task<int> Agent::run() {
  group_.spawn("agent's clock", keep_time());
  perform(session_.start(parts_.clock->now()));
  while (!exit_code_) {
    open_stream();
    while (stream_ && !exit_code_) co_await changed_.wait();
    if (!exit_code_ && !std::exchange(renewing_, false)) co_await pause();
  }
  parts_.tunnels->cut_all();
  parts_.desk->close();
  if (stream_) stream_->close();
  while (stream_) co_await changed_.wait();
  co_await parts_.tunnels->join();
  co_await parts_.desk->join();
  group_.request_stop();
  co_await group_.join();
  co_return *exit_code_;
}

void Agent::request_stop(int exit_code) { stop_with(exit_code); }

void Agent::register_anew(Capabilities caps) {
  session_.set_caps(std::move(caps));
  parts_.backoff.reset();
  if (stream_) {
    renewing_ = true;
    stream_->close();
  } else {
    pause_->cancel();
  }
}

void Agent::tell_service(std::string_view status) const {
  if (parts_.service != nullptr) parts_.service->status(status);
}

void Agent::stop_with(int exit_code) {
  if (exit_code_) return;
  exit_code_ = exit_code;
  cancel_.request_stop();
  pause_->cancel();
  timer_->cancel();
  changed_.notify_all();
}

Task<void> Agent::keep_time() {
  while (!exit_code_) {
    const auto now = parts_.clock->now();
    timer_->expires_at(session_.next_deadline().value_or(now.lease + kLongTime));
    // False: the deadline moved, or the agent ends.
    if (const bool due = co_await timer_->wait(); due) perform(session_.tick(parts_.clock->now()));
  }
}

Task<void> Agent::pause() {
  pause_->expires_at(parts_.clock->now().lease + parts_.backoff.next());
  co_await pause_->wait();
}

void Agent::open_stream() {
  StreamHandler handler{.on_message = [this](const agent::ToAgent& message) { on_message(message); },
                        .on_end = [this](const StreamEnd& end) { on_end(end); }};
  stream_ = parts_.connector->open(std::move(handler));
  perform(session_.connected(parts_.clock->now()));
}

void Agent::on_message(const agent::ToAgent& message) {
  if (exit_code_) return;
  const bool was_online = session_.online();
  auto actions = session_.received(message, parts_.clock->now());
  if (!was_online && session_.online()) {
    parts_.backoff.reset();
    if (!parts_.quiet) log_info(reported_.empty() ? "registered" : "registered again", {{"worker", parts_.name}});
    reported_.clear();
    tell_service("registered");
  }
  perform(std::move(actions));
}

void Agent::on_end(const StreamEnd& end) {
  stream_.reset();
  const bool was_online = session_.online();
  auto actions = session_.disconnected(parts_.clock->now());
  if (!exit_code_) {
    if (!renewing_) report(end, was_online);
    perform(std::move(actions));
  }
  changed_.notify_all();
}

void Agent::report(const StreamEnd& end, bool was_online) {
  const bool refused = end.reason == StreamEndReason::kRefused;
  // The network finds new words for the same outage; a refusal that changes is news.
  const std::string news = refused ? "refused: " + end.text : "unreachable";
  if (news == reported_ || parts_.quiet) return;
  reported_ = news;
  tell_service(refused ? news : "the server is out of reach");
  if (refused) {
    log_warning("the server refuses this worker: " + end.text, {{"worker", parts_.name}});
  } else {
    log_warning(
        was_online ? "the connection to the server broke; trying again" : "the server is out of reach; trying again",
        {{"worker", parts_.name}, {"reason", end.text}});
  }
}

void Agent::perform(Actions actions) {
  part_with_old_job();
  for (auto& action : actions) perform_one(std::move(action));
  // Whatever was done may have moved the deadline: the wait ends, and begins anew with the right one.
  timer_->cancel();
}

void Agent::perform_one(Action action) {
  if (auto* send = std::get_if<SendMessage>(&action)) {
    if (stream_) stream_->send(send->message);
  } else if (auto* start = std::get_if<StartOperation>(&action)) {
    start_operation(std::move(start->operation));
  } else if (std::holds_alternative<CancelOperation>(action)) {
    cancel_.request_stop();
  } else if (const auto* close = std::get_if<CloseStream>(&action)) {
    log_warning("closing the stream: " + close->reason, {{"worker", parts_.name}});
    if (stream_) stream_->close();
  } else if (auto* tunnel = std::get_if<ConnectTunnel>(&action)) {
    open_tunnel(std::move(tunnel->token));
  } else if (const auto* use = std::get_if<UseBoard>(&action)) {
    use_board(*use);
  } else if (const auto* read = std::get_if<ReadConsole>(&action)) {
    read_console(*read);
  } else if (const auto* stop = std::get_if<StopAgent>(&action)) {
    if (!exit_code_) log_info("an admin deregistered this worker: dryad ends", {{"worker", parts_.name}});
    stop_with(stop->exit_code);
  } else if (const auto* note = std::get_if<Note>(&action)) {
    log_warning(note->text, {{"worker", parts_.name}});
  }
}

void Agent::open_tunnel(Secret token) {
  auto failed = [this](Secret of, std::string reason) {
    if (stream_) stream_->send(agent::TunnelFailed{.token = std::move(of), .reason = std::move(reason)});
  };
  parts_.tunnels->open(std::move(token), std::move(failed));
}

void Agent::use_board(const UseBoard& use) {
  auto done = [this, ticket = use.ticket](agent::BoardResult result) {
    if (stream_) stream_->send(agent::BoardUsed{.ticket = ticket, .result = std::move(result)});
  };
  parts_.desk->act(use.action, std::move(done));
}

void Agent::read_console(const ReadConsole& read) {
  auto text = parts_.desk->console_log(read.job);
  agent::ConsoleRead answer{.ticket = read.ticket, .error = {}, .text = {}};
  (text ? answer.text : answer.error) = text ? *std::move(text) : text.error();
  if (stream_) stream_->send(answer);
}

void Agent::part_with_old_job() {
  const auto job = session_.state().job;
  if (job == served_job_) return;
  served_job_ = job;
  parts_.tunnels->cut_all();
  parts_.desk->serve(job);
}

void Agent::start_operation(Operation operation) {
  cancel_ = std::stop_source();
  auto done = [this](OperationResult result) {
    auto actions = session_.finished(std::move(result), parts_.clock->now());
    if (!exit_code_) perform(std::move(actions));
  };
  parts_.runner->start(std::move(operation), cancel_.get_token(), std::move(done));
}

}  // namespace boruta::dryad

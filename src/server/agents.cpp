#include "server/agents.hpp"

#include <boost/asio/co_spawn.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/limits.hpp"
#include "farm/decide.hpp"
#include "runtime/log.hpp"
#include "server/access.hpp"
#include "server/ssh_key.hpp"

namespace boruta::server {
namespace {

using namespace std::chrono_literals;

/// An agent tells of itself so often that one lost heartbeat does not lose it.
constexpr int kHeartbeatsPerLoss = 3;
/// Agents that fall silent one after the other are looked for no more often.
constexpr Duration kShortestSweep = 500ms;
/// An agent that comes back leaves a dead stream behind, seldom one that was heard just now. So often within a minute
/// there are two of them.
constexpr unsigned kTakeovers = 5;
constexpr Duration kForgetTakeovers = 60s;

std::chrono::milliseconds in_milliseconds(Duration duration) {
  return std::chrono::duration_cast<std::chrono::milliseconds>(duration);
}

/// Who speaks, as far as it can be told before the registration was checked.
farm::Actor actor_of(const Capabilities& caps) {
  const auto cap = caps.find(kUuidCap);
  const auto uuid = cap == caps.end() ? std::nullopt : WorkerUuid::parse(cap->second);
  const farm::Worker speaker{.uuid = uuid.value_or(WorkerUuid{}), .registration = {.caps = caps}};
  return farm::Actor{
      .kind = farm::Actor::Kind::kAgent, .user = {}, .worker = speaker.uuid, .name = farm::name_of(speaker)};
}

/// Nothing where there is nothing to be kept of it.
std::optional<farm::CommandBody> command_of(const agent::Done& done, WorkerUuid worker, std::string key_fingerprint) {
  switch (done.kind) {
    case agent::CommandKind::kPrepare:
      return farm::FinishPrepare{.uuid = worker,
                                 .generation = done.generation,
                                 .error = done.error,
                                 .username = done.username,
                                 .key_fingerprint = std::move(key_fingerprint)};
    case agent::CommandKind::kGrant:
      return farm::FinishGrant{.uuid = worker, .generation = done.generation, .error = done.error};
    case agent::CommandKind::kEndJob:
      return farm::FinishEndJob{.uuid = worker, .generation = done.generation, .error = done.error};
    case agent::CommandKind::kPutInMaintenance:
      return farm::FinishMaintenance{.uuid = worker, .generation = done.generation, .error = done.error};
    case agent::CommandKind::kHealthcheck:
      break;
  }
  // What a check found has come already, as SetFail or Warning; that one was made is no news.
  return std::nullopt;
}

Refusal come_back_in(Duration wait, const std::string& peer) {
  return {.code = RefusalCode::kTooMany,
          .detail = fmt::format("too many tokens that open nothing came from {}, try again in {} s", peer,
                                std::chrono::ceil<std::chrono::seconds>(wait).count())};
}

Refusal copied(WorkerUuid worker) {
  return {.code = RefusalCode::kAlreadyExists,
          .detail = fmt::format("another agent with the same state speaks for worker {}, as a copied SD card makes "
                                "them: give one of the two a UUID of its own and an empty state_dir",
                                worker.to_string())};
}

std::string cut(std::string text) {
  if (text.size() > limits::kReasonBytes) text.resize(limits::kReasonBytes);
  return text;
}

}  // namespace

bool Agents::Warnings::is_news(const std::string& text) {
  const bool known = before_.contains(text) || now_.contains(text);
  if (now_.size() < kKept) now_.insert(text);
  return !known;
}

void Agents::Warnings::end_check() { before_ = std::exchange(now_, {}); }

Task<std::expected<Agents::Session, Refusal>> Agents::connect(std::optional<Secret> token, agent::Register hello,
                                                              std::string peer, std::shared_ptr<AgentLink> link) {
  co_return co_await asio::co_spawn(
      coordinator_.strand(), connect_on_strand(std::move(token), std::move(hello), std::move(peer), std::move(link)),
      asio::use_awaitable);
}

std::uint64_t Agents::begin_attempt(WorkerUuid worker, const std::string& instance) {
  const auto number = ++last_attempt_;
  auto& newest = attempts_[worker];
  // Of two agents with one UUID the farm lets the first in.
  if (newest.number == 0 || newest.instance == instance) newest = {.instance = instance, .number = number};
  return number;
}

bool Agents::end_attempt(WorkerUuid worker, std::uint64_t number) {
  const auto newest = attempts_.find(worker);
  if (newest == attempts_.end() || newest->second.number < number) return true;
  if (newest->second.number > number) return false;
  attempts_.erase(newest);
  return true;
}

std::optional<Agents::Takeovers> Agents::take_over(Connection& older, Instant now) const {
  // Half of that is more than a heartbeat: it is silent, and so a dead one.
  if (now - older.last_heard >= coordinator_.engine().farm().policy().lost_after / 2) return Takeovers{};
  if (now - older.takeovers.last >= kForgetTakeovers) older.takeovers.count = 0;
  older.takeovers.last = now;
  if (older.takeovers.count >= kTakeovers) return std::nullopt;
  return Takeovers{.count = older.takeovers.count + 1, .last = now};
}

std::unexpected<Refusal> Agents::refuse(const farm::Actor& actor, Refusal refusal) {
  runtime::log_warning(
      "agent refused",
      {{"worker", actor.worker.to_string()}, {"peer", actor.address}, {"reason", message_of(refusal)}});
  if (on_refused_) on_refused_(actor, refusal);
  return std::unexpected(std::move(refusal));
}

Task<std::expected<Agents::Session, Refusal>> Agents::connect_on_strand(std::optional<Secret> token,
                                                                        agent::Register hello, std::string peer,
                                                                        std::shared_ptr<AgentLink> link) {
  const auto& farm = coordinator_.engine().farm();
  const auto now = coordinator_.clock().now();
  const auto admitted = authenticate_agent(farm, token, now);
  auto actor = actor_of(hello.caps);
  actor.address = peer;
  if (!admitted) {
    const bool bad = token && admitted.error().code == RefusalCode::kUnauthenticated;
    const auto wait = bad ? bad_tokens_.take_bad_token(client_of(peer), now.lease) : std::nullopt;
    // Neither in the log nor on record: a flood must not fill them.
    if (wait) co_return std::unexpected(come_back_in(*wait, peer));
    co_return refuse(actor, admitted.error());
  }
  if (*admitted && farm::is_use_news(farm.tokens().at(**admitted), now)) {
    coordinator_.note({.actor = actor, .body = farm::NoteTokenUse{.id = **admitted}});
  }
  // What the older stream of this agent still says must not come between: it is forgotten first.
  const auto older = connections_.find(actor.worker);
  const auto pending = attempts_.find(actor.worker);
  const bool replaces = (older != connections_.end() && older->second.instance == hello.instance) ||
                        (pending != attempts_.end() && pending->second.instance == hello.instance);
  std::optional takeovers(Takeovers{});
  if (older != connections_.end() && older->second.instance == hello.instance) {
    takeovers = take_over(older->second, now.lease);
  }
  if (!takeovers) co_return refuse(actor, copied(actor.worker));
  if (replaces) drop(actor.worker, std::nullopt);
  const auto attempt = begin_attempt(actor.worker, hello.instance);
  farm::Command command{
      .actor = actor,
      .body = farm::RegisterWorker{
          .registration = farm::Registration{.caps = std::move(hello.caps),
                                             .ssh_address = hello.ssh_address.empty() ? peer : hello.ssh_address,
                                             .ssh_port = hello.ssh_port,
                                             .host_keys = std::move(hello.host_keys)},
          .instance = hello.instance,
          .generation = hello.generation,
          .prepared = hello.prepared,
          .job = hello.job,
          .token = *admitted}};
  const auto registered = co_await coordinator_.submit(std::move(command));
  if (!end_attempt(actor.worker, attempt)) {
    // The farm has heard of the newer one already. That this one ends must not be taken for the end of that.
    co_return std::unexpected(Refusal{.code = RefusalCode::kUnavailable,
                                      .detail = "a newer stream of the same agent came while the store was written"});
  }
  if (!registered) {
    if (replaces) co_await lose(actor.worker);
    co_return refuse(actor, registered.error());
  }
  const auto session = ++last_session_;
  workers_.emplace(session, actor.worker);
  connections_.insert_or_assign(actor.worker, Connection{.session = session,
                                                         .worker = actor.worker,
                                                         .actor = actor,
                                                         .instance = hello.instance,
                                                         .link = link,
                                                         .last_heard = coordinator_.clock().now().lease,
                                                         .takeovers = *takeovers});
  const auto& policy = farm.policy();
  link->send(agent::Welcome{.heartbeat_every = in_milliseconds(policy.lost_after / kHeartbeatsPerLoss),
                            .lost_grace = in_milliseconds(policy.lost_grace)});
  runtime::log_info("agent connected", {{"worker", actor.worker.to_string()}, {"name", actor.name}, {"peer", peer}});
  if (on_connected_) on_connected_(actor.worker);
  co_return session;
}

Task<std::expected<Agents::Probe, Refusal>> Agents::probe(std::optional<Secret> token,
                                                          std::optional<WorkerUuid> worker) {
  auto look = [token = std::move(token), worker](View& view) {
    Probe probe{.time = view.now().wall, .refusal = std::nullopt};
    const auto admitted = authenticate_agent(view.farm(), token, view.now());
    if (!admitted) {
      probe.refusal = admitted.error();
    } else if (*admitted) {
      const auto admits = farm::check_admits(view.farm().tokens().at(**admitted), worker);
      if (!admits) probe.refusal = admits.error();
    }
    return probe;
  };
  co_return co_await coordinator_.read(std::move(look));
}

Task<void> Agents::receive(Session session, agent::FromAgent message) {
  auto* connection = find(session);
  if (connection == nullptr) co_return;
  connection->last_heard = coordinator_.clock().now().lease;
  // Most are heartbeats, which tell no more: the rest is a coroutine of its own, for its frame is large.
  if (!std::holds_alternative<agent::Heartbeat>(message)) co_await hear(session, std::move(message));
}

Task<void> Agents::hear(Session session, agent::FromAgent message) {
  auto* connection = find(session);
  const auto worker = connection->worker;
  if (const auto* failed = std::get_if<agent::TunnelFailed>(&message)) {
    if (on_tunnel_failed_) on_tunnel_failed_(worker, *failed);
    co_return;
  }
  if (auto* used = std::get_if<agent::BoardUsed>(&message)) {
    used->result.error = cut(std::move(used->result.error));
    if (on_board_used_) on_board_used_(worker, *used);
    co_return;
  }
  if (auto* read = std::get_if<agent::ConsoleRead>(&message)) {
    if (on_console_read_) on_console_read_(worker, std::move(*read));
    co_return;
  }
  farm::Command command{.actor = connection->actor, .body = {}};
  Secret key;
  if (auto* failure = std::get_if<agent::SetFail>(&message)) {
    command.body = farm::SetFail{.uuid = worker, .reason = cut(std::move(failure->reason))};
  } else if (auto* warning = std::get_if<agent::Warning>(&message)) {
    auto text = cut(std::move(warning->text));
    if (!connection->warnings.is_news(text)) co_return;
    command.body = farm::NoteWorker{.uuid = worker, .text = std::move(text)};
  } else if (auto* done = std::get_if<agent::Done>(&message)) {
    std::string fingerprint;
    done->error = cut(std::move(done->error));
    if (done->kind == agent::CommandKind::kHealthcheck) connection->warnings.end_check();
    if (done->kind == agent::CommandKind::kPrepare && done->error.empty()) {
      const auto made = fingerprint_of(done->private_key);
      if (made) {
        fingerprint = *made;
      } else {
        done->error = fmt::format("its private key cannot be used: {}", made.error());
      }
    }
    auto body = command_of(*done, worker, std::move(fingerprint));
    if (!body) co_return;
    command.body = std::move(*body);
    key = std::move(done->private_key);
  } else {
    co_return;  // a second Register, which the superviser does not let through
  }
  co_await coordinator_.submit(std::move(command), std::move(key));
}

Task<void> Agents::disconnect(Session session) {
  const auto* connection = find(session);
  if (connection == nullptr) co_return;
  co_await lose(connection->worker);
}

Task<void> Agents::lose(WorkerUuid worker) {
  const auto connection = connections_.find(worker);
  const auto last_heard =
      connection == connections_.end() ? coordinator_.clock().now().lease : connection->second.last_heard;
  drop(worker, Refusal{.code = RefusalCode::kUnavailable, .detail = "nothing was heard for too long"});
  farm::Command command{.actor = {}, .body = farm::DisconnectAgent{.uuid = worker, .last_heard = last_heard}};
  runtime::log_info("agent disconnected", {{"worker", worker.to_string()}});
  co_await coordinator_.submit(std::move(command));
}

Task<void> Agents::run() {
  const auto lost_after = coordinator_.engine().farm().policy().lost_after;
  const auto shortest = std::min(lost_after / 4, kShortestSweep);
  auto& clock = coordinator_.clock();
  // Nobody who connects meanwhile is lost before that.
  auto next = clock.now().lease + lost_after;
  while (true) {
    const bool slept = co_await runtime::sleep_for(clock, next - clock.now().lease);
    if (!slept) co_return;
    const auto now = clock.now().lease;
    next = now + lost_after;
    std::vector<WorkerUuid> silent;
    for (const auto& [worker, connection] : connections_) {
      const auto lost_at = connection.last_heard + lost_after;
      if (lost_at <= now) {
        silent.push_back(worker);
      } else {
        next = std::min(next, lost_at);
      }
    }
    next = std::max(next, now + shortest);
    std::ranges::sort(silent);
    for (const auto worker : silent) co_await lose(worker);
  }
}

std::optional<Agents::Session> Agents::send(WorkerUuid worker, agent::ToAgent message) {
  const auto connection = connections_.find(worker);
  if (connection == connections_.end()) return std::nullopt;
  connection->second.link->send(std::move(message));
  return connection->second.session;
}

std::optional<Agents::Session> Agents::session_of(WorkerUuid worker) const {
  const auto connection = connections_.find(worker);
  return connection == connections_.end() ? std::nullopt : std::optional(connection->second.session);
}

void Agents::deregister(WorkerUuid worker) {
  if (!send(worker, agent::Deregistered{})) return;
  drop(worker, std::nullopt);
}

void Agents::close_all() {
  while (!connections_.empty()) {
    drop(connections_.begin()->first,
         Refusal{.code = RefusalCode::kUnavailable, .detail = "the server is shutting down"});
  }
}

Agents::Connection* Agents::find(Session session) {
  const auto worker = workers_.find(session);
  return worker == workers_.end() ? nullptr : &connections_.at(worker->second);
}

void Agents::drop(WorkerUuid worker, std::optional<Refusal> why) {
  const auto connection = connections_.find(worker);
  if (connection == connections_.end()) return;
  workers_.erase(connection->second.session);
  const auto link = connection->second.link;
  connections_.erase(connection);
  link->close(std::move(why));
}

}  // namespace boruta::server

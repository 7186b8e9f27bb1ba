#include "server/coordinator.hpp"

#include <boost/asio/co_spawn.hpp>

#include <algorithm>

#include "base/limits.hpp"
#include "runtime/deadline.hpp"
#include "runtime/log.hpp"

namespace boruta::server {
namespace {

using namespace std::chrono_literals;

/// Wall time may be set while a deadline is awaited: it is looked at again no later than after this.
constexpr Duration kWallCheck = 1s;
/// A job's tunnel stands and its start is durable well within this.
constexpr Duration kAccessReadyWithin = 5s;
/// A server that stops waits no longer for its store; it looks so often whether it must.
constexpr Duration kLastCommits = 2s;
constexpr Duration kCommitCheck = 10ms;

Refusal unavailable(std::string detail) {
  return Refusal{.code = RefusalCode::kUnavailable, .detail = std::move(detail)};
}

Refusal server_stops() { return unavailable("the server is shutting down"); }

std::unexpected<Refusal> not_assigned() {
  return std::unexpected(Refusal{.code = RefusalCode::kNotAssigned, .detail = {}});
}

std::unordered_map<WorkerUuid, Secret> key_ring(std::vector<store::StoredKey> keys) {
  std::unordered_map<WorkerUuid, Secret> ring;
  for (auto& key : keys) ring.emplace(key.worker, std::move(key.pem));
  return ring;
}

/// Whether the key that the worker's agent made still opens something.
bool needs_key(const farm::Farm& farm, WorkerUuid uuid) {
  const auto* worker = farm.find_worker(uuid);
  if (worker == nullptr) return false;
  if (worker->state == farm::WorkerState::kIdle) return true;
  return worker->state == farm::WorkerState::kRunning && !farm.find_open_request(*worker->job)->job->own_keys;
}

bool is_users(const farm::Actor& actor) {
  return actor.kind == farm::Actor::Kind::kUser || actor.kind == farm::Actor::Kind::kAdmin;
}

}  // namespace

Coordinator::Coordinator(Wiring wiring, farm::Policy policy, store::Loaded loaded)
    : strand_(std::move(wiring.strand)),
      clock_(*wiring.clock),
      committer_(*wiring.committer),
      engine_(policy, loaded.rows, clock_.now()),
      keys_(key_ring(std::move(loaded.keys))),
      durable_(strand_),
      timer_(clock_.make_timer(strand_)) {
  durable_.advance(loaded.rows.last_event.value);
  committer_.start([this](EventSeq durable) { on_durable(durable); });
}

Coordinator::~Coordinator() = default;

Task<void> Coordinator::run() {
  farm::Command start{.actor = {}, .body = farm::StartServer{}};
  co_await submit(std::move(start));
  while (!stopping_) {
    arm_timer();
    if (const bool due = co_await timer_->wait(); !due) continue;
    armed_for_.reset();
    const auto now = clock_.now();
    carry(engine_.tick(now), {}, now);
  }
  // What was accepted is answered, unless the store does not take it now.
  const auto give_up = clock_.now().lease + kLastCommits;
  while (durable() < engine_.farm().last_event() && clock_.now().lease < give_up) {
    if (const bool slept = co_await runtime::sleep_for(clock_, kCommitCheck); !slept) break;
  }
  durable_.close();
}

void Coordinator::request_stop() {
  stopping_ = true;
  timer_->cancel();
  for (const auto& [id, signal] : watched_) signal->notify_all();
}

void Coordinator::arm_timer() {
  const auto now = clock_.now();
  const auto next = engine_.next_deadline();
  auto at = next.lease.value_or(Instant::max());
  if (next.wall) at = std::min(at, now.lease + std::min(*next.wall - now.wall, kWallCheck));
  if (armed_for_ && *armed_for_ <= at) return;
  armed_for_ = at;
  timer_->expires_at(at);
}

Task<std::expected<farm::Events, Refusal>> Coordinator::submit(farm::Command command, Secret secret) {
  const auto executor = co_await asio::this_coro::executor;
  if (!is_strand(executor)) co_await enter();
  if (auto refusal = refuse_now(command.actor)) co_return std::unexpected(std::move(*refusal));
  if (auto* hello = std::get_if<farm::RegisterWorker>(&command.body)) hello->key_lost = key_lost(*hello);
  auto [outcome, seen] = execute(command, std::move(secret));
  const bool stored = co_await durable_.wait(seen.value);
  if (!stored) co_return std::unexpected(server_stops());
  co_return outcome;
}

void Coordinator::note(farm::Command command) {
  asio::dispatch(strand_, [this, command = std::move(command)] {
    if (!refuse_now(command.actor)) execute(command, {});
  });
}

std::optional<Refusal> Coordinator::refuse_now(const farm::Actor& actor) const {
  if (!is_users(actor)) return std::nullopt;
  if (stopping_) return server_stops();
  if (committer_.stalled()) return unavailable("the server's store cannot be written at present, try again later");
  if (unpublished_.size() >= limits::kPendingCommands) {
    return unavailable("more changes are waiting to be stored than the server takes, try again later");
  }
  return std::nullopt;
}

Coordinator::Executed Coordinator::execute(const farm::Command& command, Secret secret) {
  const auto now = clock_.now();
  auto step = engine_.execute(command, now);
  std::expected<farm::Events, Refusal> outcome;
  if (step.outcome) {
    const auto own = step.own_events();
    outcome->assign(own.begin(), own.end());
  } else {
    outcome = std::unexpected(std::move(step.outcome.error()));
  }
  carry(std::move(step), std::move(secret), now);
  arm_timer();
  // Also a refusal tells of the state that it came from.
  const auto seen = outcome && !outcome->empty() ? outcome->back().seq : engine_.farm().last_event();
  return {.outcome = std::move(outcome), .seen = seen};
}

bool Coordinator::key_lost(const farm::RegisterWorker& hello) const {
  const auto cap = hello.registration.caps.find(kUuidCap);
  if (cap == hello.registration.caps.end()) return false;
  const auto uuid = WorkerUuid::parse(cap->second);
  return uuid && needs_key(engine_.farm(), *uuid) && !keys_.contains(*uuid);
}

void Coordinator::carry(match::Step step, Secret secret, Now now) {
  if (step.events.empty()) return;
  const auto& farm = engine_.farm();
  store::EventBatch batch{.first_seq = step.events.front().seq, .events = step.events};
  for (const auto id : step.touched.users) batch.users.push_back(*farm.find_user(id));
  for (const auto& name : step.touched.groups) batch.groups.push_back(farm.limited_groups().at(name));
  for (const auto id : step.touched.tokens) batch.tokens.push_back(farm.tokens().at(id));
  for (const auto id : step.touched.requests) {
    if (const auto request = farm.find_request(id); request != nullptr) {
      batch.requests.push_back(*request);
    } else {
      batch.deleted_requests.push_back(id);
    }
  }
  if (!batch.deleted_requests.empty()) {
    batch.forgotten = {.last_request = farm.requests().last_id(), .until = *farm.forgotten_until()};
  }
  for (const auto uuid : step.touched.workers) {
    if (const auto* worker = farm.find_worker(uuid)) {
      batch.workers.push_back(*worker);
    } else {
      batch.deleted_workers.push_back(uuid);
    }
  }
  for (const auto id : step.touched.user_keys) batch.user_keys.push_back(farm.user_keys().at(id));
  for (const auto id : step.touched.creations) {
    if (const auto kept = farm.creations().find(id); kept != farm.creations().end()) {
      batch.creations.push_back(kept->second);
    } else {
      batch.deleted_creations.push_back(id);
    }
  }
  update_keys(step, std::move(secret), batch);
  unpublished_.push_back(Unpublished{.last = step.events.back().seq,
                                     .events = std::move(step.events),
                                     .touched = std::move(step.touched),
                                     .submitted = now.lease});
  committer_.submit(std::move(batch));
}

void Coordinator::update_keys(const match::Step& step, Secret secret, store::EventBatch& batch) {
  for (const auto& event : step.events) {
    const auto* prepared = std::get_if<farm::WorkerPrepared>(&event.body);
    if (prepared == nullptr) continue;
    // Whom it was matched with at once may have keys of their own.
    if (!needs_key(engine_.farm(), prepared->uuid)) break;
    batch.put_keys.push_back(store::StoredKey{.worker = prepared->uuid, .pem = secret});
    keys_.insert_or_assign(prepared->uuid, std::move(secret));
    break;  // a step prepares one worker at most
  }
  for (const auto uuid : step.touched.workers) {
    if (!needs_key(engine_.farm(), uuid) && keys_.erase(uuid) > 0) batch.deleted_keys.push_back(uuid);
  }
}

void Coordinator::on_durable(EventSeq durable) {
  durable_.advance(durable.value);
  const auto now = clock_.now().lease;
  while (!unpublished_.empty() && unpublished_.front().last <= durable) {
    const auto published = std::move(unpublished_.front());
    unpublished_.pop_front();
    for (auto* listener : listeners_) {
      listener->on_durable(published.events, published.touched);
      listener->on_committed(now - published.submitted);
    }
    for (const auto id : published.touched.requests) {
      if (const auto watched = watched_.find(id); watched != watched_.end()) watched->second->notify_all();
    }
  }
}

void Coordinator::set_tunnel_ready(RequestId id, bool ready) {
  if (!ready) {
    tunnels_ready_.erase(id);
    return;
  }
  tunnels_ready_.insert(id);
  if (const auto watched = watched_.find(id); watched != watched_.end()) watched->second->notify_all();
}

bool Coordinator::access_ready(const farm::Request& request) const {
  if (request.state != farm::RequestState::kInProgress || request.last_event > durable()) return false;
  if (!tunnels_ready_.contains(request.id)) return false;
  // A made key opened the worker before the match; the owner's do when the agent has said so.
  return request.job->own_keys ? request.job->granted : keys_.contains(request.job->worker);
}

Access Coordinator::access_to(const farm::Request& request) const {
  const auto* worker = engine_.farm().find_worker(request.job->worker);
  return Access{.tunnel_port = request.job->tunnel_port,
                .username = worker->username,
                .private_key = request.job->own_keys ? Secret() : keys_.at(worker->uuid),
                .host_keys = worker->registration.host_keys,
                .worker = worker->uuid};
}

Task<bool> Coordinator::wait_for_change(RequestId id, std::optional<Instant> until) {
  auto& watched = watched_[id];
  if (!watched) watched = std::make_shared<runtime::Signal>(strand_);
  const auto signal = watched;
  bool changed = true;
  if (until) {
    changed = co_await runtime::with_deadline(clock_, *until - clock_.now().lease, signal->wait());
  } else {
    co_await signal->wait();
  }
  if (signal.use_count() == 2) watched_.erase(id);
  co_return changed;
}

Task<std::expected<Access, Refusal>> Coordinator::acquire(Identify identify, RequestId id,
                                                          std::optional<Duration> wait) {
  co_return co_await asio::co_spawn(strand_, acquire_on_strand(std::move(identify), id, wait), asio::use_awaitable);
}

Task<std::expected<Access, Refusal>> Coordinator::acquire_on_strand(Identify identify, RequestId id,
                                                                    std::optional<Duration> wait) {
  const auto until = wait ? std::optional(clock_.now().lease + *wait) : std::nullopt;
  farm::Actor actor;
  while (true) {
    if (stopping_) co_return std::unexpected(server_stops());
    auto identified = identify();
    if (!identified) co_return std::unexpected(std::move(identified.error()));
    actor = std::move(*identified);
    if (auto allowed = farm::check_owner(engine_.farm(), actor, id); !allowed)
      co_return std::unexpected(allowed.error());
    const auto request = engine_.farm().find_request(id);
    if (farm::is_terminal(request->state)) {
      co_await durable_.wait(request->last_event.value);
      co_return not_assigned();
    }
    if (access_ready(*request)) break;
    const bool patient = !until || clock_.now().lease < *until;
    // A job that has just begun has its access within moments: that is worth waiting for, whatever was asked.
    if (request->state == farm::RequestState::kWaiting && !patient) co_return not_assigned();
    if (request->state == farm::RequestState::kInProgress && !patient) {
      const bool changed = co_await wait_for_change(id, clock_.now().lease + kAccessReadyWithin);
      if (!changed) co_return not_assigned();
      continue;
    }
    co_await wait_for_change(id, until);
  }
  farm::Command command{.actor = std::move(actor), .body = farm::AcquireWorker{.id = id}};
  const auto acquired = co_await submit(std::move(command));
  if (!acquired) co_return std::unexpected(acquired.error());
  const auto* request = engine_.farm().find_open_request(id);
  const bool open = request != nullptr && request->state == farm::RequestState::kInProgress &&
                    (request->job->own_keys || keys_.contains(request->job->worker));
  if (!open) co_return not_assigned();
  co_return access_to(*request);
}

Task<std::expected<farm::Events, Refusal>> Coordinator::read_events(store::EventQuery query) {
  co_await enter();
  auto events = co_await committer_.read(query);
  if (!events) {
    runtime::log_error("events cannot be read", {{"error", events.error().message}});
    co_return std::unexpected(unavailable("the history cannot be read at present"));
  }
  co_return std::move(*events);
}

}  // namespace boruta::server

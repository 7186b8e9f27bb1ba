#include "server/reconciler.hpp"

#include <algorithm>

#include "runtime/log.hpp"

namespace boruta::server {
namespace {

Task<void> move_tunnel(Coordinator* coordinator, RequestId id, std::uint16_t port) {
  farm::Command command{.actor = {}, .body = farm::MoveTunnel{.id = id, .port = port}};
  co_await coordinator->submit(std::move(command));
}

std::chrono::milliseconds remaining_of(const farm::Job& job, Now now) {
  const auto at = job.paused_since.value_or(now.lease);
  return std::chrono::duration_cast<std::chrono::milliseconds>(std::max(job.timeout - at, Duration::zero()));
}

/// The registered keys of a job's owner; nothing changes on the worker where none are to be used.
std::vector<std::string> public_keys_for(const farm::Farm& farm, const farm::Request& request) {
  std::vector<std::string> keys;
  if (!request.job->own_keys) return keys;
  for (const auto* key : farm.keys_of(request.owner)) keys.push_back(key->public_key);
  return keys;
}

}  // namespace

Reconciler::Reconciler(Coordinator* coordinator, Agents* agents, Tunnels* tunnels)
    : coordinator_(*coordinator), agents_(*agents), tunnels_(*tunnels), begun_(coordinator->strand()) {
  agents_.set_on_connected([this](WorkerUuid worker) { reconcile_agent(worker); });
  coordinator_.add_listener(this);
}

void Reconciler::on_durable(const farm::Events& events, const farm::Touched& touched) {
  for (const auto& event : events) {
    if (const auto* gone = std::get_if<farm::WorkerDeregistered>(&event.body)) agents_.deregister(gone->uuid);
    if (const auto* prolonged = std::get_if<farm::JobProlonged>(&event.body)) tell_remaining(prolonged->id);
    if (const auto* resumed = std::get_if<farm::JobResumed>(&event.body)) tell_remaining(resumed->id);
    // Tunnels of jobs that outlived the last server.
    if (std::holds_alternative<farm::ServerStarted>(event.body)) {
      for (const auto id : coordinator_.engine().farm().open_requests()) reconcile_tunnel(id);
    }
  }
  for (const auto id : touched.requests) reconcile_tunnel(id);
  for (const auto uuid : touched.workers) {
    reconcile_agent(uuid);
    // Its address may have changed under a job.
    const auto* worker = coordinator_.engine().farm().find_worker(uuid);
    if (worker != nullptr && worker->job) reconcile_tunnel(*worker->job);
  }
}

Task<void> Reconciler::run(Duration interval) {
  while (true) {
    const bool slept = co_await runtime::sleep_for(coordinator_.clock(), interval);
    if (!slept) co_return;
    for (const auto& [uuid, worker] : coordinator_.engine().farm().workers()) {
      const bool timed = worker.respond_by.has_value();
      // Where the state has no time to answer of its own, an answer that failed is asked for again here.
      if (timed || !wanted(worker)) continue;
      said_.erase(uuid);
      reconcile_agent(uuid);
    }
  }
}

std::optional<agent::Command> Reconciler::wanted(const farm::Worker& worker) const {
  const auto command = [&](auto body) { return agent::Command{.generation = worker.generation, .body = body}; };
  const bool running = worker.state == farm::WorkerState::kRunning;
  if (worker.dirty && !running) return command(agent::EndJob{});
  if (worker.state == farm::WorkerState::kPrepare) {
    return command(agent::Prepare{.full_healthcheck = worker.needs_full_check});
  }
  if (worker.state == farm::WorkerState::kBusy || worker.untold) {
    return command(agent::PutInMaintenance{.message = worker.reason});
  }
  if (!running) return std::nullopt;
  const auto& farm = coordinator_.engine().farm();
  const auto& request = *farm.find_open_request(*worker.job);
  if (request.job->granted) return std::nullopt;
  return command(agent::Grant{.job = *worker.job,
                              .public_keys = public_keys_for(farm, request),
                              .remaining = remaining_of(*request.job, coordinator_.clock().now())});
}

void Reconciler::reconcile_agent(WorkerUuid uuid) {
  const auto* worker = coordinator_.engine().farm().find_worker(uuid);
  if (worker == nullptr) {
    said_.erase(uuid);
    return;
  }
  // What is not durable yet comes again when it is.
  if (worker->last_event > coordinator_.durable()) return;
  const auto session = agents_.session_of(uuid);
  auto command = session ? wanted(*worker) : std::nullopt;
  if (!command) {
    said_.erase(uuid);
    return;
  }
  const Said said{.session = *session, .generation = command->generation, .kind = agent::kind_of(*command)};
  const auto [last, fresh] = said_.try_emplace(uuid, said);
  if (!fresh && last->second == said) return;
  last->second = said;
  agents_.send(uuid, std::move(*command));
}

void Reconciler::reconcile_tunnel(RequestId id) {
  const auto& farm = coordinator_.engine().farm();
  const auto request = farm.find_request(id);
  if (request == nullptr) return close_tunnel(id);
  if (request->last_event > coordinator_.durable()) return;
  if (request->state != farm::RequestState::kInProgress) {
    close_tunnel(id);
    return;
  }
  const auto* worker = farm.find_worker(request->job->worker);
  const TunnelTarget target{
      .worker = worker->uuid, .address = worker->registration.ssh_address, .port = worker->registration.ssh_port};
  const auto open = open_.find(id);
  if (open == open_.end()) {
    open_tunnel(*request, target);
  } else if (open->second.port != request->job->tunnel_port) {
    close_tunnel(id);
    open_tunnel(*request, target);
  } else if (open->second.target != target) {
    tunnels_.retarget(id, target);
    open->second.target = target;
  }
}

void Reconciler::open_tunnel(const farm::Request& request, const TunnelTarget& target) {
  const auto port = request.job->tunnel_port;
  if (const auto opened = tunnels_.open(request.id, port, target); !opened) {
    runtime::log_warning(
        "tunnel port cannot be had, another is tried",
        {{"request", std::to_string(request.id.value)}, {"port", std::to_string(port)}, {"error", opened.error()}});
    begun_.spawn("move tunnel", move_tunnel(&coordinator_, request.id, port));
    return;
  }
  open_.emplace(request.id, OpenTunnel{.port = port, .target = target});
  coordinator_.set_tunnel_ready(request.id, true);
}

void Reconciler::close_tunnel(RequestId id) {
  if (open_.erase(id) == 0) return;
  coordinator_.set_tunnel_ready(id, false);
  tunnels_.close(id);
}

void Reconciler::tell_remaining(RequestId id) {
  const auto* request = coordinator_.engine().farm().find_open_request(id);
  if (request == nullptr || request->state != farm::RequestState::kInProgress) return;
  agents_.send(request->job->worker,
               agent::JobRemaining{.job = id, .remaining = remaining_of(*request->job, coordinator_.clock().now())});
}

}  // namespace boruta::server

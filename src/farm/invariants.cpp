#include "farm/invariants.hpp"

#include <fmt/format.h>

#include <map>

namespace boruta::farm {
namespace {

using Violations = std::vector<std::string>;

void check_request(const Farm& farm, const Request& request, Violations& out) {
  const bool running = request.state == RequestState::kInProgress;
  const auto id = request.id.value;
  if (running != (request.job && farm.find_worker(request.job->worker) != nullptr &&
                  farm.find_worker(request.job->worker)->job == request.id)) {
    out.push_back(fmt::format("request {} is {} but its job says otherwise", id, to_string(request.state)));
  }
  if (request.state == RequestState::kWaiting && request.job) {
    out.push_back(fmt::format("request {} waits and has a job", id));
  }
  if (request.job && request.job->timeout > request.job->timeout_max) {
    out.push_back(fmt::format("the job of request {} lasts past its maximum", id));
  }
  if (request.last_event > farm.last_event()) out.push_back(fmt::format("request {} is ahead of the journal", id));
}

void check_worker(const Farm& farm, const Worker& worker, Violations& out) {
  // Nearly always nothing is wrong, and nothing is to be named.
  const auto uuid = [&worker] { return worker.uuid.to_string(); };
  const bool running = worker.state == WorkerState::kRunning;
  if (running != worker.job.has_value()) {
    out.push_back(
        fmt::format("worker {} is {} and has {} job", uuid(), to_string(worker.state), worker.job ? "a" : "no"));
  }
  if (worker.job) {
    const auto request = farm.find_request(*worker.job);
    if (request == nullptr || request->state != RequestState::kInProgress) {
      out.push_back(fmt::format("worker {} runs request {}, which is not in progress", uuid(), worker.job->value));
    }
    if (request != nullptr && request->job && request->job->paused_since.has_value() != worker.lost) {
      out.push_back(
          fmt::format("the job on worker {} stands still without reason, or goes on without its agent", uuid()));
    }
    if (!worker.dirty) out.push_back(fmt::format("worker {} runs a job and is not dirty", uuid()));
  }
  if (worker.state == WorkerState::kIdle && worker.dirty)
    out.push_back(fmt::format("worker {} is IDLE and dirty", uuid()));
  if ((worker.draining || worker.pending) && !running)
    out.push_back(fmt::format("worker {} drains without a job", uuid()));
  if (worker.connected && (worker.lost || worker.lost_at)) {
    out.push_back(fmt::format("worker {} is connected and lost", uuid()));
  }
  const bool asked = worker.state == WorkerState::kPrepare || worker.state == WorkerState::kBusy;
  if (worker.lost && (asked || worker.state == WorkerState::kIdle)) {
    out.push_back(fmt::format("worker {} is {} though its agent is lost", uuid(), to_string(worker.state)));
  }
  if (worker.untold && worker.state != WorkerState::kMaintenance) {
    out.push_back(fmt::format("worker {} is untold of a maintenance that is none", uuid()));
  }
  if (asked != (worker.respond_by.has_value() && !running)) {
    out.push_back(fmt::format("worker {} is {} and its time to answer does not fit", uuid(), to_string(worker.state)));
  }
}

void check_ports(const Farm& farm, Violations& out) {
  std::map<std::uint16_t, RequestId> ports;
  for (const auto id : farm.open_requests()) {
    const auto* request = farm.find_open_request(id);
    if (request->state != RequestState::kInProgress) continue;
    const auto [other, fresh] = ports.emplace(request->job->tunnel_port, id);
    if (!fresh) {
      out.push_back(fmt::format("requests {} and {} share tunnel port {}", other->second.value, id.value,
                                request->job->tunnel_port));
    }
  }
}

}  // namespace

std::vector<std::string> check_invariants(const Farm& farm) {
  Violations violations;
  for (const auto id : farm.open_requests()) check_request(farm, *farm.find_open_request(id), violations);
  for (const auto& [uuid, worker] : farm.workers()) check_worker(farm, worker, violations);
  check_ports(farm, violations);
  return violations;
}

}  // namespace boruta::farm

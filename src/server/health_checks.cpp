#include "server/health_checks.hpp"

#include <algorithm>

namespace boruta::server {
namespace {

using namespace std::chrono_literals;

/// How exactly a check is on time, as a part of the interval, and at most.
constexpr int kPart = 20;
constexpr Duration kCoarsest = 10s;

}  // namespace

HealthChecks::HealthChecks(Coordinator* coordinator, Agents* agents, Duration every)
    : coordinator_(*coordinator), agents_(*agents), every_(every) {}

Task<void> HealthChecks::run() {
  if (every_ <= Duration::zero()) co_return;
  const auto pause = std::clamp<Duration>(every_ / kPart, 1ms, kCoarsest);
  while (true) {
    const bool slept = co_await runtime::sleep_for(coordinator_.clock(), pause);
    if (!slept) co_return;
    ask_who_is_due();
  }
}

void HealthChecks::ask_who_is_due() {
  const auto& workers = coordinator_.engine().farm().workers();
  const auto now = coordinator_.clock().now().lease;
  std::erase_if(due_, [&](const auto& entry) { return !workers.contains(entry.first); });
  for (const auto& [uuid, worker] : workers) {
    // A farm that was started at once is not checked at once.
    constexpr Duration::rep kSlots = 997;
    const auto slot = static_cast<Duration::rep>(std::hash<WorkerUuid>{}(uuid) % static_cast<std::size_t>(kSlots));
    auto& due = due_.try_emplace(uuid, now + every_ / kSlots * slot).first->second;
    if (now < due || worker.state != farm::WorkerState::kIdle) continue;
    const agent::Command check{.generation = worker.generation, .body = agent::Healthcheck{.full = false}};
    if (agents_.send(uuid, check)) due = now + every_;
  }
}

}  // namespace boruta::server

#pragma once

#include <unordered_map>

#include "runtime/task.hpp"
#include "server/agents.hpp"
#include "server/coordinator.hpp"

namespace boruta::server {

/// Has each worker look after itself every so often while it is idle: a check that leaves the power alone, and that its
/// agent breaks off when something more important comes, like a job. What the agent finds it says by itself: what is
/// critical by SetFail, the rest by Warning.
/// Thread: the coordinator's strand.
class HealthChecks {
 public:
  /// Both outlive it. `every` zero: never.
  HealthChecks(Coordinator* coordinator, Agents* agents, Duration every);

  /// Until cancelled.
  Task<void> run();

 private:
  void ask_who_is_due();

  Coordinator& coordinator_;
  Agents& agents_;
  Duration every_;
  /// When a worker's next check is due, on the lease clock; one that is busy then is checked when it is idle again.
  std::unordered_map<WorkerUuid, Instant> due_;
};

}  // namespace boruta::server

#include <fmt/format.h>

#include "base/assert.hpp"
#include "farm/decide.hpp"
#include "farm/emitter.hpp"

namespace boruta::farm {
namespace {

void end_overdue_job(Emitter& out, const Request& request) {
  const auto& job = *request.job;
  if (job.paused_since) {
    const auto* worker = out.farm().find_worker(job.worker);
    BORUTA_ASSERT(worker != nullptr);
    out.fail(*worker, "agent lost");
  } else if (job.claim_by && *job.claim_by <= job.timeout) {
    out.end_job(request, RequestState::kDone,
                fmt::format("nobody acquired the worker within {}", format_duration_spaced(request.claim_within)));
  } else {
    out.end_job(request, RequestState::kDone, "its time was up");
  }
}

void lose_agent(Emitter& out, const Worker& worker) {
  out.add(WorkerLost{.uuid = worker.uuid});
  switch (worker.state) {
    case WorkerState::kIdle:
    case WorkerState::kPrepare:
      out.fail(worker, "agent lost");
      return;
    case WorkerState::kBusy:
      out.put_in_maintenance_untold(worker, worker.reason);
      return;
    case WorkerState::kRunning:
      out.add(JobPaused{.id = *worker.job, .since = out.now().lease});
      return;
    case WorkerState::kMaintenance:
    case WorkerState::kFailed:
      return;
  }
}

void end_patience(Emitter& out, const Worker& worker) {
  const auto respond_within = out.policy().respond_within;
  switch (worker.state) {
    case WorkerState::kPrepare:
      out.fail(worker, fmt::format("Prepare was not answered within {}", format_duration_spaced(respond_within)));
      return;
    case WorkerState::kBusy:
      out.fail(worker,
               fmt::format("PutInMaintenance was not answered within {}", format_duration_spaced(respond_within)));
      return;
    case WorkerState::kRunning:
      out.fail(worker,
               fmt::format("Grant was not answered within {}", format_duration_spaced(out.policy().grant_within)));
      return;
    case WorkerState::kIdle:
    case WorkerState::kMaintenance:
    case WorkerState::kFailed:
      BORUTA_ASSERT(false && "a worker that is asked nothing has nothing to answer");
  }
}

}  // namespace

Events decide_due(const Farm& farm, Now now) {
  const auto next = farm.next_deadline();
  const bool due = (next.wall && *next.wall <= now.wall) || (next.lease && *next.lease <= now.lease);
  if (!due) return {};
  Emitter out(farm, Actor{}, now);
  if (const auto deadline = farm.earliest_deadline(); deadline && deadline->first <= now.wall) {
    out.time_out(deadline->second);
  } else if (const auto end = farm.earliest_job_end(); end && end->first <= now.lease) {
    end_overdue_job(out, *farm.find_open_request(end->second));
  } else if (const auto timeout = farm.earliest_agent_timeout(); timeout && timeout->first <= now.lease) {
    const auto* worker = farm.find_worker(timeout->second);
    if (worker->lost_at && *worker->lost_at <= now.lease) {
      lose_agent(out, *worker);
    } else {
      end_patience(out, *worker);
    }
  }
  return out.take();
}

}  // namespace boruta::farm

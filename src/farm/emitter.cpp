#include "farm/emitter.hpp"

#include <fmt/format.h>

#include "base/assert.hpp"

namespace boruta::farm {

void Emitter::add(EventBody body) {
  // Room for a match behind what led to it as well.
  constexpr std::size_t kUsual = 3;
  if (events_.empty()) events_.reserve(kUsual);
  events_.emplace_back(EventSeq{farm_.last_event().value + events_.size() + 1}, now_.wall, actor_, std::move(body));
}

void Emitter::time_out(RequestId id) {
  add(RequestEnded{.id = id,
                   .from = RequestState::kWaiting,
                   .state = RequestState::kTimeout,
                   .reason = "no worker was free before the deadline"});
}

void Emitter::change_state(const Worker& worker, WorkerState to, std::string reason) {
  add_change(worker, to, std::move(reason), false);
}

void Emitter::put_in_maintenance_untold(const Worker& worker, std::string reason) {
  add_change(worker, WorkerState::kMaintenance, std::move(reason), true);
}

void Emitter::add_change(const Worker& worker, WorkerState to, std::string reason, bool untold) {
  const bool asked = to == WorkerState::kPrepare || to == WorkerState::kBusy;
  add(WorkerStateChanged{.uuid = worker.uuid,
                         .from = worker.state,
                         .to = to,
                         .reason = std::move(reason),
                         .generation = Generation{worker.generation.value + 1},
                         .respond_by = asked ? std::optional(now_.lease + policy().respond_within) : std::nullopt,
                         .untold = untold});
}

void Emitter::take_over_pending(const Worker& worker) {
  if (worker.pending) add(WorkerChanged{.uuid = worker.uuid, .registration = *worker.pending});
}

void Emitter::fail(const Worker& worker, const std::string& reason) {
  if (worker.job) {
    add(RequestEnded{.id = *worker.job,
                     .from = RequestState::kInProgress,
                     .state = RequestState::kFailed,
                     .reason = fmt::format("worker {} failed: {}", name_of(worker), reason)});
  }
  take_over_pending(worker);
  change_state(worker, WorkerState::kFailed, reason);
}

void Emitter::end_job(const Request& request, RequestState state, std::string reason) {
  const auto* worker = farm_.find_worker(request.job->worker);
  BORUTA_ASSERT(worker != nullptr && worker->job == request.id);
  end_job_of(*worker, request.state, state, std::move(reason));
}

void Emitter::end_job_of(const Worker& worker, RequestState from, RequestState state, std::string reason) {
  add(RequestEnded{.id = *worker.job, .from = from, .state = state, .reason = std::move(reason)});
  if (worker.lost) {
    take_over_pending(worker);
    change_state(worker, WorkerState::kFailed, "agent lost");
  } else if (worker.draining || worker.pending) {
    take_over_pending(worker);
    change_state(worker, WorkerState::kBusy,
                 worker.draining ? worker.drain_reason : "its capabilities or ports changed");
  } else {
    change_state(worker, WorkerState::kPrepare, {});
  }
}

}  // namespace boruta::farm

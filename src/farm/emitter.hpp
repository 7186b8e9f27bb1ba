#pragma once

#include <optional>
#include <string>
#include <utility>

#include "farm/events.hpp"
#include "farm/farm.hpp"

namespace boruta::farm {

/// Collects the events of one decision, numbering and dating them, and holds the transitions that several decisions
/// share. A worker changes its state at most once in a decision.
class Emitter {
 public:
  Emitter(const Farm& farm, Actor actor, Now now) : farm_(farm), actor_(std::move(actor)), now_(now) {}

  void add(EventBody body);
  [[nodiscard]] Events take() { return std::move(events_); }

  [[nodiscard]] const Farm& farm() const { return farm_; }
  [[nodiscard]] const Policy& policy() const { return farm_.policy(); }
  [[nodiscard]] const Actor& actor() const { return actor_; }
  [[nodiscard]] Now now() const { return now_; }

  /// The waiting request's deadline has passed.
  void time_out(RequestId id);
  /// The worker goes where it is told; PREPARE and BUSY get their time to answer.
  void change_state(const Worker& worker, WorkerState to, std::string reason);
  /// The same for MAINTENANCE of a worker whose agent could not be told.
  void put_in_maintenance_untold(const Worker& worker, std::string reason);
  /// The worker fails, and with it the job that runs on it. A changed registration that waited is taken over.
  void fail(const Worker& worker, const std::string& reason);
  /// The request has ended for `reason` while its job ran: the worker is cleaned, drained or lost.
  void end_job(const Request& request, RequestState state, std::string reason);
  /// The same for the job of `worker`, whose record is newer than the farm's. `from` is the request's state.
  void end_job_of(const Worker& worker, RequestState from, RequestState state, std::string reason);

 private:
  void add_change(const Worker& worker, WorkerState to, std::string reason, bool untold);
  void take_over_pending(const Worker& worker);

  const Farm& farm_;
  Actor actor_;
  Now now_;
  Events events_;
};

}  // namespace boruta::farm

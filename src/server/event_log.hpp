#pragma once

#include <vector>

#include "runtime/log.hpp"
#include "server/coordinator.hpp"

namespace boruta::server {

/// How much an event matters to an operator. kDebug: what clients may do any number of times without a worker, and
/// steps on the way from one state to the next. kWarning: a worker that the farm has lost.
[[nodiscard]] runtime::LogLevel log_level_of(const farm::EventBody& body);

/// What the log says of an event beside its kind: what it is about, what it made of it, and by whom. No keys, tokens
/// or hashes. Names of users and workers are those that `farm` has.
[[nodiscard]] std::vector<runtime::LogField> log_fields_of(const farm::Event& event, const farm::Farm& farm);

/// Writes a line for each durable event. Costs next to nothing for those whose level is not written.
/// Thread: the coordinator's strand.
class EventLog final : public Listener {
 public:
  /// Listens to `coordinator` from now on, which outlives it.
  explicit EventLog(Coordinator* coordinator) : coordinator_(*coordinator) { coordinator_.add_listener(this); }

  void on_durable(const farm::Events& events, const farm::Touched& touched) override;

 private:
  Coordinator& coordinator_;
};

}  // namespace boruta::server

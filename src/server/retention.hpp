#pragma once

#include "server/coordinator.hpp"
#include "server/event_feed.hpp"

namespace boruta::server {

/// Has the farm and its journal forget what is older than it need be: requests that ended (as the farm's policy says),
/// and events, behind a checkpoint. It takes small slices with pauses between them, so that nobody has to wait for it
/// and a long backlog is worked off in the background.
/// Threads: the coordinator's strand.
class Retention {
 public:
  /// `keep_events` zero: for ever.
  Retention(Coordinator* coordinator, Committer* committer, EventFeed* feed, Duration keep_events)
      : coordinator_(*coordinator), committer_(*committer), feed_(*feed), keep_events_(keep_events) {}

  /// Learns what the journal keeps, before anybody asks the feed.
  Task<void> begin();
  /// After `begin`, until it is cancelled or the coordinator stops.
  Task<void> run();

 private:
  struct Pace {
    /// Between two looks whether there is something to do.
    Duration step;
    /// Between two checkpoints, so that no more than this is kept beyond the age.
    Duration checkpoint;
  };

  [[nodiscard]] Pace pace() const;
  [[nodiscard]] bool has_old_requests() const;
  [[nodiscard]] store::TidyOrder order() const;
  // All of them: false when the server stops.
  Task<bool> pass();
  Task<bool> forget_requests();
  Task<bool> tidy();
  /// Leaves the others at least three quarters of the time.
  Task<bool> rest(Instant since);

  Coordinator& coordinator_;
  Committer& committer_;
  EventFeed& feed_;
  Duration keep_events_;
};

}  // namespace boruta::server

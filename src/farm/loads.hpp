#pragma once

#include <cstddef>
#include <unordered_map>

#include "base/ids.hpp"
#include "base/instant.hpp"

namespace boruta::farm {

/// What each owner has waiting and running, and how much of the farm it has used.
///
/// Use is counted in seconds that jobs held a worker. Those of a running job count in full; those of a job that ended
/// count half as much with every half-life that has passed since (decayed use, as in the fair share of batch systems).
///
/// So that nothing has to be decayed one by one, what is past is kept as it would count at an epoch: all of it shrinks
/// by the same factor.
class Loads {
 public:
  explicit Loads(Duration half_life) : half_life_(half_life) {}

  void add_waiting(UserId owner, int change);
  /// One more job that started at `started` (wall) runs, or one less.
  void add_running(UserId owner, Instant started, int change);
  /// A job has ended (wall).
  void finish(UserId owner, Instant started, Instant ended);

  [[nodiscard]] std::size_t waiting(UserId owner) const;
  [[nodiscard]] std::size_t running(UserId owner) const;
  /// Seconds, at `now` (wall).
  [[nodiscard]] double use(UserId owner, Instant now) const { return use(owner, now, shrink(now)); }
  /// The same for who asks for many: `shrink` is that of `now`.
  [[nodiscard]] double use(UserId owner, Instant now, double shrink) const;
  /// By how much what counts 1 at the epoch counts at `at`.
  [[nodiscard]] double shrink(Instant at) const;

 private:
  __extension__ using Nanoseconds = __int128;

  struct Load {
    std::size_t waiting = 0;
    std::size_t running = 0;
    /// Sum of the starts of running jobs, since 1970.
    Nanoseconds starts = 0;
    /// Seconds of ended jobs, as they count at the epoch.
    double past = 0;
  };

  Duration half_life_;
  Instant epoch_{};
  std::unordered_map<UserId, Load> loads_;
};

}  // namespace boruta::farm

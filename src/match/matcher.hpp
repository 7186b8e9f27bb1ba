#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "farm/farm.hpp"

namespace boruta::match {

/// Where a waiting request stands among those it competes with: requests that share a worker which could serve both.
struct Standing {
  std::size_t position = 0;   ///< from 1
  std::size_t competing = 0;  ///< itself included
  std::size_t fits = 0;       ///< registered workers that could serve it
  std::size_t fits_idle = 0;  ///< of those, the ones that are free
};

/// A request that waits, or one that somebody thinks of filing.
struct Ask {
  SharedDemand demand;
  UserId owner{};
  farm::Priority priority;
  /// When it may start (wall).
  Instant valid_after{};
  /// Nothing: it is not filed.
  std::optional<RequestId> id;
};

[[nodiscard]] Ask ask_of(const farm::Request& request);

/// What stands between a request and its worker.
struct Competition {
  Standing standing;
  /// Requests that come before it now, first come first; at most as many as people read.
  std::vector<RequestId> ahead;
  /// All that may be served before it as long as nobody files another: those ahead, those that may overtake it in a
  /// fair queue, those whose ValidAfter has not come.
  std::vector<RequestId> rivals;
  /// The others that share a worker with it: they come first only once they are overdue.
  std::vector<RequestId> behind;
  /// It goes first because it is overdue.
  bool overdue = false;
};

inline constexpr std::size_t kMostShownAhead = 10;

/// Chooses which request gets which worker. Its index follows the farm and can be built anew from it at any time.
///
/// Requests with the same demand and owner groups share a *signature*, workers with the same capabilities (UUID and
/// name apart) and groups a *class*; whether a signature fits a class is decided once. Each signature has its own
/// queue, so a match costs as much behind an empty queue as behind a long one. In a fair queue, and for owners under a
/// ceiling on running jobs, a signature belongs to one owner.
///
/// Invariant between commands: no ready request waits while an idle, connected worker could serve it, unless its owner
/// is at a ceiling or no tunnel port is free. So only what has just changed, new requests and newly idle workers, is
/// ever looked at.
///
/// Pure, like the farm. Thread: whoever owns it.
class Matcher {
 public:
  Matcher(const farm::Farm& farm, Now now);
  Matcher(const Matcher&) = delete;
  Matcher& operator=(const Matcher&) = delete;
  ~Matcher();

  /// Follows the farm. REQUIRES: called after every event, with what it touched.
  void observe(const farm::Farm& farm, const farm::Touched& touched, Now now);

  /// The next thing that matching makes of the farm at `now`: a job that starts, requests that became servable or
  /// INVALID. None: nothing is left to do. Apply it, observe, and ask again.
  [[nodiscard]] farm::Events next(const farm::Farm& farm, Now now);

  /// When a request becomes ready or overdue (wall) or INVALID (lease) by itself.
  [[nodiscard]] farm::NextDeadline next_deadline() const;

  /// REQUIRES: the request is WAITING.
  [[nodiscard]] Standing standing(const farm::Farm& farm, RequestId id, Now now) const;
  /// REQUIRES: ask.id is nothing or a request that is WAITING.
  [[nodiscard]] Competition competition(const farm::Farm& farm, const Ask& ask, Now now) const;

  [[nodiscard]] std::size_t signature_count() const;
  [[nodiscard]] std::size_t class_count() const;

 private:
  class Index;
  std::unique_ptr<Index> index_;
};

/// What a request needs of a worker.
struct Needs {
  /// Never null. Compared by address: equal demands are one object.
  SharedDemand demand;
  Groups owner_groups;
  /// Its owner is an admin, or access control is off: groups restrict nothing.
  bool any_group = false;
  /// Where owners have to be told apart: in a fair queue, and under ceilings on running jobs.
  std::optional<UserId> owner;

  friend bool operator==(const Needs&, const Needs&) = default;
};

[[nodiscard]] Needs needs_of(const farm::Farm& farm, const SharedDemand& demand, UserId owner);
/// Whether groups let the worker serve it.
[[nodiscard]] bool admits(const Needs& needs, const Groups& worker_groups);
/// Whether the worker offers what is asked for and groups let it serve.
[[nodiscard]] bool fits(const Needs& needs, const farm::Worker& worker);
/// Surplus of a worker, the same for every request: the best worker is the one that fits and has least to offer
/// beyond, ties go to the one idle longest, then to the lowest UUID.
[[nodiscard]] std::size_t surplus_of(const farm::Worker& worker);

/// Since when a request could be served, as far as it concerns itself (wall).
[[nodiscard]] Instant ready_since(const farm::Request& request);

}  // namespace boruta::match

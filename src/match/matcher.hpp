#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <utility>
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

/// Chooses which request gets which worker. Its index follows the farm and can be built anew from it at any time.
///
/// Requests with the same requirements and owner groups share a *signature*, workers with the same capabilities (UUID
/// and name apart) and groups a *class*; whether a signature fits a class is decided once. Each signature has its own
/// queue, so a match costs as much behind an empty queue as behind a long one.
///
/// Invariant between commands: no ready request waits while an idle, connected worker could serve it. So only what
/// has just changed, new requests and newly idle workers, is ever looked at.
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

  /// When a request becomes ready (wall) or INVALID (lease) by itself.
  [[nodiscard]] farm::NextDeadline next_deadline() const;

  /// REQUIRES: the request is WAITING.
  [[nodiscard]] Standing standing(const farm::Farm& farm, RequestId id) const;
  /// How many registered workers could serve a request that asks for `caps`, if `owner` filed it; and how many of
  /// them are free.
  [[nodiscard]] std::pair<std::size_t, std::size_t> count_fitting(const farm::Farm& farm, const Capabilities& caps,
                                                                  UserId owner) const;

  [[nodiscard]] std::size_t signature_count() const;
  [[nodiscard]] std::size_t class_count() const;

 private:
  class Index;
  std::unique_ptr<Index> index_;
};

/// What a request needs of a worker.
struct Needs {
  Capabilities caps;
  Groups owner_groups;
  /// Its owner is an admin, or access control is off: groups restrict nothing.
  bool any_group = false;

  friend auto operator<=>(const Needs&, const Needs&) = default;
};

[[nodiscard]] Needs needs_of(const farm::Farm& farm, const Capabilities& caps, UserId owner);
[[nodiscard]] bool fits(const Needs& needs, const farm::Worker& worker);
/// Surplus of a worker, the same for every request: the best worker is the one that fits and has least to offer
/// beyond, ties go to the one idle longest, then to the lowest UUID.
[[nodiscard]] std::size_t surplus_of(const farm::Worker& worker);

}  // namespace boruta::match

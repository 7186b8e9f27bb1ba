#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "farm/farm.hpp"
#include "match/matcher.hpp"

/// What matching should do, said as plainly as possible: every request and every worker is looked at, each time.
namespace boruta::property {

struct Match {
  RequestId request;
  WorkerUuid worker;

  friend bool operator==(const Match&, const Match&) = default;
};

/// Whether `left` is served before `right`, both ready: by what is overdue, priority, the owner's use and id.
[[nodiscard]] bool comes_before(const farm::Farm& farm, const farm::Request& left, const farm::Request& right, Now now);

/// Where a waiting request stands, counted one by one.
[[nodiscard]] match::Standing standing(const farm::Farm& farm, const farm::Request& request, Now now);

/// The match that is due now: of the requests that are ready, that no ceiling holds and that some idle, connected
/// worker could serve, the first; of those workers the best.
[[nodiscard]] std::optional<Match> next_match(const farm::Farm& farm, Now now);

}  // namespace boruta::property

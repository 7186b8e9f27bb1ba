#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "farm/farm.hpp"

/// What matching should do, said as plainly as possible: every request and every worker is looked at, each time.
namespace boruta::property {

struct Match {
  RequestId request;
  WorkerUuid worker;

  friend bool operator==(const Match&, const Match&) = default;
};

/// The match that is due now: of the requests that are ready and that some idle, connected worker could serve, the
/// first by priority and id; of those workers the best.
[[nodiscard]] std::optional<Match> next_match(const farm::Farm& farm, Now now);

}  // namespace boruta::property

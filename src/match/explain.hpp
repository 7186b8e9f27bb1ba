#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "match/matcher.hpp"

/// Why a request waits, and how long at most: for people. Pure, like the farm.
namespace boruta::match {

/// What a worker is to a request. Each worker is exactly one of these; the first that holds, from below.
enum class Fitness : std::uint8_t {
  kFree,          ///< could serve it now
  kPreparing,     ///< fits, and is made ready
  kBusy,          ///< fits, and serves another job
  kOutOfService,  ///< fits, but is in maintenance, failed, lost, or will be once its job has ended
  kReserved,      ///< offers what is asked for, to other groups
  kAlmostFits,    ///< misses one thing only
  kDoesNotFit,
};

/// As the API writes them: "free", "out of service", …
[[nodiscard]] std::string_view to_string(Fitness fitness);

/// One thing that a worker lacks.
struct Miss {
  std::string capability;
  /// What it has there; nothing: it is not there.
  std::optional<std::string> has;
  /// "ram is 2GiB, needs >= 4GiB"
  std::string text;
};

struct WorkerVerdict {
  WorkerUuid worker;
  Fitness fitness = Fitness::kDoesNotFit;
  /// kPreparing, kBusy: by when it is free, as far as one can tell (lease clock).
  std::optional<Instant> until;
  /// kBusy: the request that it serves.
  std::optional<RequestId> job;
  /// kBusy: why that one came first. kOutOfService: what is wrong. kReserved: for whom. May be empty.
  std::string detail;
  /// kAlmostFits, kDoesNotFit: what is missing.
  std::vector<Miss> misses;
};

/// A request that comes first, and why: "more important: priority 4", "filed earlier".
struct AheadRequest {
  RequestId id;
  std::string why;
};

struct Estimate {
  /// By when the request has a worker (lease clock), if
  ///   - no request that would come before it is filed, none that waits is changed, and nobody's rights are;
  ///   - no job is prolonged; the first acquisition of a job does not count as prolonging it;
  ///   - the workers that fit and are in service stay so, and their agents answer in time.
  /// Nothing: see `unknown`.
  std::optional<Instant> not_later_than;
  /// The same if all jobs are prolonged as far as they go.
  std::optional<Instant> at_worst;
  /// Why nothing can be said; empty if something is.
  std::string unknown;
};

struct Explanation {
  Standing standing;
  /// Why it is not served whatever workers there are; empty: nothing holds it.
  std::string held;
  /// Every registered worker, the best first.
  std::vector<WorkerVerdict> workers;
  std::vector<AheadRequest> ahead;
  Estimate estimate;
};

/// REQUIRES: ask.id is nothing or a request that is WAITING.
[[nodiscard]] Explanation explain(const farm::Farm& farm, const Matcher& matcher, const Ask& ask, Now now);

/// The estimate alone.
///
/// As long as the request waits, each worker that fits is busy with the job that it runs now or with requests that come
/// before (an idle one would serve the request). So when it starts, the work of those that come before has filled all
/// these workers up to that instant: no later than the level to which pouring all that work onto them would rise
/// (Graham's bound for list scheduling). And n requests can keep n workers at most: it starts no later than the
/// (n + 1)th of the workers is free for the first time.
[[nodiscard]] Estimate estimate(const farm::Farm& farm, const Competition& competition, const Ask& ask, Now now);

}  // namespace boruta::match

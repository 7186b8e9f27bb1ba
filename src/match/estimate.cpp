#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "farm/ceilings.hpp"
#include "match/explain.hpp"

namespace boruta::match {
namespace {

/// How long jobs may last: as they stand, or prolonged as far as they go.
enum class Lengths : std::uint8_t { kUnprolonged, kLongest };

/// When the running job is over, if it is acquired at the last moment.
Instant end_of(const farm::Request& request, Lengths lengths) {
  const auto& job = *request.job;
  if (lengths == Lengths::kLongest) return job.timeout_max;
  return job.claim_by ? std::min(std::max(job.timeout, *job.claim_by + request.lease), job.timeout_max) : job.timeout;
}

/// How long the waiting request can keep a worker.
Duration length_of(const farm::Request& request, const farm::Policy& policy, Lengths lengths) {
  const auto job = lengths == Lengths::kLongest ? policy.lease_max
                                                : std::min(request.claim_within + request.lease, policy.lease_max);
  return job + policy.respond_within;
}

/// When the worker is free for the first time; nothing if it will not be.
std::optional<Instant> free_at(const farm::Farm& farm, const farm::Worker& worker, Lengths lengths, Now now) {
  if (!worker.connected || worker.lost || worker.draining || worker.pending) return std::nullopt;
  if (worker.state == farm::WorkerState::kIdle) return now.lease;
  if (worker.state == farm::WorkerState::kPrepare) return worker.respond_by;
  if (worker.state != farm::WorkerState::kRunning) return std::nullopt;
  return end_of(*farm.find_open_request(*worker.job), lengths) + farm.policy().respond_within;
}

/// Work that others may do on the workers that fit, poured onto them.
class Level {
 public:
  explicit Level(std::vector<Instant> free) : free_(std::move(free)) { std::ranges::sort(free_); }

  void pour(Duration work) {
    work_ += work;
    ++requests_;
  }

  [[nodiscard]] Instant height() const {
    auto left = work_;
    auto height = free_.front();
    for (std::size_t filled = 1; filled <= free_.size(); ++filled) {
      const bool last = filled == free_.size();
      const auto step = last ? Duration::max() : free_[filled] - height;
      const auto share = left / static_cast<std::int64_t>(filled) + Duration(1);
      if (left == Duration::zero()) break;
      if (share <= step) {
        height += share;
        break;
      }
      height += step;
      left -= step * static_cast<std::int64_t>(filled);
    }
    return requests_ < free_.size() ? std::min(height, free_[requests_]) : height;
  }

 private:
  std::vector<Instant> free_;
  Duration work_{};
  std::size_t requests_ = 0;
};

std::optional<Instant> bound(const farm::Farm& farm, const Competition& competition, const Ask& ask, Lengths lengths,
                             Now now) {
  const auto& policy = farm.policy();
  const auto needs = needs_of(farm, ask.demand, ask.owner);
  const auto length = [&](RequestId id) { return length_of(*farm.find_open_request(id), policy, lengths); };
  // Until it is ready even those behind it may take workers: one job each may reach beyond.
  const auto ready_in = std::max(ask.valid_after - now.wall, Duration::zero());
  auto earliest = now.lease + ready_in;
  if (ready_in > Duration::zero()) {
    Duration longest{};
    for (const auto* others : {&competition.rivals, &competition.behind}) {
      for (const auto id : *others) longest = std::max(longest, length(id));
    }
    earliest += longest;
  }
  std::vector<Instant> free;
  for (const auto& [uuid, worker] : farm.workers()) {
    const auto at = fits(needs, worker) ? free_at(farm, worker, lengths, now) : std::nullopt;
    if (at) free.push_back(std::max(*at, earliest));
  }
  if (free.empty()) return std::nullopt;
  Level level(std::move(free));
  for (const auto id : competition.rivals) level.pour(length(id));
  if (policy.overdue_after == Duration::zero()) return level.height();
  // Those behind that are overdue by then may come first as well.
  std::vector<std::pair<Instant, RequestId>> overdue;
  for (const auto id : competition.behind) {
    const auto at = ready_since(*farm.find_open_request(id)) + policy.overdue_after;
    overdue.emplace_back(now.lease + std::max(at - now.wall, Duration::zero()), id);
  }
  std::ranges::sort(overdue);
  for (const auto& [at, id] : overdue) {
    if (at > level.height()) break;
    level.pour(length(id));
  }
  return level.height();
}

std::string why_unknown(const farm::Farm& farm, const Competition& competition, const Ask& ask) {
  if (farm::may_reach_running_ceiling(farm, ask.owner, ask.id ? 0 : 1)) {
    return "a ceiling on running jobs may hold it";
  }
  const auto& policy = farm.policy();
  if (std::size_t{policy.last_tunnel_port} - policy.first_tunnel_port + 1 < farm.workers().size()) {
    return "there are fewer tunnel ports than workers";
  }
  if (competition.standing.fits == 0) return "no registered worker fits";
  return {};
}

}  // namespace

Estimate estimate(const farm::Farm& farm, const Competition& competition, const Ask& ask, Now now) {
  Estimate estimate{.unknown = why_unknown(farm, competition, ask)};
  if (!estimate.unknown.empty()) return estimate;
  estimate.not_later_than = bound(farm, competition, ask, Lengths::kUnprolonged, now);
  estimate.at_worst = bound(farm, competition, ask, Lengths::kLongest, now);
  if (!estimate.not_later_than) estimate.unknown = "none of the workers that fit is in service";
  return estimate;
}

}  // namespace boruta::match

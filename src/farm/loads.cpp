#include "farm/loads.hpp"

#include <algorithm>
#include <chrono>
#include <cmath>

namespace boruta::farm {
namespace {

using Seconds = std::chrono::duration<double>;

/// Beyond so many half-lives from the epoch, numbers would get too large: it moves.
constexpr double kFarthest = 256;

}  // namespace

double Loads::shrink(Instant at) const { return std::exp2(-Seconds(at - epoch_) / Seconds(half_life_)); }

void Loads::add_waiting(UserId owner, int change) { loads_[owner].waiting += static_cast<std::size_t>(change); }

void Loads::add_running(UserId owner, Instant started, int change) {
  auto& load = loads_[owner];
  load.running += static_cast<std::size_t>(change);
  load.starts += Nanoseconds{change} * started.time_since_epoch().count();
}

void Loads::finish(UserId owner, Instant started, Instant ended) {
  if (Seconds(ended - epoch_) / Seconds(half_life_) > kFarthest) {
    const double factor = shrink(ended);
    for (auto& [id, load] : loads_) load.past *= factor;
    epoch_ = ended;
  }
  loads_[owner].past += Seconds(std::max(ended - started, Duration::zero())).count() / shrink(ended);
}

std::size_t Loads::waiting(UserId owner) const {
  const auto found = loads_.find(owner);
  return found == loads_.end() ? 0 : found->second.waiting;
}

std::size_t Loads::running(UserId owner) const {
  const auto found = loads_.find(owner);
  return found == loads_.end() ? 0 : found->second.running;
}

double Loads::use(UserId owner, Instant now, double shrink) const {
  const auto found = loads_.find(owner);
  if (found == loads_.end()) return 0;
  const auto& load = found->second;
  const auto present =
      Nanoseconds{static_cast<std::int64_t>(load.running)} * now.time_since_epoch().count() - load.starts;
  constexpr double kPerSecond = 1e9;
  return static_cast<double>(present) / kPerSecond + (load.past == 0 ? 0 : load.past * shrink);
}

}  // namespace boruta::farm

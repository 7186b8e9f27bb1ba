#include "cli/fitting.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "cli/quoting.hpp"
#include "cli/text.hpp"

namespace boruta::cli {
namespace {

using client::WorkerInfo;
using client::WorkerState;

constexpr std::size_t kGroupsShown = 3;

/// What the worker has where it differs: "board=rpi4", "no camera".
std::vector<std::string> differences(const WorkerInfo& worker, const Capabilities& wanted) {
  std::vector<std::string> found;
  for (const auto& [key, value] : wanted) {
    const auto own = worker.caps.find(key);
    if (own == worker.caps.end()) {
      found.push_back(fmt::format("no {}", printable(key)));
    } else if (own->second != value) {
      found.push_back(describe_caps({{key, own->second}}));
    }
  }
  return found;
}

bool serves(const WorkerInfo& worker, const Groups& groups, bool any_group) {
  return any_group || worker.groups.empty() || intersects(worker.groups, groups);
}

}  // namespace

bool offers(const WorkerInfo& worker, const Capabilities& wanted) {
  return std::ranges::all_of(wanted, [&](const auto& pair) {
    const auto own = worker.caps.find(pair.first);
    return own != worker.caps.end() && own->second == pair.second;
  });
}

std::optional<std::string> explain_no_fit(const std::vector<WorkerInfo>& workers, const Capabilities& wanted) {
  if (workers.empty()) return "no worker is registered";
  std::size_t fewest = wanted.size() + 1;
  std::map<std::string, std::size_t> nearest;
  for (const auto& worker : workers) {
    const auto lacking = differences(worker, wanted);
    if (lacking.empty()) return std::nullopt;
    if (lacking.size() > fewest) continue;
    if (lacking.size() < fewest) nearest.clear();
    fewest = lacking.size();
    ++nearest[join_and(lacking)];
  }
  const auto asked = describe_caps(wanted);
  // Those that share nothing with the wish are no help where more than one thing was asked for.
  if (wanted.size() > 1 && fewest == wanted.size())
    return fmt::format("no registered worker has {}, or any of it", asked);
  std::vector<std::pair<std::string, std::size_t>> sorted(nearest.begin(), nearest.end());
  std::ranges::sort(sorted, [](const auto& left, const auto& right) {
    return left.second != right.second ? left.second > right.second : left.first < right.first;
  });
  std::vector<std::string> shown;
  for (const auto& [what, count] : sorted) {
    if (shown.size() < kGroupsShown) shown.push_back(fmt::format("{} with {}", count, what));
  }
  const bool one = sorted.size() == 1 && sorted.front().second == 1;
  return fmt::format("no registered worker has {}; the nearest {} {}", asked, one ? "is" : "are", join_and(shown));
}

std::string explain_no_group(const std::vector<WorkerInfo>& workers, const Capabilities& wanted) {
  Groups groups;
  std::uint64_t count = 0;
  for (const auto& worker : workers) {
    if (!offers(worker, wanted)) continue;
    ++count;
    groups.insert(groups.end(), worker.groups.begin(), worker.groups.end());
  }
  normalize(groups);
  if (count == 0) return fmt::format("no registered worker has {}", describe_caps(wanted));
  const auto has = fmt::format("{} {}", plural(count, "worker has", "workers have"), describe_caps(wanted));
  return fmt::format("{}, but {} only {} {}, {}", has, count == 1 ? "it serves" : "they serve",
                     groups.size() == 1 ? "the group" : "the groups", printable(join_and(groups)),
                     groups.size() == 1 ? "which you are not in" : "and you are in none of them");
}

FitCount count_fits(const std::vector<WorkerInfo>& workers, const Capabilities& wanted, const Groups& groups,
                    bool any_group) {
  FitCount count;
  for (const auto& worker : workers) {
    if (!offers(worker, wanted) || !serves(worker, groups, any_group)) continue;
    const bool running = worker.state == WorkerState::kRunning;
    if (running || (worker.state == WorkerState::kPrepare && worker.connected)) {
      ++count.busy;
    } else if (worker.state == WorkerState::kIdle && worker.connected) {
      ++count.idle;
    } else {
      ++count.out_of_service;
    }
  }
  return count;
}

}  // namespace boruta::cli

#include "match/explain.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <tuple>

#include "farm/ceilings.hpp"

namespace boruta::match {
namespace {

constexpr std::string_view kBoardCap = "board";

struct Misses {
  std::vector<Miss> all;
  std::size_t met = 0;
  /// One of them is about which board it is.
  bool wrong_board = false;
  /// All of them are of a capability that is there, but too much or too little.
  bool all_measured = true;
};

Misses misses_of(const Demand& demand, const Capabilities& offered) {
  Misses misses;
  for (const auto& [key, value] : demand.caps) {
    const auto found = offered.find(key);
    if (found != offered.end() && found->second == value) {
      ++misses.met;
      continue;
    }
    misses.wrong_board = misses.wrong_board || key == kBoardCap;
    misses.all_measured = false;
    misses.all.push_back(
        found == offered.end()
            ? Miss{.capability = key, .has = std::nullopt, .text = fmt::format("has no {}", key)}
            : Miss{.capability = key, .has = found->second, .text = fmt::format("{} is {}", key, found->second)});
  }
  for (const auto& requirement : demand.requirements) {
    if (meets(offered, requirement)) {
      ++misses.met;
      continue;
    }
    const auto comparison = requirement.comparison;
    const bool ordering = comparison == Comparison::kRange ||
                          (comparison >= Comparison::kLess && comparison <= Comparison::kGreaterOrEqual);
    misses.all_measured = misses.all_measured && ordering && offered.contains(requirement.capability);
    misses.wrong_board = misses.wrong_board || requirement.capability == kBoardCap;
    const auto own = offered.find(requirement.capability);
    misses.all.push_back(Miss{.capability = requirement.capability,
                              .has = own == offered.end() ? std::nullopt : std::optional(own->second),
                              .text = describe_miss(offered, requirement)});
  }
  return misses;
}

/// One miss, unless it is the board itself or all that was asked for.
bool almost_fits(const Misses& misses) {
  return misses.all.size() == 1 && !misses.wrong_board && (misses.met > 0 || misses.all_measured);
}

std::string group_list(const Groups& groups) {
  return fmt::format("serves {} {} only", groups.size() == 1 ? "group" : "groups", fmt::join(groups, ", "));
}

/// Why a worker that fits is not to be had, nor will be; empty if that is not so.
std::string out_of_service(const farm::Worker& worker) {
  switch (worker.state) {
    case farm::WorkerState::kMaintenance:
    case farm::WorkerState::kBusy:
    case farm::WorkerState::kFailed:
      return farm::reason_of(worker);
    case farm::WorkerState::kIdle:
    case farm::WorkerState::kPrepare:
    case farm::WorkerState::kRunning:
      break;
  }
  if (!worker.connected) return "its agent is not connected";
  if (worker.draining) {
    return fmt::format("goes into maintenance when its job has ended{}{}", worker.drain_reason.empty() ? "" : ": ",
                       worker.drain_reason);
  }
  return worker.pending ? "goes into maintenance when its job has ended: its capabilities changed" : "";
}

/// Why `first`, which runs while `ask` waits, came before it; empty if it was there first, or if that cannot be told
/// any more.
std::string why_started_first(const farm::Farm& farm, const farm::Request& first, const Ask& ask) {
  const auto* own = ask.id ? farm.find_open_request(*ask.id) : nullptr;
  if (own == nullptr) return {};
  if (first.job->started <= ready_since(*own)) return {};
  if (first.job->overdue) {
    return fmt::format("it had waited for more than {}", format_duration(farm.policy().overdue_after));
  }
  if (first.priority < own->priority) return fmt::format("it is more important: priority {}", first.priority.value);
  return first.id < own->id ? "it was filed earlier" : "";
}

std::string why_ahead(const farm::Farm& farm, const farm::Request& first, const Ask& ask, Now now) {
  if (first.priority < ask.priority) return fmt::format("more important: priority {}", first.priority.value);
  const auto overdue = [&] {
    return fmt::format("has waited for more than {}", format_duration(farm.policy().overdue_after));
  };
  if (first.priority > ask.priority) return overdue();
  const bool fair = farm.policy().order == farm::QueueOrder::kFair;
  if (fair && farm.loads().use(first.owner, now.wall) < farm.loads().use(ask.owner, now.wall)) {
    const auto* owner = farm.find_user(first.owner);
    return fmt::format("{} has used the farm less of late", owner == nullptr ? "its owner" : owner->name);
  }
  return !ask.id || first.id < *ask.id ? "filed earlier" : overdue();
}

std::string held_by(const farm::Farm& farm, const Ask& ask) {
  if (const auto reached = farm::reached_running_ceiling(farm, ask.owner)) {
    const auto* owner = farm.find_user(ask.owner);
    const auto whose = reached->group.empty() ? (owner == nullptr ? "its owner" : owner->name)
                                              : fmt::format("group {}", reached->group);
    return fmt::format("{} has {} {} running, at most {} {} allowed", whose, reached->reached,
                       reached->reached == 1 ? "job" : "jobs", reached->ceiling, reached->ceiling == 1 ? "is" : "are");
  }
  return farm.free_tunnel_port() ? "" : "no tunnel port is free: the server's tunnel.ports is too small for its jobs";
}

WorkerVerdict judge(const farm::Farm& farm, const farm::Worker& worker, const Needs& needs, const Ask& ask, Now now) {
  WorkerVerdict verdict{.worker = worker.uuid};
  auto misses = misses_of(*ask.demand, worker.registration.caps);
  if (!misses.all.empty()) {
    verdict.fitness = almost_fits(misses) ? Fitness::kAlmostFits : Fitness::kDoesNotFit;
    verdict.misses = std::move(misses.all);
    return verdict;
  }
  if (!admits(needs, farm::groups_of(worker))) {
    verdict.fitness = Fitness::kReserved;
    verdict.detail = group_list(farm::groups_of(worker));
    return verdict;
  }
  const bool in_service = worker.state == farm::WorkerState::kIdle || worker.state == farm::WorkerState::kPrepare ||
                          worker.state == farm::WorkerState::kRunning;
  verdict.detail = out_of_service(worker);
  if (!in_service || !verdict.detail.empty()) {
    verdict.fitness = Fitness::kOutOfService;
    return verdict;
  }
  if (worker.state == farm::WorkerState::kIdle) {
    verdict.fitness = Fitness::kFree;
  } else if (worker.state == farm::WorkerState::kPrepare) {
    verdict.fitness = Fitness::kPreparing;
    verdict.until = worker.respond_by;
  } else {
    const auto& request = *farm.find_open_request(*worker.job);
    verdict.fitness = Fitness::kBusy;
    verdict.job = request.id;
    verdict.until = std::max(farm::end_of(*request.job, farm.policy()), now.lease);
    verdict.detail = why_started_first(farm, request, ask);
  }
  return verdict;
}

}  // namespace

std::string_view to_string(Fitness fitness) {
  switch (fitness) {
    case Fitness::kFree:
      return "free";
    case Fitness::kPreparing:
      return "preparing";
    case Fitness::kBusy:
      return "busy";
    case Fitness::kOutOfService:
      return "out of service";
    case Fitness::kReserved:
      return "reserved";
    case Fitness::kAlmostFits:
      return "almost fits";
    case Fitness::kDoesNotFit:
      return "does not fit";
  }
  return "does not fit";
}

Explanation explain(const farm::Farm& farm, const Matcher& matcher, const Ask& ask, Now now) {
  const auto competition = matcher.competition(farm, ask, now);
  Explanation explanation{.standing = competition.standing, .held = held_by(farm, ask)};
  const auto needs = needs_of(farm, ask.demand, ask.owner);
  for (const auto& [uuid, worker] : farm.workers()) {
    explanation.workers.push_back(judge(farm, worker, needs, ask, now));
  }
  std::ranges::stable_sort(explanation.workers, {}, [](const WorkerVerdict& verdict) {
    return std::tuple(verdict.fitness, verdict.until.value_or(Instant{}), verdict.misses.size());
  });
  for (const auto id : competition.ahead) {
    explanation.ahead.push_back(AheadRequest{.id = id, .why = why_ahead(farm, *farm.find_open_request(id), ask, now)});
  }
  explanation.estimate = estimate(farm, competition, ask, now);
  return explanation;
}

}  // namespace boruta::match

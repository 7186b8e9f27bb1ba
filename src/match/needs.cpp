#include <algorithm>

#include "farm/ceilings.hpp"
#include "match/matcher.hpp"

namespace boruta::match {

Ask ask_of(const farm::Request& request) {
  return Ask{.demand = request.demand,
             .owner = request.owner,
             .priority = request.priority,
             .valid_after = request.valid_after.at,
             .id = request.id};
}

Needs needs_of(const farm::Farm& farm, const SharedDemand& demand, UserId owner) {
  const auto* user = farm.find_user(owner);
  const bool any_group = !farm.policy().access_control || (user != nullptr && user->role == farm::Role::kAdmin);
  const bool apart = farm.policy().order == farm::QueueOrder::kFair || farm::has_running_ceiling(farm, owner);
  return Needs{.demand = demand,
               .owner_groups = any_group || user == nullptr ? Groups{} : user->groups,
               .any_group = any_group,
               .owner = apart ? std::optional(owner) : std::nullopt};
}

bool admits(const Needs& needs, const Groups& worker_groups) {
  return needs.any_group || worker_groups.empty() || intersects(needs.owner_groups, worker_groups);
}

bool fits(const Needs& needs, const farm::Worker& worker) {
  return meets(worker.registration.caps, *needs.demand) && admits(needs, farm::groups_of(worker));
}

std::size_t surplus_of(const farm::Worker& worker) {
  const auto& caps = worker.registration.caps;
  return caps.size() - caps.count(kUuidCap) - caps.count(kNameCap) + farm::groups_of(worker).size();
}

Instant ready_since(const farm::Request& request) { return std::max(request.created, request.valid_after.at); }

}  // namespace boruta::match

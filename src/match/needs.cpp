#include <algorithm>

#include "match/matcher.hpp"

namespace boruta::match {

Needs needs_of(const farm::Farm& farm, const Capabilities& caps, UserId owner) {
  const auto* user = farm.find_user(owner);
  const bool any_group = !farm.policy().access_control || (user != nullptr && user->role == farm::Role::kAdmin);
  return Needs{
      .caps = caps, .owner_groups = any_group || user == nullptr ? Groups{} : user->groups, .any_group = any_group};
}

bool fits(const Needs& needs, const farm::Worker& worker) {
  const auto& offered = worker.registration.caps;
  const bool has_caps = std::ranges::all_of(needs.caps, [&](const auto& needed) {
    const auto found = offered.find(needed.first);
    return found != offered.end() && found->second == needed.second;
  });
  const auto& groups = farm::groups_of(worker);
  return has_caps && (needs.any_group || groups.empty() || intersects(needs.owner_groups, groups));
}

std::size_t surplus_of(const farm::Worker& worker) {
  const auto& caps = worker.registration.caps;
  return caps.size() - caps.count(kUuidCap) - caps.count(kNameCap) + farm::groups_of(worker).size();
}

}  // namespace boruta::match

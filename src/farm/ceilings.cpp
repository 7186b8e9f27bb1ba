#include "farm/ceilings.hpp"

#include <algorithm>

namespace boruta::farm {
namespace {

/// Calls `visit(group, ceilings)` for the owner's own, with an empty name, and for those of its groups.
template <class Visit>
void for_each_ceilings(const Farm& farm, UserId owner, Visit visit) {
  const auto* user = farm.find_user(owner);
  if (user == nullptr) return;
  auto own = user->ceilings;
  const auto usual = farm.policy().waiting_per_user;
  if (!own.waiting && user->role == Role::kUser && usual > 0) own.waiting = usual;
  visit(std::string{}, own);
  if (farm.limited_groups().empty()) return;
  for (const auto& group : user->groups) {
    const auto found = farm.limited_groups().find(group);
    if (found != farm.limited_groups().end()) visit(group, found->second.ceilings);
  }
}

/// What `count` says of the owner, or of all members of `group` together.
template <class Count>
std::size_t sum(const Farm& farm, UserId owner, const std::string& group, Count count) {
  if (group.empty()) return count(owner);
  std::size_t all = 0;
  for (const auto& [id, user] : farm.users()) {
    if (!user.deleted && std::ranges::binary_search(user.groups, group)) all += count(id);
  }
  return all;
}

template <class Count>
std::optional<ReachedCeiling> find_reached(const Farm& farm, UserId owner,
                                           std::optional<std::uint32_t> Ceilings::* ceiling, Count count) {
  std::optional<ReachedCeiling> found;
  for_each_ceilings(farm, owner, [&](const std::string& group, const Ceilings& ceilings) {
    const auto& limit = ceilings.*ceiling;
    if (found || !limit) return;
    const auto reached = sum(farm, owner, group, count);
    if (reached >= *limit) found = ReachedCeiling{.group = group, .ceiling = *limit, .reached = reached};
  });
  return found;
}

}  // namespace

std::optional<ReachedCeiling> priority_ceiling(const Farm& farm, UserId owner) {
  std::optional<ReachedCeiling> strictest;
  for_each_ceilings(farm, owner, [&](const std::string& group, const Ceilings& ceilings) {
    if (!ceilings.priority) return;
    if (strictest && strictest->ceiling >= ceilings.priority->value) return;
    strictest = ReachedCeiling{.group = group, .ceiling = ceilings.priority->value, .reached = 0};
  });
  return strictest;
}

std::optional<ReachedCeiling> reached_running_ceiling(const Farm& farm, UserId owner) {
  return find_reached(farm, owner, &Ceilings::running, [&](UserId id) { return farm.loads().running(id); });
}

std::optional<ReachedCeiling> reached_waiting_ceiling(const Farm& farm, UserId owner) {
  return find_reached(farm, owner, &Ceilings::waiting, [&](UserId id) { return farm.loads().waiting(id); });
}

bool may_reach_running_ceiling(const Farm& farm, UserId owner, std::size_t more) {
  bool found = false;
  for_each_ceilings(farm, owner, [&](const std::string& group, const Ceilings& ceilings) {
    if (!ceilings.running) return;
    const auto open =
        sum(farm, owner, group, [&](UserId id) { return farm.loads().running(id) + farm.loads().waiting(id); });
    found = found || open + more > *ceilings.running;
  });
  return found;
}

bool has_running_ceiling(const Farm& farm, UserId owner) {
  bool found = false;
  for_each_ceilings(farm, owner, [&](const std::string&, const Ceilings& ceilings) {
    found = found || ceilings.running.has_value();
  });
  return found;
}

}  // namespace boruta::farm

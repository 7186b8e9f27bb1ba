#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "farm/farm.hpp"

/// Which ceilings an owner stands under: its own, and those of every group that it is in. The strictest counts.
namespace boruta::farm {

struct ReachedCeiling {
  /// Whose it is; empty: the owner's own.
  std::string group;
  std::uint32_t ceiling = 0;
  /// How many there are: of the owner, or of all members of the group together.
  std::size_t reached = 0;
};

/// The most important priority that the owner may ask for. Nothing: any.
[[nodiscard]] std::optional<ReachedCeiling> priority_ceiling(const Farm& farm, UserId owner);

/// The ceiling on running jobs that keeps the owner's requests waiting, if there is one.
[[nodiscard]] std::optional<ReachedCeiling> reached_running_ceiling(const Farm& farm, UserId owner);
/// The ceiling on waiting requests that keeps the owner from filing another, if there is one.
[[nodiscard]] std::optional<ReachedCeiling> reached_waiting_ceiling(const Farm& farm, UserId owner);

/// Whether a ceiling on running jobs could keep one of the owner's requests waiting, if all that wait now, and `more`
/// that the owner may file, were to run at once.
[[nodiscard]] bool may_reach_running_ceiling(const Farm& farm, UserId owner, std::size_t more);

/// Whether any ceiling on running jobs concerns the owner.
[[nodiscard]] bool has_running_ceiling(const Farm& farm, UserId owner);

}  // namespace boruta::farm

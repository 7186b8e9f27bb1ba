#include "base/caps.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/limits.hpp"

namespace boruta {

void normalize(Groups& groups) {
  std::ranges::sort(groups);
  const auto repeated = std::ranges::unique(groups);
  groups.erase(repeated.begin(), repeated.end());
}

bool intersects(const Groups& left, const Groups& right) {
  auto in_left = left.begin();
  auto in_right = right.begin();
  while (in_left != left.end() && in_right != right.end()) {
    if (*in_left == *in_right) return true;
    if (*in_left < *in_right) {
      ++in_left;
    } else {
      ++in_right;
    }
  }
  return false;
}

bool offers(const Capabilities& offered, const Capabilities& wanted) {
  return std::ranges::all_of(wanted, [&](const auto& needed) {
    const auto found = offered.find(needed.first);
    return found != offered.end() && found->second == needed.second;
  });
}

std::optional<std::string> check_limits(const Capabilities& caps) {
  if (caps.size() > limits::kCapsEntries) {
    return fmt::format("Caps has {} entries, at most {} are allowed", caps.size(), limits::kCapsEntries);
  }
  for (const auto& [key, value] : caps) {
    if (key.empty()) return "Caps has an entry with an empty name";
    if (key.size() > limits::kCapsKeyBytes) {
      return fmt::format("the name of capability \"{}…\" has {} bytes, at most {} are allowed",
                         std::string_view(key).substr(0, 16), key.size(), limits::kCapsKeyBytes);
    }
    if (value.size() > limits::kCapsValueBytes) {
      return fmt::format("capability \"{}\" has a value of {} bytes, at most {} are allowed", key, value.size(),
                         limits::kCapsValueBytes);
    }
  }
  return std::nullopt;
}

std::optional<std::string> check_limits(const Groups& groups) {
  if (groups.size() > limits::kGroups) {
    return fmt::format("Groups has {} entries, at most {} are allowed", groups.size(), limits::kGroups);
  }
  for (const auto& group : groups) {
    if (group.empty()) return "Groups has an empty name";
    if (group.size() > limits::kGroupNameBytes) {
      return fmt::format("the group \"{}…\" has {} bytes, at most {} are allowed",
                         std::string_view(group).substr(0, 16), group.size(), limits::kGroupNameBytes);
    }
  }
  return std::nullopt;
}

std::string format_caps(const Capabilities& caps) {
  std::string text;
  for (const auto& [key, value] : caps) {
    if (!text.empty()) text.push_back(' ');
    text += fmt::format("{}={}", key, value);
  }
  return text;
}

}  // namespace boruta

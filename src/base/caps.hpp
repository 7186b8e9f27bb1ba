#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace boruta {

/// What a worker offers and a request asks for, by name. Names and values are compared byte by byte.
using Capabilities = std::map<std::string, std::string, std::less<>>;

/// Names of groups, sorted and without repetition once they went through `normalize`.
using Groups = std::vector<std::string>;

inline constexpr std::string_view kUuidCap = "UUID";
inline constexpr std::string_view kNameCap = "name";

/// Sorts and drops repetitions.
void normalize(Groups& groups);

/// Whether the two, both normalized, share a group.
[[nodiscard]] bool intersects(const Groups& left, const Groups& right);

/// Whether `offered` has all that `wanted` names, with the same values.
[[nodiscard]] bool offers(const Capabilities& offered, const Capabilities& wanted);

/// Nothing if `caps` are within the limits, else what is wrong, naming the entry and the limit.
[[nodiscard]] std::optional<std::string> check_limits(const Capabilities& caps);
[[nodiscard]] std::optional<std::string> check_limits(const Groups& groups);

/// "board=rpi4 ram=4GiB": in the order of names; empty for none.
[[nodiscard]] std::string format_caps(const Capabilities& caps);

}  // namespace boruta

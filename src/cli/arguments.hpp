#pragma once

#include <expected>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/caps.hpp"
#include "base/ids.hpp"
#include "base/instant.hpp"

/// What is typed, as values. Pure. Errors name the argument and say what is expected.
namespace boruta::cli {

template <class T>
using Parsed = std::expected<T, std::string>;

struct SplitLine {
  /// Up to the first "--", without it.
  std::vector<std::string> arguments;
  /// After it; nothing when there was no "--".
  std::optional<std::vector<std::string>> command;
};

[[nodiscard]] SplitLine split_command(std::span<const std::string> words);

/// KEY=VALUE each, within the API's limits; a key twice is refused.
[[nodiscard]] Parsed<Capabilities> parse_caps(std::span<const std::string> words);

[[nodiscard]] Parsed<RequestId> parse_request_id(std::string_view text);

/// "90m" and the like for `option`; zero is refused.
[[nodiscard]] Parsed<Duration> parse_span(std::string_view option, std::string_view text);

/// A time for `option`: "2h" (from `now`), "17:30" (the next one), "2030-01-02", "2030-01-02 17:30" (local) or RFC
/// 3339.
[[nodiscard]] Parsed<WallTime> parse_when(std::string_view option, std::string_view text, Instant now);

/// Since when, for `option`: "7d" (before `now`), "17:30" (the last one), "2030-01-02", "2030-01-02 17:30" (local) or
/// RFC 3339. As the API takes it; a time that lies ahead is refused.
[[nodiscard]] Parsed<std::string> parse_since(std::string_view option, std::string_view text, Instant now);

}  // namespace boruta::cli

#pragma once

#include <expected>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/ids.hpp"
#include "base/instant.hpp"
#include "base/requirements.hpp"

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

/// What a worker must have, a word each: "board=rpi4" is a capability that must be equal, all else a requirement, as in
/// "ram>=4GiB", "camera" or "voltage=2.9..3.6". The error shows the word, with a mark below what is wrong.
[[nodiscard]] Parsed<Demand> parse_demand(std::span<const std::string> words);

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

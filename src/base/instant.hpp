#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace boruta {

using Duration = std::chrono::nanoseconds;

/// A point in time, in nanoseconds since 1970-01-01T00:00:00Z: from 1678 to 2262.
using Instant = std::chrono::time_point<std::chrono::system_clock, Duration>;

/// The two clocks that the farm is told with every command.
struct Now {
  /// Wall time, which users see and set deadlines by. Never goes back while the server runs.
  Instant wall{};
  /// Leases, grace periods and timeouts of agents run on this one. It equals wall time when the server starts and
  /// then never jumps, whatever is done to the system's clock.
  Instant lease{};

  friend constexpr bool operator==(const Now&, const Now&) = default;
};

/// The earlier of two instants; nothing is later than all.
[[nodiscard]] constexpr std::optional<Instant> earlier(std::optional<Instant> left, std::optional<Instant> right) {
  if (!left || !right) return left ? left : right;
  return *left < *right ? left : right;
}

/// A wall time as a user gave it: the offset comes back as it was written.
struct WallTime {
  Instant at{};
  std::int16_t offset_minutes = 0;

  friend constexpr bool operator==(const WallTime&, const WallTime&) = default;
};

/// RFC 3339 as Go writes it: fraction without trailing zeros, `Z` for offset 0.
[[nodiscard]] std::string format_rfc3339(WallTime time);
[[nodiscard]] std::string format_rfc3339(Instant time);
/// The same, at the end of `out`: for long lists.
void append_rfc3339(std::string& out, WallTime time);
/// RFC 3339 in whole seconds, in UTC.
[[nodiscard]] std::string format_rfc3339_seconds(Instant time);

enum class TimeParseError : std::uint8_t { kSyntax, kOutOfRange };

struct ParsedTime {
  /// Nothing for Go's zero time, 0001-01-01T00:00:00Z, which means "not given".
  std::optional<WallTime> time;
  std::optional<TimeParseError> error;
};

/// Parses RFC 3339 with up to nine digits of fraction. kOutOfRange: a real time before 1678 or after 2261.
[[nodiscard]] ParsedTime parse_rfc3339(std::string_view text);

/// One calendar month after `time`, in UTC; a day that the month lacks runs over into the next, as Go's AddDate does.
[[nodiscard]] Instant add_calendar_month(Instant time);

/// Parses "1h30m", "90s", "500ms", "2d": a sum of numbers with the units d, h, m, s, ms. Nothing if it is anything
/// else, negative, or longer than 100 years. "0" needs no unit.
[[nodiscard]] std::optional<Duration> parse_duration(std::string_view text);

/// The shortest text that parse_duration reads back: "1h30m", "24h", "90s" as "1m30s", "0s".
[[nodiscard]] std::string format_duration(Duration duration);
/// The same as people write it: "1 h 30 m", "24 h", "2 m".
[[nodiscard]] std::string format_duration_spaced(Duration duration);

}  // namespace boruta

#pragma once

#include <cstddef>
#include <cstdint>
#include <ctime>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/instant.hpp"

/// Words and numbers as people read them. Pure, but for `local_time`.
namespace boruta::cli {

/// `text` without anything that a terminal would obey: control characters become U+FFFD. For whatever comes from
/// others.
[[nodiscard]] std::string printable(std::string_view text);

/// How many columns of a terminal `text` fills: UTF-8, wide and combining characters counted as terminals do.
[[nodiscard]] std::size_t display_width(std::string_view text);

/// Fills up with spaces to `columns`; longer text stays as it is.
[[nodiscard]] std::string pad(std::string_view text, std::size_t columns);

/// The longest beginning that fits `columns`, with "…" where something is cut off.
[[nodiscard]] std::string cut(std::string_view text, std::size_t columns);

/// "1 worker", "2 workers".
[[nodiscard]] std::string plural(std::uint64_t count, std::string_view one, std::string_view many);

/// "1st", "2nd", "11th".
[[nodiscard]] std::string ordinal(std::uint64_t number);

/// "8 s", "1 m 03 s", "2 h 05 m", "3 d 04 h"; negative spans are "0 s".
[[nodiscard]] std::string format_span(Duration span);

/// "412 MB", "1.5 kB", "17 B": powers of 1000, three digits at most.
[[nodiscard]] std::string format_bytes(std::uint64_t bytes);

/// The process's local time.
[[nodiscard]] std::tm local_time(Instant time);

/// "14:32" on the same day, "Mon 17:40" within six days, else "2030-01-02". Both in local time.
[[nodiscard]] std::string short_time(const std::tm& then, const std::tm& now);

/// The same from instants, in the process's time zone.
[[nodiscard]] std::string short_time(Instant then, Instant now);

/// Like short_time, to the second and never without the clock: "14:32:07", "Mon 17:40:03", "2030-01-02 17:40:03".
[[nodiscard]] std::string exact_time(const std::tm& then, const std::tm& now);
[[nodiscard]] std::string exact_time(Instant then, Instant now);

/// The one of `known` that `typed` was most likely meant to be; empty when none is near.
[[nodiscard]] std::string nearest_word(std::string_view typed, std::span<const std::string> known);

/// "a, b and c".
[[nodiscard]] std::string join_and(const std::vector<std::string>& words);

/// "label        text": the shape of every line that tells how a request fares.
[[nodiscard]] std::string labelled(std::string_view label, std::string_view text);

}  // namespace boruta::cli

#include "cli/text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <chrono>

namespace boruta::cli {
namespace {

namespace chr = std::chrono;

constexpr std::size_t kLabelColumns = 13;
constexpr std::string_view kReplacement = "\xEF\xBF\xBD";

struct CodePoint {
  char32_t value = 0;
  std::size_t bytes = 1;
  bool valid = false;
};

/// The first code point of `text`, which is not empty; a byte that is no UTF-8 counts for one.
CodePoint decode(std::string_view text) {
  const auto lead = static_cast<unsigned char>(text[0]);
  if (lead < 0x80) return {.value = lead, .bytes = 1, .valid = true};
  const std::size_t bytes = lead >= 0xF0 && lead < 0xF5   ? 4
                            : lead >= 0xE0 && lead < 0xF0 ? 3
                            : lead >= 0xC2 && lead < 0xE0 ? 2
                                                          : 0;
  if (bytes == 0 || text.size() < bytes) return {};
  auto value = static_cast<char32_t>(lead & (0xFFU >> (bytes + 1)));
  for (std::size_t i = 1; i < bytes; ++i) {
    const auto next = static_cast<unsigned char>(text[i]);
    if ((next & 0xC0U) != 0x80U) return {};
    value = (value << 6U) | (next & 0x3FU);
  }
  return {.value = value, .bytes = bytes, .valid = true};
}

struct Range {
  char32_t first;
  char32_t last;
};

constexpr auto kZeroWidth = std::to_array<Range>({{0x300, 0x36F},
                                                  {0x483, 0x489},
                                                  {0x591, 0x5BD},
                                                  {0x610, 0x61A},
                                                  {0x64B, 0x65F},
                                                  {0x200B, 0x200F},
                                                  {0x20D0, 0x20FF},
                                                  {0xFE00, 0xFE0F},
                                                  {0xFE20, 0xFE2F}});
constexpr auto kWide = std::to_array<Range>({{0x1100, 0x115F},
                                             {0x2E80, 0x303E},
                                             {0x3041, 0x33FF},
                                             {0x3400, 0x4DBF},
                                             {0x4E00, 0x9FFF},
                                             {0xA000, 0xA4CF},
                                             {0xAC00, 0xD7A3},
                                             {0xF900, 0xFAFF},
                                             {0xFE30, 0xFE4F},
                                             {0xFF00, 0xFF60},
                                             {0xFFE0, 0xFFE6},
                                             {0x1F300, 0x1F64F},
                                             {0x1F680, 0x1F6FF},
                                             {0x1F900, 0x1F9FF},
                                             {0x20000, 0x3FFFD}});

template <std::size_t N>
bool within(char32_t value, const std::array<Range, N>& ranges) {
  return std::ranges::any_of(ranges, [&](const Range& range) { return value >= range.first && value <= range.last; });
}

std::size_t columns_of(char32_t value) {
  if (within(value, kZeroWidth)) return 0;
  return within(value, kWide) ? 2 : 1;
}

bool is_control(char32_t value) {
  const bool c0_c1 = value < 0x20 || (value >= 0x7F && value < 0xA0);
  // Marks that turn the direction of writing, and line separators.
  const bool format = (value >= 0x202A && value <= 0x202E) || (value >= 0x2066 && value <= 0x2069) || value == 0x2028 ||
                      value == 0x2029;
  return c0_c1 || format;
}

std::size_t edit_distance(std::string_view left, std::string_view right) {
  std::vector<std::size_t> row(right.size() + 1);
  for (std::size_t j = 0; j <= right.size(); ++j) row[j] = j;
  for (std::size_t i = 1; i <= left.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i;
    for (std::size_t j = 1; j <= right.size(); ++j) {
      const std::size_t substituted = diagonal + (left[i - 1] == right[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, substituted});
    }
  }
  return row.back();
}

/// Days since 1970-01-01 of a local date.
chr::sys_days day_of(const std::tm& time) {
  return chr::sys_days{chr::year(time.tm_year + 1900) / chr::month(static_cast<unsigned>(time.tm_mon) + 1) /
                       chr::day(static_cast<unsigned>(time.tm_mday))};
}

}  // namespace

std::string printable(std::string_view text) {
  std::string clean;
  clean.reserve(text.size());
  while (!text.empty()) {
    const auto point = decode(text);
    if (!point.valid || is_control(point.value)) {
      clean += kReplacement;
    } else {
      clean += text.substr(0, point.bytes);
    }
    text.remove_prefix(point.bytes);
  }
  return clean;
}

std::size_t display_width(std::string_view text) {
  std::size_t columns = 0;
  while (!text.empty()) {
    const auto point = decode(text);
    columns += point.valid ? columns_of(point.value) : 1;
    text.remove_prefix(point.bytes);
  }
  return columns;
}

std::string pad(std::string_view text, std::size_t columns) {
  std::string padded(text);
  const auto width = display_width(text);
  if (width < columns) padded.append(columns - width, ' ');
  return padded;
}

std::string cut(std::string_view text, std::size_t columns) {
  if (display_width(text) <= columns) return std::string(text);
  if (columns == 0) return {};
  std::string kept;
  std::size_t used = 0;
  while (!text.empty()) {
    const auto point = decode(text);
    const auto width = point.valid ? columns_of(point.value) : 1;
    if (used + width > columns - 1) break;
    used += width;
    kept += text.substr(0, point.bytes);
    text.remove_prefix(point.bytes);
  }
  return kept + "…";
}

std::string plural(std::uint64_t count, std::string_view one, std::string_view many) {
  return fmt::format("{} {}", count, count == 1 ? one : many);
}

std::string ordinal(std::uint64_t number) {
  const auto last_two = number % 100;
  const auto last = number % 10;
  const bool teen = last_two >= 11 && last_two <= 13;
  const char* suffix = teen || last == 0 || last > 3 ? "th" : last == 1 ? "st" : last == 2 ? "nd" : "rd";
  return fmt::format("{}{}", number, suffix);
}

std::string format_span(Duration span) {
  const auto seconds = std::max<std::int64_t>(0, chr::floor<chr::seconds>(span).count());
  if (seconds < 60) return fmt::format("{} s", seconds);
  if (seconds < 3600) return fmt::format("{} m {:02} s", seconds / 60, seconds % 60);
  if (seconds < 86400) return fmt::format("{} h {:02} m", seconds / 3600, seconds / 60 % 60);
  return fmt::format("{} d {:02} h", seconds / 86400, seconds / 3600 % 24);
}

std::string format_bytes(std::uint64_t bytes) {
  if (bytes < 1000) return fmt::format("{} B", bytes);
  static constexpr const char* kUnits[] = {"kB", "MB", "GB", "TB", "PB", "EB"};
  auto value = static_cast<double>(bytes) / 1000;
  std::size_t unit = 0;
  while (value >= 999.5 && unit + 1 < std::size(kUnits)) {
    value /= 1000;
    ++unit;
  }
  return value < 9.95 ? fmt::format("{:.1f} {}", value, kUnits[unit]) : fmt::format("{:.0f} {}", value, kUnits[unit]);
}

std::tm local_time(Instant time) {
  const auto seconds = static_cast<std::time_t>(chr::floor<chr::seconds>(time).time_since_epoch().count());
  std::tm parts{};
  ::localtime_r(&seconds, &parts);
  return parts;
}

std::string short_time(const std::tm& then, const std::tm& now) {
  static constexpr const char* kDays[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
  const auto apart = chr::abs(day_of(now) - day_of(then));
  auto clock = fmt::format("{:02}:{:02}", then.tm_hour, then.tm_min);
  if (apart == chr::days(0)) return clock;
  if (apart < chr::days(7)) return fmt::format("{} {}", kDays[then.tm_wday], clock);
  return fmt::format("{:04}-{:02}-{:02}", then.tm_year + 1900, then.tm_mon + 1, then.tm_mday);
}

std::string short_time(Instant then, Instant now) { return short_time(local_time(then), local_time(now)); }

std::string exact_time(const std::tm& then, const std::tm& now) {
  const auto brief = short_time(then, now);
  const bool date = brief.find(':') == std::string::npos;
  if (date) return fmt::format("{} {:02}:{:02}:{:02}", brief, then.tm_hour, then.tm_min, then.tm_sec);
  return fmt::format("{}:{:02}", brief, then.tm_sec);
}

std::string exact_time(Instant then, Instant now) { return exact_time(local_time(then), local_time(now)); }

std::string nearest_word(std::string_view typed, std::span<const std::string> known) {
  // Half of the word may be wrong at most, and never more than three letters.
  auto best = std::min<std::size_t>(3, typed.size() / 2) + 1;
  std::string found;
  for (const auto& word : known) {
    const bool begins = typed.size() >= 2 && word.starts_with(typed);
    const auto distance = begins ? 1 : edit_distance(typed, word);
    if (distance < best) {
      best = distance;
      found = word;
    }
  }
  return found;
}

std::string join_and(const std::vector<std::string>& words) {
  std::string text;
  for (std::size_t i = 0; i < words.size(); ++i) {
    if (i > 0) text += i + 1 == words.size() ? " and " : ", ";
    text += words[i];
  }
  return text;
}

std::string labelled(std::string_view label, std::string_view text) {
  const auto padded = pad(label, kLabelColumns);
  return padded.ends_with(' ') ? fmt::format("{}{}", padded, text) : fmt::format("{} {}", padded, text);
}

}  // namespace boruta::cli

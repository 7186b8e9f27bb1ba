#include "cli/arguments.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <ctime>

#include "base/limits.hpp"
#include "cli/text.hpp"

namespace boruta::cli {
namespace {

/// The instant of a local date and time; nothing when there is no such date.
std::optional<Instant> from_local(std::tm parts) {
  const auto wanted = parts;
  parts.tm_isdst = -1;
  const auto seconds = std::mktime(&parts);
  // mktime turns 31 April into 1 May.
  if (parts.tm_mday != wanted.tm_mday || parts.tm_mon != wanted.tm_mon) return std::nullopt;
  return Instant(std::chrono::seconds(seconds));
}

bool read_digits(std::string_view& text, std::size_t digits, int& value) {
  if (text.size() < digits) return false;
  value = 0;
  for (const char letter : text.substr(0, digits)) {
    if (letter < '0' || letter > '9') return false;
    value = value * 10 + (letter - '0');
  }
  text.remove_prefix(digits);
  return true;
}

bool skip(std::string_view& text, char wanted) {
  if (!text.starts_with(wanted)) return false;
  text.remove_prefix(1);
  return true;
}

/// "17:30" to its end.
bool read_clock(std::string_view text, std::tm& parts) {
  const bool read = read_digits(text, 2, parts.tm_hour) && skip(text, ':') && read_digits(text, 2, parts.tm_min);
  parts.tm_sec = 0;
  return read && text.empty() && parts.tm_hour < 24 && parts.tm_min < 60;
}

std::optional<Instant> read_local(std::string_view text, Instant now) {
  auto parts = local_time(now);
  if (read_clock(text, parts)) {
    auto time = from_local(parts);
    if (time && *time <= now) {
      // Tomorrow, by the calendar: a day may have 23 or 25 hours.
      parts.tm_mday += 1;
      parts.tm_isdst = -1;
      time = Instant(std::chrono::seconds(std::mktime(&parts)));
    }
    return time;
  }
  std::tm date{};
  const bool is_date = read_digits(text, 4, date.tm_year) && skip(text, '-') && read_digits(text, 2, date.tm_mon) &&
                       skip(text, '-') && read_digits(text, 2, date.tm_mday);
  date.tm_year -= 1900;
  date.tm_mon -= 1;
  if (!is_date || date.tm_year < 70 || date.tm_year > 300) return std::nullopt;
  if (text.empty()) return from_local(date);
  if (!skip(text, ' ') && !skip(text, 'T')) return std::nullopt;
  if (!read_clock(text, date)) return std::nullopt;
  return from_local(date);
}

/// KEY=VALUE where the value may be anything, as capabilities may; nothing where it says more than "equal".
std::optional<std::pair<std::string, std::string>> exact_pair(const std::string& word) {
  const auto sign = word.find_first_of("=<>!~");
  if (sign == std::string::npos || sign == 0 || word[sign] != '=') return std::nullopt;
  const auto parsed = parse_requirement(word);
  if (parsed && parsed->comparison == Comparison::kRange) return std::nullopt;
  return std::pair(word.substr(0, sign), word.substr(sign + 1));
}

/// The error below the word, with a mark where it is.
std::string point_at(const std::string& word, const RequirementError& error) {
  const auto shown = printable(word);
  const auto before = display_width(printable(std::string_view(word).substr(0, error.position)));
  return fmt::format("{}\n        {}^ {}", shown, std::string(before, ' '), printable(error.message));
}

}  // namespace

SplitLine split_command(std::span<const std::string> words) {
  SplitLine split;
  const auto end = std::ranges::find(words, "--");
  split.arguments.assign(words.begin(), end);
  if (end != words.end()) split.command.emplace(end + 1, words.end());
  return split;
}

Parsed<Demand> parse_demand(std::span<const std::string> words) {
  Demand demand;
  for (const auto& word : words) {
    if (const auto pair = exact_pair(word)) {
      if (!demand.caps.insert(*pair).second) {
        return std::unexpected(fmt::format("\"{}\": {} is given twice", printable(word), printable(pair->first)));
      }
      continue;
    }
    auto requirement = parse_requirement(word);
    if (!requirement) return std::unexpected(point_at(word, requirement.error()));
    if (requirement->comparison == Comparison::kPresent && word.find('/') != std::string::npos) {
      return std::unexpected(
          fmt::format("\"{}\" is no capability to ask for; a command to run goes after \"--\"", printable(word)));
    }
    demand.requirements.push_back(std::move(*requirement));
  }
  if (auto wrong = check_limits(demand.caps)) return std::unexpected(printable(*wrong));
  if (demand.requirements.size() > limits::kRequirements) {
    return std::unexpected(fmt::format("{} requirements are given, at most {} are allowed", demand.requirements.size(),
                                       limits::kRequirements));
  }
  normalize(demand.requirements);
  return demand;
}

Parsed<RequestId> parse_request_id(std::string_view text) {
  RequestId id;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), id.value);
  if (error != std::errc{} || end != text.data() + text.size() || id.value == 0) {
    return std::unexpected(fmt::format("\"{}\" is not the number of a request, like 42", printable(text)));
  }
  return id;
}

Parsed<Duration> parse_span(std::string_view option, std::string_view text) {
  const auto span = parse_duration(text);
  if (!span || *span <= Duration::zero()) {
    return std::unexpected(
        fmt::format("{} \"{}\": a duration like \"90s\", \"5m\" or \"2h\" is expected", option, printable(text)));
  }
  return *span;
}

Parsed<WallTime> parse_when(std::string_view option, std::string_view text, Instant now) {
  if (const auto span = parse_duration(text)) return WallTime{.at = now + *span};
  const auto written = parse_rfc3339(text);
  if (written.time) return *written.time;
  if (const auto local = read_local(text, now)) return WallTime{.at = *local};
  return std::unexpected(
      fmt::format("{} \"{}\": a time like \"2h\" (from now), \"17:30\", \"2030-01-02 17:30\" or RFC 3339 is expected",
                  option, printable(text)));
}

Parsed<std::string> parse_since(std::string_view option, std::string_view text, Instant now) {
  if (const auto span = parse_duration(text); span && *span > Duration::zero()) return format_duration(*span);
  // The next 17:30 from yesterday on is the last one from today.
  const auto time = parse_when(option, text, now - std::chrono::hours(24));
  if (!time || parse_duration(text)) {
    return std::unexpected(fmt::format(
        "{} \"{}\": a duration like \"7d\", or a time like \"17:30\", \"2030-01-02\" or RFC 3339 is expected", option,
        printable(text)));
  }
  if (time->at > now) return std::unexpected(fmt::format("{} \"{}\" lies ahead", option, printable(text)));
  return format_rfc3339(*time);
}

}  // namespace boruta::cli

#include "base/instant.hpp"

#include <array>
#include <charconv>
#include <cstring>
#include <limits>

#include "base/ascii.hpp"

namespace boruta {
namespace {

namespace chr = std::chrono;

constexpr int kFirstYear = 1678;
constexpr int kLastYear = 2261;

constexpr auto kPairs = [] {
  std::array<char, 200> pairs{};
  for (std::size_t number = 0; number < 100; ++number) {
    pairs.at(2 * number) = static_cast<char>('0' + number / 10);
    pairs.at(2 * number + 1) = static_cast<char>('0' + number % 10);
  }
  return pairs;
}();

/// Text of a time, put together where that costs little: lists consist of times by half.
class TimeText {
 public:
  void put(char character) { *end_++ = character; }
  /// Two digits. REQUIRES: number < 100.
  void put_pair(std::int64_t number) {
    std::memcpy(end_, kPairs.data() + 2 * number, 2);
    end_ += 2;
  }
  /// What nine digits show, without the zeros at their end. REQUIRES: 0 < nanoseconds < 1e9.
  void put_fraction(std::int64_t nanoseconds) {
    for (std::int64_t unit = 10'000'000; unit > 1; unit /= 100) put_pair(nanoseconds / unit % 100);
    put(static_cast<char>('0' + nanoseconds % 10));
    while (*(end_ - 1) == '0') --end_;
  }
  [[nodiscard]] std::string_view view() const { return {text_.data(), end_}; }

 private:
  /// "2006-01-02T15:04:05.123456789+07:00" has 35.
  std::array<char, 40> text_;
  char* end_ = text_.data();
};

void append_parts(std::string& out, Instant at, std::int16_t offset_minutes, bool with_fraction) {
  const auto local = at + chr::minutes(offset_minutes);
  const auto day = chr::floor<chr::days>(local);
  const chr::year_month_day date(day);
  const chr::hh_mm_ss time(local - day);
  const auto year = static_cast<int>(date.year());
  TimeText text;
  text.put_pair(year / 100);
  text.put_pair(year % 100);
  text.put('-');
  text.put_pair(static_cast<unsigned>(date.month()));
  text.put('-');
  text.put_pair(static_cast<unsigned>(date.day()));
  text.put('T');
  text.put_pair(time.hours().count());
  text.put(':');
  text.put_pair(time.minutes().count());
  text.put(':');
  text.put_pair(time.seconds().count());
  if (const auto nanoseconds = time.subseconds().count(); with_fraction && nanoseconds != 0) {
    text.put('.');
    text.put_fraction(nanoseconds);
  }
  if (offset_minutes == 0) {
    text.put('Z');
  } else {
    const int magnitude = offset_minutes < 0 ? -offset_minutes : offset_minutes;
    text.put(offset_minutes < 0 ? '-' : '+');
    text.put_pair(magnitude / 60);
    text.put(':');
    text.put_pair(magnitude % 60);
  }
  out += text.view();
}

std::string format_parts(Instant at, std::int16_t offset_minutes, bool with_fraction) {
  std::string text;
  append_parts(text, at, offset_minutes, with_fraction);
  return text;
}

/// Reads text from the left; every `take_` tells whether it found what it wanted.
class Scanner {
 public:
  explicit Scanner(std::string_view text) : rest_(text) {}

  bool take(char wanted) {
    if (rest_.empty() || rest_.front() != wanted) return false;
    rest_.remove_prefix(1);
    return true;
  }

  /// Exactly `digits` decimal digits.
  bool take_number(std::size_t digits, int& value) {
    if (rest_.size() < digits) return false;
    value = 0;
    for (std::size_t i = 0; i < digits; ++i) {
      if (rest_[i] < '0' || rest_[i] > '9') return false;
      value = value * 10 + (rest_[i] - '0');
    }
    rest_.remove_prefix(digits);
    return true;
  }

  /// One to nine digits after the point, in nanoseconds.
  bool take_fraction(int& nanoseconds) {
    std::size_t digits = 0;
    nanoseconds = 0;
    while (!rest_.empty() && is_digit(rest_.front())) {
      if (++digits > 9) return false;
      nanoseconds = nanoseconds * 10 + (rest_.front() - '0');
      rest_.remove_prefix(1);
    }
    for (auto missing = digits; missing < 9; ++missing) nanoseconds *= 10;
    return digits > 0;
  }

  [[nodiscard]] bool at_end() const { return rest_.empty(); }

 private:
  std::string_view rest_;
};

struct Fields {
  int year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0, nanosecond = 0, offset_minutes = 0;
};

bool scan_offset(Scanner& scanner, int& offset_minutes) {
  offset_minutes = 0;
  if (scanner.take('Z') || scanner.take('z')) return true;
  const bool negative = scanner.take('-');
  if (!negative && !scanner.take('+')) return false;
  int hours = 0;
  int minutes = 0;
  if (!scanner.take_number(2, hours) || !scanner.take(':') || !scanner.take_number(2, minutes)) return false;
  if (hours > 23 || minutes > 59) return false;
  offset_minutes = (hours * 60 + minutes) * (negative ? -1 : 1);
  return true;
}

bool scan_fields(std::string_view text, Fields& fields) {
  Scanner scanner(text);
  const bool date = scanner.take_number(4, fields.year) && scanner.take('-') && scanner.take_number(2, fields.month) &&
                    scanner.take('-') && scanner.take_number(2, fields.day);
  if (!date || !(scanner.take('T') || scanner.take('t'))) return false;
  const bool time = scanner.take_number(2, fields.hour) && scanner.take(':') && scanner.take_number(2, fields.minute) &&
                    scanner.take(':') && scanner.take_number(2, fields.second);
  if (!time) return false;
  if (scanner.take('.') && !scanner.take_fraction(fields.nanosecond)) return false;
  if (!scan_offset(scanner, fields.offset_minutes) || !scanner.at_end()) return false;
  const chr::year_month_day date_value{chr::year(fields.year), chr::month(static_cast<unsigned>(fields.month)),
                                       chr::day(static_cast<unsigned>(fields.day))};
  return date_value.ok() && fields.hour < 24 && fields.minute < 60 && fields.second < 60;
}

struct Unit {
  std::string_view name;
  Duration length;
};

/// Longest first, and "ms" before "m" for the parser.
constexpr std::array<Unit, 5> kUnits{{{"d", chr::hours(24)},
                                      {"h", chr::hours(1)},
                                      {"ms", chr::milliseconds(1)},
                                      {"m", chr::minutes(1)},
                                      {"s", chr::seconds(1)}}};
constexpr Duration kLongestDuration = chr::hours(24) * 36525;

const Unit* find_unit(std::string_view text) {
  for (const auto& unit : kUnits) {
    if (text.starts_with(unit.name)) return &unit;
  }
  return nullptr;
}

}  // namespace

std::string format_rfc3339(WallTime time) { return format_parts(time.at, time.offset_minutes, true); }

std::string format_rfc3339(Instant time) { return format_parts(time, 0, true); }

void append_rfc3339(std::string& out, WallTime time) { append_parts(out, time.at, time.offset_minutes, true); }

std::string format_rfc3339_seconds(Instant time) { return format_parts(time, 0, false); }

ParsedTime parse_rfc3339(std::string_view text) {
  Fields fields;
  if (!scan_fields(text, fields)) return {.time = std::nullopt, .error = TimeParseError::kSyntax};
  const bool zero = fields.year == 1 && fields.month == 1 && fields.day == 1 && fields.hour == 0 &&
                    fields.minute == 0 && fields.second == 0 && fields.nanosecond == 0 && fields.offset_minutes == 0;
  if (zero) return {};
  if (fields.year < kFirstYear || fields.year > kLastYear) {
    return {.time = std::nullopt, .error = TimeParseError::kOutOfRange};
  }
  const chr::sys_days day{chr::year_month_day{chr::year(fields.year), chr::month(static_cast<unsigned>(fields.month)),
                                              chr::day(static_cast<unsigned>(fields.day))}};
  const Instant local = Instant(day) + chr::hours(fields.hour) + chr::minutes(fields.minute) +
                        chr::seconds(fields.second) + Duration(fields.nanosecond);
  return {.time = WallTime{.at = local - chr::minutes(fields.offset_minutes),
                           .offset_minutes = static_cast<std::int16_t>(fields.offset_minutes)},
          .error = std::nullopt};
}

Instant add_calendar_month(Instant time) {
  const auto day = chr::floor<chr::days>(time);
  const chr::year_month_day date(day);
  const auto next = chr::year_month(date.year(), date.month()) + chr::months(1);
  const chr::sys_days first{next / chr::day(1)};
  return Instant(first + (date.day() - chr::day(1))) + (time - day);
}

std::optional<Duration> parse_duration(std::string_view text) {
  if (text == "0") return Duration::zero();
  if (text.empty()) return std::nullopt;
  Duration sum{};
  while (!text.empty()) {
    std::uint32_t number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error != std::errc{}) return std::nullopt;
    text.remove_prefix(static_cast<std::size_t>(end - text.data()));
    const Unit* unit = find_unit(text);
    if (unit == nullptr) return std::nullopt;
    text.remove_prefix(unit->name.size());
    if (number > (kLongestDuration - sum) / unit->length) return std::nullopt;
    sum += unit->length * number;
  }
  return sum;
}

namespace {

/// `between` stands before each unit, `behind` before each count but the first.
std::string format_units(Duration duration, std::string_view between, std::string_view behind) {
  std::string text;
  // Of the parser's units, without days.
  constexpr std::array<Unit, 4> kShown{
      {{"h", chr::hours(1)}, {"m", chr::minutes(1)}, {"s", chr::seconds(1)}, {"ms", chr::milliseconds(1)}}};
  for (const auto& unit : kShown) {
    const auto count = duration / unit.length;
    duration -= count * unit.length;
    if (count == 0) continue;
    std::array<char, 20> digits{};
    if (!text.empty()) text += behind;
    text.append(digits.data(), std::to_chars(digits.data(), digits.data() + digits.size(), count).ptr);
    text.append(between).append(unit.name);
  }
  return text;
}

}  // namespace

std::string format_duration(Duration duration) {
  return duration < chr::milliseconds(1) ? "0s" : format_units(duration, "", "");
}

std::string format_duration_spaced(Duration duration) {
  return duration < chr::milliseconds(1) ? "0 s" : format_units(duration, " ", " ");
}

}  // namespace boruta

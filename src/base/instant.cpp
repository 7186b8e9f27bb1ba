#include "base/instant.hpp"

#include <array>
#include <charconv>
#include <limits>
#include <ranges>
#include <span>

#include "base/ascii.hpp"

namespace boruta {
namespace {

namespace chr = std::chrono;

constexpr int kFirstYear = 1678;
constexpr int kLastYear = 2261;

/// Writes `number` with as many digits as there is room.
void put_digits(std::span<char> room, std::int64_t number) {
  for (auto& digit : std::views::reverse(room)) {
    digit = static_cast<char>('0' + number % 10);
    number /= 10;
  }
}

/// Text of a time, put together where it costs little: times are half of what lists consist of.
class TimeText {
 public:
  void put(char character) { text_.at(size_++) = character; }
  void put(std::int64_t number, std::size_t digits) {
    put_digits(std::span(text_).subspan(size_, digits), number);
    size_ += digits;
  }
  void drop_zeros() {
    while (text_.at(size_ - 1) == '0') --size_;
  }
  [[nodiscard]] std::string_view view() const { return {text_.data(), size_}; }

 private:
  /// "2006-01-02T15:04:05.123456789+07:00" has 35.
  std::array<char, 40> text_;
  std::size_t size_ = 0;
};

void append_parts(std::string& out, Instant at, std::int16_t offset_minutes, bool with_fraction) {
  const auto local = at + chr::minutes(offset_minutes);
  const auto day = chr::floor<chr::days>(local);
  const chr::year_month_day date(day);
  const chr::hh_mm_ss time(local - day);
  TimeText text;
  text.put(static_cast<int>(date.year()), 4);
  text.put('-');
  text.put(static_cast<unsigned>(date.month()), 2);
  text.put('-');
  text.put(static_cast<unsigned>(date.day()), 2);
  text.put('T');
  text.put(time.hours().count(), 2);
  text.put(':');
  text.put(time.minutes().count(), 2);
  text.put(':');
  text.put(time.seconds().count(), 2);
  if (const auto nanoseconds = time.subseconds().count(); with_fraction && nanoseconds != 0) {
    text.put('.');
    text.put(nanoseconds, 9);
    text.drop_zeros();
  }
  if (offset_minutes == 0) {
    text.put('Z');
  } else {
    const int magnitude = offset_minutes < 0 ? -offset_minutes : offset_minutes;
    text.put(offset_minutes < 0 ? '-' : '+');
    text.put(magnitude / 60, 2);
    text.put(':');
    text.put(magnitude % 60, 2);
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

std::string format_duration(Duration duration) {
  auto text = format_duration_spaced(duration);
  std::erase(text, ' ');
  return text;
}

std::string format_duration_spaced(Duration duration) {
  if (duration < chr::milliseconds(1)) return "0 s";
  const auto hours = chr::floor<chr::hours>(duration);
  const auto minutes = chr::floor<chr::minutes>(duration - hours);
  const auto seconds = chr::floor<chr::seconds>(duration - hours - minutes);
  const auto milliseconds = chr::floor<chr::milliseconds>(duration - hours - minutes - seconds);
  std::string text;
  const auto add = [&text](std::int64_t count, std::string_view unit) {
    if (count == 0) return;
    if (!text.empty()) text.push_back(' ');
    text.append(std::to_string(count)).append(" ").append(unit);
  };
  add(hours.count(), "h");
  add(minutes.count(), "m");
  add(seconds.count(), "s");
  add(milliseconds.count(), "ms");
  return text;
}

}  // namespace boruta

#include <array>
#include <charconv>
#include <compare>
#include <cstdint>
#include <utility>
#include <variant>

#include "base/ascii.hpp"
#include "base/requirements.hpp"

namespace boruta {
namespace {

/// In billionths. A number has at most 15 digits and a unit is at most 2^40, so all of them fit.
__extension__ using Scaled = __int128;

constexpr std::size_t kMostDigits = 15;
constexpr std::size_t kFractionDigits = 9;

struct Number {
  Scaled value = 0;
  bool is_size = false;
};

struct Version {
  std::string_view text;
};

using Measure = std::variant<Number, Version>;

std::optional<std::int64_t> unit_of(std::string_view text) {
  constexpr std::array<std::pair<std::string_view, std::int64_t>, 9> kUnits{{{"B", 1},
                                                                             {"kB", 1'000},
                                                                             {"MB", 1'000'000},
                                                                             {"GB", 1'000'000'000},
                                                                             {"TB", 1'000'000'000'000},
                                                                             {"KiB", std::int64_t{1} << 10U},
                                                                             {"MiB", std::int64_t{1} << 20U},
                                                                             {"GiB", std::int64_t{1} << 30U},
                                                                             {"TiB", std::int64_t{1} << 40U}}};
  for (const auto& [name, bytes] : kUnits) {
    if (text == name) return bytes;
  }
  return std::nullopt;
}

/// Takes the digits at the front of `text`.
std::string_view take_digits(std::string_view& text) {
  std::size_t length = 0;
  while (length < text.size() && is_digit(text[length])) ++length;
  const auto digits = text.substr(0, length);
  text.remove_prefix(length);
  return digits;
}

/// "12", "-3.3", "4GiB".
std::optional<Number> parse_number(std::string_view text) {
  const bool negative = text.starts_with('-');
  if (negative) text.remove_prefix(1);
  const auto whole = take_digits(text);
  if (whole.empty()) return std::nullopt;
  std::string_view fraction;
  if (text.starts_with('.')) {
    text.remove_prefix(1);
    fraction = take_digits(text);
    if (fraction.empty()) return std::nullopt;
  }
  if (whole.size() + fraction.size() > kMostDigits || fraction.size() > kFractionDigits) return std::nullopt;
  Number number;
  for (const auto digits : {whole, fraction}) {
    for (const char digit : digits) number.value = number.value * 10 + (digit - '0');
  }
  for (std::size_t places = fraction.size(); places < kFractionDigits; ++places) number.value *= 10;
  if (!text.empty()) {
    const auto unit = unit_of(text);
    if (!unit) return std::nullopt;
    number.value *= *unit;
    number.is_size = true;
  }
  if (negative) number.value = -number.value;
  return number;
}

/// A leading "v", two dots or a suffix behind `-`, `+` or `~` tell a version from a number.
bool is_version(std::string_view text) {
  bool marked = text.starts_with('v');
  if (marked) text.remove_prefix(1);
  if (text.empty() || !is_digit(text.front())) return false;
  std::size_t dots = 0;
  for (const char character : text) {
    if (character == '.') {
      ++dots;
      marked = marked || dots == 2;
    } else if (character == '-' || character == '+' || character == '~') {
      marked = true;
    } else if (character != '_' && !is_digit(character) && !(is_letter(character) && marked)) {
      return false;
    }
  }
  return marked;
}

std::optional<Measure> parse_measure(std::string_view text) {
  if (const auto number = parse_number(text)) return *number;
  if (is_version(text)) return Version{text};
  return std::nullopt;
}

/// Takes the next run of digits or of letters, whatever stands before it.
std::string_view take_component(std::string_view& text) {
  while (!text.empty() && !is_digit(text.front()) && !is_letter(text.front())) text.remove_prefix(1);
  std::size_t length = 0;
  while (length < text.size() && is_digit(text[length]) == is_digit(text.front()) &&
         (is_digit(text[length]) || is_letter(text[length]))) {
    ++length;
  }
  const auto component = text.substr(0, length);
  text.remove_prefix(length);
  return component;
}

std::strong_ordering compare_digits(std::string_view left, std::string_view right) {
  const auto significant = [](std::string_view digits) {
    const auto first = digits.find_first_not_of('0');
    return first == std::string_view::npos ? std::string_view{} : digits.substr(first);
  };
  left = significant(left);
  right = significant(right);
  if (left.size() != right.size()) return left.size() <=> right.size();
  return left <=> right;
}

std::strong_ordering compare_components(std::string_view left, std::string_view right) {
  const bool left_number = left.empty() || is_digit(left.front());
  const bool right_number = right.empty() || is_digit(right.front());
  if (left_number && right_number) return compare_digits(left, right);
  if (left_number != right_number) return left_number ? std::strong_ordering::greater : std::strong_ordering::less;
  return left <=> right;
}

std::strong_ordering compare_versions(std::string_view left, std::string_view right) {
  if (left.starts_with('v')) left.remove_prefix(1);
  if (right.starts_with('v')) right.remove_prefix(1);
  while (true) {
    const auto left_part = take_component(left);
    const auto right_part = take_component(right);
    if (left_part.empty() && right_part.empty()) return std::strong_ordering::equal;
    if (const auto order = compare_components(left_part, right_part); order != 0) return order;
  }
}

}  // namespace

bool is_measure(std::string_view text) { return parse_measure(text).has_value(); }

std::optional<std::strong_ordering> compare_measures(std::string_view left, std::string_view right) {
  const auto left_measure = parse_measure(left);
  const auto right_measure = parse_measure(right);
  if (!left_measure || !right_measure) return std::nullopt;
  const auto* left_number = std::get_if<Number>(&*left_measure);
  const auto* right_number = std::get_if<Number>(&*right_measure);
  if (left_number != nullptr && right_number != nullptr) return left_number->value <=> right_number->value;
  if ((left_number != nullptr && left_number->is_size) || (right_number != nullptr && right_number->is_size)) {
    return std::nullopt;
  }
  return compare_versions(left, right);
}

}  // namespace boruta

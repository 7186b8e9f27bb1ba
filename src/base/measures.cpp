#include <algorithm>
#include <array>
#include <compare>
#include <cstdint>
#include <ranges>
#include <variant>

#include "base/ascii.hpp"
#include "base/requirements.hpp"

namespace boruta {
namespace {

constexpr std::size_t kMostDigits = 15;
constexpr std::size_t kFractionDigits = 9;

/// A whole number below 2^128, which processors of 32 bits have no type for.
class Wide {
 public:
  explicit Wide(std::uint64_t value)
      : limbs_{0, 0, static_cast<std::uint32_t>(value >> kLimbBits), static_cast<std::uint32_t>(value)} {}

  void multiply(std::uint32_t factor) {
    std::uint64_t carry = 0;
    for (auto& limb : limbs_ | std::views::reverse) {
      carry += std::uint64_t{limb} * factor;
      limb = static_cast<std::uint32_t>(carry);
      carry >>= kLimbBits;
    }
  }
  std::strong_ordering operator<=>(const Wide&) const = default;

 private:
  static constexpr unsigned kLimbBits = 32;
  /// The most significant first, so that they are compared in this order.
  std::array<std::uint32_t, 4> limbs_;
};

struct Number {
  /// In billionths. There are at most 15 digits and a unit is at most 2^40, so all of them fit.
  Wide magnitude{0};
  bool negative = false;
  bool is_size = false;
};

std::strong_ordering operator<=>(const Number& left, const Number& right) {
  if (left.negative != right.negative) return right.negative <=> left.negative;
  return left.negative ? right.magnitude <=> left.magnitude : left.magnitude <=> right.magnitude;
}

struct Version {
  std::string_view text;
};

using Measure = std::variant<Number, Version>;

/// `base` to the power of `exponent`, in bytes.
struct Unit {
  std::string_view name;
  std::uint32_t base;
  unsigned exponent;
};
constexpr std::array<Unit, 9> kUnits{{{"B", 1, 1},
                                      {"kB", 1'000, 1},
                                      {"MB", 1'000, 2},
                                      {"GB", 1'000, 3},
                                      {"TB", 1'000, 4},
                                      {"KiB", 1'024, 1},
                                      {"MiB", 1'024, 2},
                                      {"GiB", 1'024, 3},
                                      {"TiB", 1'024, 4}}};

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
  std::uint64_t value = 0;
  for (const auto digits : {whole, fraction}) {
    for (const char digit : digits) value = value * 10 + static_cast<unsigned>(digit - '0');
  }
  Number number{.magnitude = Wide(value), .negative = negative && value != 0};
  for (std::size_t places = fraction.size(); places < kFractionDigits; ++places) number.magnitude.multiply(10);
  if (text.empty()) return number;
  const auto* unit = std::ranges::find(kUnits, text, &Unit::name);
  if (unit == kUnits.end()) return std::nullopt;
  for (unsigned times = 0; times < unit->exponent; ++times) number.magnitude.multiply(unit->base);
  number.is_size = true;
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
  if (left_number != nullptr && right_number != nullptr) return *left_number <=> *right_number;
  if ((left_number != nullptr && left_number->is_size) || (right_number != nullptr && right_number->is_size)) {
    return std::nullopt;
  }
  return compare_versions(left, right);
}

}  // namespace boruta

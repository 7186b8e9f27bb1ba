#include "base/requirements.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/ascii.hpp"
#include "base/limits.hpp"
#include "base/utf8.hpp"

namespace boruta {
namespace {

bool is_word_character(char character) {
  constexpr std::string_view kSigns = "_.:/@+-%#*";
  constexpr unsigned char kFirstBeyondAscii = 0x80;
  return is_alphanumeric(character) || static_cast<unsigned char>(character) >= kFirstBeyondAscii ||
         kSigns.find(character) != std::string_view::npos;
}

constexpr std::string_view kRangeSign = "..";

/// "2.9..3.6", "4GiB..", "..3.6": where both ends are measures, and one is there.
std::optional<std::pair<std::string_view, std::string_view>> split_range(std::string_view word) {
  const auto sign = word.find(kRangeSign);
  if (sign == std::string_view::npos) return std::nullopt;
  const auto lower = word.substr(0, sign);
  const auto upper = word.substr(sign + kRangeSign.size());
  if (lower.empty() && upper.empty()) return std::nullopt;
  const bool measures = (lower.empty() || is_measure(lower)) && (upper.empty() || is_measure(upper));
  return measures ? std::optional(std::pair(lower, upper)) : std::nullopt;
}

struct Operator {
  std::string_view sign;
  Comparison comparison;
};

/// Longer signs first, so that none hides behind its beginning.
constexpr Operator kOperators[] = {
    {">=", Comparison::kGreaterOrEqual}, {"<=", Comparison::kLessOrEqual}, {"!=", Comparison::kNotEqual},
    {"!~", Comparison::kHasNot},         {">", Comparison::kGreater},      {"<", Comparison::kLess},
    {"=", Comparison::kEqual},           {"~", Comparison::kHas},
};

bool is_ordering(Comparison comparison) {
  return comparison == Comparison::kLess || comparison == Comparison::kLessOrEqual ||
         comparison == Comparison::kGreater || comparison == Comparison::kGreaterOrEqual;
}

using Parsed = std::expected<void, RequirementError>;

class RequirementParser {
 public:
  explicit RequirementParser(std::string_view text) : text_(text) {}

  std::expected<Requirement, RequirementError> parse() {
    if (auto parsed = read(); !parsed) return std::unexpected(std::move(parsed.error()));
    skip_spaces();
    if (position_ != text_.size()) {
      const auto rest = text_.substr(position_);
      const auto character = rest.substr(0, std::max<std::size_t>(utf8_sequence_length(rest), 1));
      return std::unexpected(error(fmt::format("'{}' is too much: a requirement is one condition", character)));
    }
    return std::move(requirement_);
  }

 private:
  Parsed read() {
    skip_spaces();
    const bool absent = take("!");
    skip_spaces();
    if (auto name = read_word("the name of a capability", limits::kCapsKeyBytes); !name) return name;
    requirement_.capability = std::move(word_);
    if (absent) {
      requirement_.comparison = Comparison::kAbsent;
      return {};
    }
    skip_spaces();
    if (position_ == text_.size()) return {};
    for (const auto& [sign, comparison] : kOperators) {
      if (take(sign)) return read_value(comparison);
    }
    if (take_word("in")) return read_set(Comparison::kIn);
    if (take_word("not")) {
      skip_spaces();
      if (!take_word("in")) return std::unexpected(error("\"in\" is expected behind \"not\""));
      return read_set(Comparison::kNotIn);
    }
    return std::unexpected(error("one of = != >= <= > < ~ !~ in, not in is expected"));
  }

  Parsed read_value(Comparison comparison) {
    skip_spaces();
    const auto begin = position_;
    if (auto value = read_word("a value", limits::kCapsValueBytes); !value) return value;
    requirement_.comparison = comparison;
    if (comparison == Comparison::kEqual && !quoted_) {
      if (const auto range = split_range(word_)) return take_range(begin, *range);
    }
    if (is_ordering(comparison) && !is_measure(word_)) {
      position_ = begin;
      return std::unexpected(error(not_a_measure()));
    }
    requirement_.values.push_back(std::move(word_));
    return {};
  }

  [[nodiscard]] std::string not_a_measure() const {
    return fmt::format(
        "\"{}\" is no number, size (4GiB, 512MB) or version (1.2.10, v2): units are B, kB, MB, GB, TB, KiB, MiB, GiB, "
        "TiB; numbers have at most 15 digits",
        word_);
  }

  Parsed take_range(std::size_t begin, std::pair<std::string_view, std::string_view> range) {
    const auto [lower, upper] = range;
    if (!lower.empty() && !upper.empty()) {
      const auto order = compare_measures(lower, upper);
      position_ = begin;
      if (!order) return std::unexpected(error(fmt::format("{} and {} cannot be compared", lower, upper)));
      if (*order > 0) return std::unexpected(error(fmt::format("the range ends before it begins: {}", word_)));
      position_ = begin + word_.size();
    }
    requirement_.comparison = Comparison::kRange;
    requirement_.values = {std::string(lower), std::string(upper)};
    return {};
  }

  Parsed read_set(Comparison comparison) {
    requirement_.comparison = comparison;
    skip_spaces();
    if (!take("(")) return std::unexpected(error("'(' is expected, as in: arch in (arm64, armv7)"));
    while (true) {
      skip_spaces();
      if (auto value = read_word("a value", limits::kCapsValueBytes); !value) return value;
      requirement_.values.push_back(std::move(word_));
      if (requirement_.values.size() > limits::kRequirementValues) {
        return std::unexpected(error(fmt::format("at most {} values are allowed", limits::kRequirementValues)));
      }
      skip_spaces();
      if (take(")")) break;
      if (!take(",")) return std::unexpected(error("',' or ')' is expected"));
    }
    std::ranges::sort(requirement_.values);
    const auto repeated = std::ranges::unique(requirement_.values);
    requirement_.values.erase(repeated.begin(), repeated.end());
    return {};
  }

  /// Into `word_`, without its quotes.
  Parsed read_word(std::string_view what, std::size_t limit) {
    const auto begin = position_;
    word_.clear();
    quoted_ = take("\"");
    if (quoted_) {
      if (auto closed = read_quoted(begin); !closed) return closed;
    } else {
      while (position_ < text_.size() && is_word_character(text_[position_])) word_.push_back(text_[position_++]);
      if (word_.empty()) return std::unexpected(error(fmt::format("{} is expected", what)));
    }
    if (word_.size() > limit || word_.empty()) {
      const auto size = word_.size();
      position_ = begin;
      return std::unexpected(error(fmt::format("{} has {} bytes: 1 to {} are allowed", what, size, limit)));
    }
    return {};
  }

  Parsed read_quoted(std::size_t begin) {
    while (position_ < text_.size() && text_[position_] != '"') {
      if (text_[position_] == '\\') {
        ++position_;
        if (position_ == text_.size() || (text_[position_] != '"' && text_[position_] != '\\')) {
          return std::unexpected(error("behind '\\' comes '\"' or '\\'"));
        }
      }
      word_.push_back(text_[position_++]);
    }
    if (take("\"")) return {};
    position_ = begin;
    return std::unexpected(error("the quotes are not closed"));
  }

  void skip_spaces() {
    while (position_ < text_.size() && text_[position_] == ' ') ++position_;
  }

  bool take(std::string_view token) {
    if (!text_.substr(position_).starts_with(token)) return false;
    position_ += token.size();
    return true;
  }

  bool take_word(std::string_view word) {
    const auto behind = position_ + word.size();
    if (behind < text_.size() && is_word_character(text_[behind])) return false;
    return take(word);
  }

  [[nodiscard]] RequirementError error(std::string message) const {
    return RequirementError{.position = position_, .message = std::move(message)};
  }

  std::string_view text_;
  std::size_t position_ = 0;
  Requirement requirement_;
  std::string word_;
  bool quoted_ = false;
};

std::string quoted(std::string_view word) {
  std::string text = "\"";
  for (const char character : word) {
    if (character == '"' || character == '\\') text.push_back('\\');
    text.push_back(character);
  }
  text.push_back('"');
  return text;
}

std::string word_text(std::string_view word) {
  const bool plain = !word.empty() && std::ranges::all_of(word, is_word_character);
  return plain ? std::string(word) : quoted(word);
}

std::string set_text(const std::vector<std::string>& values) {
  std::string text = "(";
  for (const auto& value : values) {
    if (text.size() > 1) text += ", ";
    text += word_text(value);
  }
  text.push_back(')');
  return text;
}

/// What stands behind the name, with `gap` around signs.
std::string condition_text(const Requirement& requirement, std::string_view gap) {
  const auto& values = requirement.values;
  for (const auto& [sign, comparison] : kOperators) {
    if (comparison != requirement.comparison) continue;
    const bool ambiguous = comparison == Comparison::kEqual && split_range(values[0]);
    return fmt::format("{}{}{}", sign, gap, ambiguous ? quoted(values[0]) : word_text(values[0]));
  }
  if (requirement.comparison == Comparison::kRange) return fmt::format("={}{}..{}", gap, values[0], values[1]);
  if (requirement.comparison == Comparison::kIn) return fmt::format("in {}", set_text(values));
  if (requirement.comparison == Comparison::kNotIn) return fmt::format("not in {}", set_text(values));
  return {};
}

bool has_member(std::string_view list, std::string_view wanted) {
  while (true) {
    const auto comma = list.find(',');
    auto member = list.substr(0, comma);
    const auto first = member.find_first_not_of(' ');
    if (first != std::string_view::npos) {
      member = member.substr(first, member.find_last_not_of(' ') - first + 1);
      if (member == wanted) return true;
    }
    if (comma == std::string_view::npos) return false;
    list.remove_prefix(comma + 1);
  }
}

bool is_within(std::string_view value, const std::vector<std::string>& ends) {
  const auto from_lower = ends[0].empty() ? std::nullopt : compare_measures(value, ends[0]);
  const auto from_upper = ends[1].empty() ? std::nullopt : compare_measures(value, ends[1]);
  if (!ends[0].empty() && (!from_lower || *from_lower < 0)) return false;
  return ends[1].empty() || (from_upper && *from_upper <= 0);
}

}  // namespace

std::expected<Requirement, RequirementError> parse_requirement(std::string_view text) {
  return RequirementParser(text).parse();
}

std::string format_requirement(const Requirement& requirement) {
  const auto name = word_text(requirement.capability);
  if (requirement.comparison == Comparison::kPresent) return name;
  if (requirement.comparison == Comparison::kAbsent) return "!" + name;
  const bool is_set = requirement.comparison == Comparison::kIn || requirement.comparison == Comparison::kNotIn;
  return fmt::format("{}{}{}", name, is_set ? " " : "", condition_text(requirement, ""));
}

std::string format_requirements(const Requirements& requirements) {
  std::string text;
  for (const auto& requirement : requirements) {
    if (!text.empty()) text.push_back(' ');
    text += format_requirement(requirement);
  }
  return text;
}

std::vector<std::string> requirement_texts(const Requirements& requirements) {
  std::vector<std::string> texts;
  texts.reserve(requirements.size());
  for (const auto& requirement : requirements) texts.push_back(format_requirement(requirement));
  return texts;
}

std::expected<Requirements, std::string> parse_requirements(const std::vector<std::string>& texts) {
  if (texts.size() > limits::kRequirements) {
    return std::unexpected(
        fmt::format("Requirements has {} entries, at most {} are allowed", texts.size(), limits::kRequirements));
  }
  Requirements requirements;
  for (const auto& text : texts) {
    auto parsed = parse_requirement(text);
    if (!parsed) {
      return std::unexpected(fmt::format("Requirements: {}, character {}: {}", quoted(text),
                                         parsed.error().position + 1, parsed.error().message));
    }
    requirements.push_back(std::move(*parsed));
  }
  normalize(requirements);
  return requirements;
}

void normalize(Requirements& requirements) {
  std::ranges::sort(requirements);
  const auto repeated = std::ranges::unique(requirements);
  requirements.erase(repeated.begin(), repeated.end());
}

bool meets(const Capabilities& offered, const Requirement& requirement) {
  const auto found = offered.find(requirement.capability);
  const auto& values = requirement.values;
  const bool there = found != offered.end();
  const auto one_of = [&] { return std::ranges::find(values, found->second) != values.end(); };
  const auto order = [&] { return compare_measures(found->second, values[0]); };
  switch (requirement.comparison) {
    case Comparison::kPresent:
      return there;
    case Comparison::kAbsent:
      return !there;
    case Comparison::kEqual:
    case Comparison::kIn:
      return there && one_of();
    case Comparison::kNotEqual:
    case Comparison::kNotIn:
      return !there || !one_of();
    case Comparison::kLess:
      return there && order() && *order() < 0;
    case Comparison::kLessOrEqual:
      return there && order() && *order() <= 0;
    case Comparison::kGreater:
      return there && order() && *order() > 0;
    case Comparison::kGreaterOrEqual:
      return there && order() && *order() >= 0;
    case Comparison::kRange:
      return there && is_within(found->second, values);
    case Comparison::kHas:
      return there && has_member(found->second, values[0]);
    case Comparison::kHasNot:
      return !there || !has_member(found->second, values[0]);
  }
  return false;
}

bool meets(const Capabilities& offered, const Requirements& requirements) {
  return std::ranges::all_of(requirements, [&](const auto& requirement) { return meets(offered, requirement); });
}

std::string describe_miss(const Capabilities& offered, const Requirement& requirement) {
  const auto found = offered.find(requirement.capability);
  const auto& name = requirement.capability;
  if (found == offered.end()) return fmt::format("has no {}", name);
  const auto& value = found->second;
  switch (requirement.comparison) {
    case Comparison::kEqual:
    case Comparison::kIn:
      return fmt::format("{} is {}", name, value);
    case Comparison::kPresent:
    case Comparison::kAbsent:
    case Comparison::kNotEqual:
    case Comparison::kNotIn:
      return fmt::format("has {} {}", name, value);
    case Comparison::kHas:
      return fmt::format("{} is {}, which lacks {}", name, value, requirement.values[0]);
    case Comparison::kHasNot:
      return fmt::format("{} is {}, which has {}", name, value, requirement.values[0]);
    case Comparison::kRange:
      return fmt::format("{} is {}, needs {}..{}", name, value, requirement.values[0], requirement.values[1]);
    case Comparison::kLess:
    case Comparison::kLessOrEqual:
    case Comparison::kGreater:
    case Comparison::kGreaterOrEqual:
      break;
  }
  return fmt::format("{} is {}, needs {}", name, value, condition_text(requirement, " "));
}

bool meets(const Capabilities& offered, const Demand& demand) {
  return offers(offered, demand.caps) && meets(offered, demand.requirements);
}

std::string format_demand(const Demand& demand) {
  auto text = format_caps(demand.caps);
  if (!text.empty() && !demand.requirements.empty()) text.push_back(' ');
  return text + format_requirements(demand.requirements);
}

}  // namespace boruta

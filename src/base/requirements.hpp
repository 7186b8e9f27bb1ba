#pragma once

#include <cstddef>
#include <cstdint>
#include <expected>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/caps.hpp"

/// The language in which requests say what they need of a worker, beyond capabilities that must be equal.
///
///     camera                  is there                 !camera              is not there
///     board=rpi4              is exactly this          board!=rpi4          is not this, or not there
///     ram>=4GiB  ram<8GiB     numbers, sizes           fw>=1.2.10           versions
///     voltage=2.9..3.6        within, ends included    ram=4GiB..           at least (needs no quotes in a shell)
///     arch in (arm64, armv7)  one of                   arch not in (x86)    none of, or not there
///     serial~57600            has it in a comma list   serial!~9600         has it not, or is not there
///
/// Names and values are words of letters, digits and `_ . : / @ + - % # *`, or stand in double quotes, within which
/// `\"` and `\\` stand for `"` and `\`.
namespace boruta {

enum class Comparison : std::uint8_t {
  kPresent,
  kAbsent,
  kEqual,
  kNotEqual,
  kLess,
  kLessOrEqual,
  kGreater,
  kGreaterOrEqual,
  kRange,
  kIn,
  kNotIn,
  kHas,
  kHasNot,
};

/// One condition on one capability.
struct Requirement {
  std::string capability;
  Comparison comparison = Comparison::kPresent;
  /// None for presence and absence; lower and upper end for kRange, of which one may be empty, "no end there"; for
  /// sets at least one; else one. For the ordering comparisons and ranges each is a measure.
  std::vector<std::string> values;

  friend auto operator<=>(const Requirement&, const Requirement&) = default;
};

/// All of them must be met. Sorted and without repetition once they went through `normalize`.
using Requirements = std::vector<Requirement>;

struct RequirementError {
  /// Of the character that is wrong: bytes from the beginning; the text's length at its end.
  std::size_t position = 0;
  std::string message;
};

[[nodiscard]] std::expected<Requirement, RequirementError> parse_requirement(std::string_view text);

/// As `parse_requirement` reads it: the same requirement comes out again.
[[nodiscard]] std::string format_requirement(const Requirement& requirement);
/// The texts in a row, separated by spaces; empty for none.
[[nodiscard]] std::string format_requirements(const Requirements& requirements);
/// The same as a list of texts, as the API and the store write them.
[[nodiscard]] std::vector<std::string> requirement_texts(const Requirements& requirements);

/// Parses and normalizes a list. The error names the text, the character and what was expected there.
[[nodiscard]] std::expected<Requirements, std::string> parse_requirements(const std::vector<std::string>& texts);

void normalize(Requirements& requirements);

[[nodiscard]] bool meets(const Capabilities& offered, const Requirement& requirement);
[[nodiscard]] bool meets(const Capabilities& offered, const Requirements& requirements);

/// For people: "ram is 2GiB, needs >= 4GiB", "has no camera", "has a camera". REQUIRES: not met.
[[nodiscard]] std::string describe_miss(const Capabilities& offered, const Requirement& requirement);

/// How two measures compare: numbers ("3.3"), sizes ("4GiB", 1024 to a KiB and 1000 to a kB; a number compares with
/// them as bytes) and versions ("1.2.10", "v2", "1.2-rc1"; a number compares with them as a version). Versions compare
/// by component: numbers by value, words by letter and before numbers; a missing component counts as 0, so 1.2-rc1
/// comes before 1.2, which equals 1.2.0. Nothing where one is no measure, or a size meets a version.
[[nodiscard]] std::optional<std::strong_ordering> compare_measures(std::string_view left, std::string_view right);
[[nodiscard]] bool is_measure(std::string_view text);

/// What a request asks of its worker.
struct Demand {
  /// Must be equal.
  Capabilities caps;
  Requirements requirements;

  friend auto operator<=>(const Demand&, const Demand&) = default;
};

[[nodiscard]] bool meets(const Capabilities& offered, const Demand& demand);

/// Equal demands share one object, so that they can be told apart by their address.
using SharedDemand = std::shared_ptr<const Demand>;

/// "board=rpi4 ram>=4GiB": capabilities in the order of names, then requirements.
[[nodiscard]] std::string format_demand(const Demand& demand);

}  // namespace boruta

// The language of requirements. The whole input is read as one requirement; its first line and the rest, or its halves
// where it is one line, are compared as measures.
#include "base/requirements.hpp"
#include "oracle.hpp"

namespace boruta {
namespace {

using fuzz::check;

void parse(std::string_view text) {
  const auto parsed = parse_requirement(text);
  if (!parsed) {
    check(parsed.error().position <= text.size(), "an error stands in the text or at its end", text);
    // Texts come from JSON and command lines, which let nothing else through.
    if (fuzz::is_utf8(text)) fuzz::check_error(parsed.error().message);
    return;
  }
  const auto written = format_requirement(*parsed);
  const auto again = parse_requirement(written);
  check(again.has_value(), "a requirement that is written reads again", written);
  check(*again == *parsed, "a requirement that is written reads the same", written);
  check(format_requirement(*again) == written, "and is written the same", written);
}

void compare(std::string_view left, std::string_view right) {
  const auto there = compare_measures(left, right);
  const auto back = compare_measures(right, left);
  check(there.has_value() == back.has_value(), "two measures compare both ways or not at all", left);
  if (!there) return;
  check(is_measure(left) && is_measure(right), "only measures compare", left);
  check(*there == (0 <=> *back), "what is less one way is greater the other way", left);
}

void compare_with_itself(std::string_view text) {
  const auto order = compare_measures(text, text);
  check(order.has_value() == is_measure(text), "a measure compares with itself, and nothing else does", text);
  check(!order || *order == 0, "a measure equals itself", text);
}

}  // namespace
}  // namespace boruta

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto text = boruta::fuzz::text_of(data, size);
  boruta::parse(text);
  auto right = text;
  auto left = boruta::fuzz::take_line(right);
  if (right.empty()) {
    left = text.substr(0, size / 2);
    right = text.substr(size / 2);
  }
  boruta::compare(left, right);
  boruta::compare_with_itself(left);
  boruta::compare_with_itself(right);
  return 0;
}

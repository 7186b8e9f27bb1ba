#include "base/requirements.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <random>

namespace boruta {
namespace {

bool fits(const Capabilities& caps, std::string_view text) {
  const auto requirement = parse_requirement(text);
  EXPECT_TRUE(requirement) << text << ": " << requirement.error().message;
  return requirement && meets(caps, *requirement);
}

TEST(Requirement, IsMetByWhatItSays) {
  const Capabilities caps{{"board", "rpi4"},         {"ram", "4GiB"}, {"voltage", "3.3"},  {"fw", "1.2.10"},
                          {"serial", "9600, 57600"}, {"flag", ""},    {"odd name", "a b"}, {"path", "../x"}};
  const std::vector<std::pair<std::string, bool>> cases{{"board", true},
                                                        {"camera", false},
                                                        {"!camera", true},
                                                        {"! board", false},
                                                        {"board=rpi4", true},
                                                        {"board=rpi", false},
                                                        {"board!=rpi4", false},
                                                        {"board!=x86", true},
                                                        {"camera!=x", true},
                                                        {"ram>=4GiB", true},
                                                        {"ram>4GiB", false},
                                                        {"ram >= 4096MiB", true},
                                                        {"ram>4294967295", true},
                                                        {"ram<5GB", true},
                                                        {"ram<=3.9GiB", false},
                                                        {"camera>=1", false},
                                                        {"board>=1", false},
                                                        {"voltage=2.9..3.6", true},
                                                        {"voltage=3.3..3.3", true},
                                                        {"voltage=3.31..", false},
                                                        {"voltage=..3.30", true},
                                                        {"voltage=3.30", false},
                                                        {"fw>=1.2.9", true},
                                                        {"fw>=1.2.11", false},
                                                        {"fw>v1", true},
                                                        {"fw<1.2.10.1", true},
                                                        {"fw>=1.2.10-rc1", true},
                                                        {"board in (rpi3, rpi4)", true},
                                                        {"board in(rpi3)", false},
                                                        {"board not in (rpi3)", true},
                                                        {"camera not in (x)", true},
                                                        {"camera in (x)", false},
                                                        {"serial~57600", true},
                                                        {"serial~5760", false},
                                                        {"serial!~57600", false},
                                                        {"serial!~115200", true},
                                                        {"camera!~x", true},
                                                        {"\"odd name\"=\"a b\"", true},
                                                        {"path=../x", true},
                                                        {"path=\"../x\"", true},
                                                        {"flag", true}};
  for (const auto& [text, expected] : cases) EXPECT_EQ(fits(caps, text), expected) << text;
}

TEST(Requirement, ComparesVersionsByComponent) {
  const std::vector<std::pair<std::string, std::string>> ascending{{"1.2.9", "1.2.10"},     {"1.2-rc1", "1.2"},
                                                                   {"1.2-rc2", "1.2-rc10"}, {"v1.9", "1.10"},
                                                                   {"v2", "10.0.0"},        {"1.2.0-a", "1.2.0-b"}};
  for (const auto& [lower, higher] : ascending) {
    EXPECT_EQ(compare_measures(lower, higher), std::strong_ordering::less) << lower << " " << higher;
    EXPECT_EQ(compare_measures(higher, lower), std::strong_ordering::greater) << lower << " " << higher;
  }
  EXPECT_EQ(compare_measures("1.2.0", "v1.2"), std::strong_ordering::equal);
  EXPECT_EQ(compare_measures("1.10", "1.9"), std::strong_ordering::less) << "two plain numbers";
  EXPECT_EQ(compare_measures("0.1", "0.10"), std::strong_ordering::equal);
  EXPECT_EQ(compare_measures("1.1kB", "1100"), std::strong_ordering::equal) << "without rounding";
  EXPECT_EQ(compare_measures("-1", "1"), std::strong_ordering::less);
  EXPECT_EQ(compare_measures("4GiB", "1.2.3"), std::nullopt);
  EXPECT_EQ(compare_measures("many", "1"), std::nullopt);
}

TEST(Requirement, ComparesTheLargestAndTheSmallestNumbersExactly) {
  const std::vector<std::string> ascending{"-999999999999999TiB",
                                           "-999999999999998TiB",
                                           "-2",
                                           "-1.000000001",
                                           "-1",
                                           "0",
                                           "0.000000001",
                                           "4095.999999999KiB",
                                           "4MiB",
                                           "4.194305MB",
                                           "999999999999998TiB",
                                           "999999999999999TiB"};
  for (std::size_t lower = 0; lower < ascending.size(); ++lower) {
    for (std::size_t higher = 0; higher < ascending.size(); ++higher) {
      EXPECT_EQ(compare_measures(ascending[lower], ascending[higher]), lower <=> higher)
          << ascending[lower] << " " << ascending[higher];
    }
  }
  EXPECT_EQ(compare_measures("-0", "0.000"), std::strong_ordering::equal);
  EXPECT_EQ(compare_measures("-1TiB", "-1024GiB"), std::strong_ordering::equal);
  EXPECT_EQ(compare_measures("999999999999000TB", "999999999999PB"), std::nullopt);
}

struct Wrong {
  std::string text;
  std::size_t position;
  std::string message;
};

TEST(Requirement, PointsAtTheCharacterThatIsWrong) {
  const std::vector<Wrong> cases{{"", 0, "the name of a capability is expected"},
                                 {"=x", 0, "the name of a capability is expected"},
                                 {"ram>=", 5, "a value is expected"},
                                 {"ram>=4Gi", 5, "\"4Gi\" is no number, size"},
                                 {"ram>=1234567890123456", 5, "at most 15 digits"},
                                 {"ram > > 4", 6, "a value is expected"},
                                 {"ram 4", 4, "one of = != >= <= > < ~ !~ in, not in is expected"},
                                 {"arch in arm64", 8, "'(' is expected"},
                                 {"arch in (arm64", 14, "',' or ')' is expected"},
                                 {"arch in ()", 9, "a value is expected"},
                                 {"arch not (x)", 9, "\"in\" is expected"},
                                 {"board=rpi4 x", 11, "'x' is too much"},
                                 {"board=\"rpi4\"\u00e9", 12, "'\u00e9' is too much"},
                                 {"v=3.6..2.9", 2, "the range ends before it begins"},
                                 {"v=1GiB..1.2.3", 2, "1GiB and 1.2.3 cannot be compared"},
                                 {"\"open", 0, "the quotes are not closed"},
                                 {"a=\"x\\y\"", 5, "behind '\\' comes"},
                                 {"\"\"=x", 0, "0 bytes: 1 to 64 are allowed"},
                                 {std::string(65, 'k'), 0, "65 bytes: 1 to 64 are allowed"},
                                 {"a=" + std::string(257, 'v'), 2, "257 bytes: 1 to 256 are allowed"}};
  for (const auto& wrong : cases) {
    const auto parsed = parse_requirement(wrong.text);
    ASSERT_FALSE(parsed) << wrong.text;
    EXPECT_EQ(parsed.error().position, wrong.position) << wrong.text << ": " << parsed.error().message;
    EXPECT_NE(parsed.error().message.find(wrong.message), std::string::npos)
        << wrong.text << ": " << parsed.error().message;
  }
}

TEST(Requirement, IsTheSameAfterFormattingAndParsing) {
  std::mt19937 random(20'26);  // NOLINT(cert-msc32-c,cert-msc51-cpp): the same every time
  const auto pick = [&](std::size_t size) { return std::uniform_int_distribution<std::size_t>(0, size - 1)(random); };
  const std::vector<std::string> words{"a", "rpi4", "a b",    "\"", "\\", "1..2", "in", "not",
                                       "=", "é",    "1GiB..", "..", "-",  "()",   ","};
  const std::vector<std::string> measures{"1", "-2.5", "4GiB", "v1", "1.2.3-rc1"};
  for (int round = 0; round < 20'000; ++round) {
    Requirement requirement{
        .capability = words[pick(words.size())],
        .comparison = static_cast<Comparison>(pick(static_cast<std::size_t>(Comparison::kHasNot) + 1))};
    switch (requirement.comparison) {
      case Comparison::kPresent:
      case Comparison::kAbsent:
        break;
      case Comparison::kLess:
      case Comparison::kLessOrEqual:
      case Comparison::kGreater:
      case Comparison::kGreaterOrEqual:
        requirement.values = {measures[pick(measures.size())]};
        break;
      case Comparison::kRange: {
        const auto& end = measures[pick(measures.size())];
        const std::vector<std::vector<std::string>> ranges{{end, ""}, {"", end}, {end, end}};
        requirement.values = ranges[pick(ranges.size())];
        break;
      }
      case Comparison::kIn:
      case Comparison::kNotIn: {
        std::vector<std::string> set{words[pick(words.size())], words[pick(words.size())]};
        normalize(set);
        requirement.values = set;
        break;
      }
      case Comparison::kEqual:
      case Comparison::kNotEqual:
      case Comparison::kHas:
      case Comparison::kHasNot:
        requirement.values = {words[pick(words.size())]};
        break;
    }
    const auto text = format_requirement(requirement);
    const auto parsed = parse_requirement(text);
    ASSERT_TRUE(parsed) << text << ": " << parsed.error().message;
    EXPECT_TRUE(*parsed == requirement) << text;
    EXPECT_EQ(format_requirement(*parsed), text);
  }
}

TEST(Requirements, AreSortedLimitedAndNamedInErrors) {
  const auto parsed = parse_requirements({"ram>=4GiB", "!camera", "ram>=4GiB"});
  ASSERT_TRUE(parsed);
  EXPECT_EQ(format_requirements(*parsed), "!camera ram>=4GiB");
  EXPECT_EQ(parse_requirements({"camera", "ram>=4Gi"}).error().substr(0, 44),
            "Requirements: \"ram>=4Gi\", character 6: \"4Gi\"");
  EXPECT_EQ(parse_requirements(std::vector<std::string>(33, "x")).error(),
            "Requirements has 33 entries, at most 32 are allowed");
}

TEST(Demand, IsMetByWhatHasItsCapabilitiesAndMeetsItsRequirements) {
  const Demand demand{.caps = {{"board", "rpi4"}}, .requirements = {parse_requirement("ram>=4GiB").value()}};
  EXPECT_TRUE(meets({{"board", "rpi4"}, {"ram", "4GiB"}, {"more", ""}}, demand));
  EXPECT_FALSE(meets({{"board", "rpi4"}, {"ram", "2GiB"}}, demand));
  EXPECT_FALSE(meets({{"board", "rpi3"}, {"ram", "4GiB"}}, demand));
  EXPECT_FALSE(meets({{"ram", "4GiB"}}, demand));
}

TEST(Requirement, SaysWhatIsMissing) {
  const Capabilities caps{{"ram", "2GiB"}, {"serial", "9600"}, {"board", "x86"}, {"v", "5"}};
  const auto miss = [&](std::string_view text) { return describe_miss(caps, parse_requirement(text).value()); };
  EXPECT_EQ(miss("ram>=4GiB"), "ram is 2GiB, needs >= 4GiB");
  EXPECT_EQ(miss("v=2.9..3.6"), "v is 5, needs 2.9..3.6");
  EXPECT_EQ(miss("camera"), "has no camera");
  EXPECT_EQ(miss("!board"), "has board x86");
  EXPECT_EQ(miss("board in (rpi3, rpi4)"), "board is x86");
  EXPECT_EQ(miss("serial~57600"), "serial is 9600, which lacks 57600");
  EXPECT_EQ(miss("serial!~9600"), "serial is 9600, which has 9600");
}

}  // namespace
}  // namespace boruta

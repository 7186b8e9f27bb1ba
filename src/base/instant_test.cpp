#include "base/instant.hpp"

#include <gtest/gtest.h>

namespace boruta {
namespace {

using namespace std::chrono_literals;

Instant at(std::int64_t seconds, std::int64_t nanoseconds = 0) {
  return Instant(std::chrono::seconds(seconds) + Duration(nanoseconds));
}

struct Written {
  std::string text;
  WallTime time;
  /// Empty: `text` itself.
  std::string written_back{};
};

TEST(Rfc3339, IsReadAndWrittenAsGoDoes) {
  const std::vector<Written> table{
      {"1970-01-01T00:00:00Z", {at(0)}},
      {"2026-02-28T23:59:59Z", {at(1'772'323'199)}},
      {"2024-02-29T12:00:00Z", {at(1'709'208'000)}},
      {"2026-01-01T12:00:00.5Z", {at(1'767'268'800, 500'000'000)}},
      {"2026-01-01T12:00:00.000000001Z", {at(1'767'268'800, 1)}},
      {"2026-01-01T12:00:00.123456789+02:00", {at(1'767'261'600, 123'456'789), 120}},
      {"2026-01-01T12:00:00.120Z", {at(1'767'268'800, 120'000'000)}, "2026-01-01T12:00:00.12Z"},
      {"2026-01-01T12:00:00.000Z", {at(1'767'268'800)}, "2026-01-01T12:00:00Z"},
      {"2026-01-01T12:00:00+00:00", {at(1'767'268'800)}, "2026-01-01T12:00:00Z"},
      {"2026-01-01T12:00:00-00:00", {at(1'767'268'800)}, "2026-01-01T12:00:00Z"},
      {"2026-01-01T12:00:00-03:30", {at(1'767'281'400), -210}},
      {"2026-01-01T12:00:00+23:59", {at(1'767'182'460), 1439}},
      {"2026-01-01t12:00:00z", {at(1'767'268'800)}, "2026-01-01T12:00:00Z"},
      {"1969-12-31T23:59:59.999999999Z", {at(0, -1)}},
      {"1678-01-01T00:00:00Z", {at(-9'214'560'000)}},
      {"2261-12-31T23:59:59.999999999Z", {at(9'214'646'400, -1)}}};
  for (const auto& row : table) {
    const auto parsed = parse_rfc3339(row.text);
    ASSERT_TRUE(parsed.time) << row.text;
    EXPECT_EQ(*parsed.time, row.time) << row.text;
    EXPECT_EQ(format_rfc3339(*parsed.time), row.written_back.empty() ? row.text : row.written_back);
    std::string appended = "x";
    append_rfc3339(appended, *parsed.time);
    EXPECT_EQ(appended, "x" + format_rfc3339(*parsed.time));
  }
}

TEST(Rfc3339, ZeroTimeIsNotGiven) {
  const auto parsed = parse_rfc3339("0001-01-01T00:00:00Z");
  EXPECT_EQ(parsed.time, std::nullopt);
  EXPECT_EQ(parsed.error, std::nullopt);
}

TEST(Rfc3339, OutOfRangeIsToldApartFromNonsense) {
  for (const auto* text : {"0000-01-01T00:00:00Z", "0001-01-01T00:00:01Z", "0001-01-02T00:00:00Z",
                           "1677-12-31T23:59:59Z", "2262-01-01T00:00:00Z", "9999-12-31T23:59:59Z"}) {
    EXPECT_EQ(parse_rfc3339(text).error, TimeParseError::kOutOfRange) << text;
  }
}

TEST(Rfc3339, TakesNothingElse) {
  for (const auto* text : {"",
                           "2026",
                           "2026-01-01",
                           "2026-01-01 12:00:00Z",
                           "2026-01-01T12:00:00",
                           "2026-01-01T12:00Z",
                           "2026-1-01T12:00:00Z",
                           "2026-00-01T12:00:00Z",
                           "2026-13-01T12:00:00Z",
                           "2026-01-00T12:00:00Z",
                           "2026-01-32T12:00:00Z",
                           "2026-02-29T12:00:00Z",
                           "1900-02-29T12:00:00Z",
                           "2026-04-31T12:00:00Z",
                           "2026-01-01T24:00:00Z",
                           "2026-01-01T12:60:00Z",
                           "2026-01-01T12:00:60Z",
                           "2026-01-01T12:00:00.Z",
                           "2026-01-01T12:00:00,5Z",
                           "2026-01-01T12:00:00.0000000001Z",
                           "2026-01-01T12:00:00+24:00",
                           "2026-01-01T12:00:00+01:60",
                           "2026-01-01T12:00:00+0100",
                           "2026-01-01T12:00:00+01",
                           "2026-01-01T12:00:00Z ",
                           " 2026-01-01T12:00:00Z",
                           "-026-01-01T12:00:00Z",
                           "+2026-01-01T12:00:00Z",
                           "now"}) {
    EXPECT_EQ(parse_rfc3339(text).error, TimeParseError::kSyntax) << text;
    EXPECT_EQ(parse_rfc3339(text).time, std::nullopt) << text;
  }
}

TEST(Rfc3339, InWholeSecondsCutsTheFractionOff) {
  EXPECT_EQ(format_rfc3339_seconds(at(1'767'268'800, 999'999'999)), "2026-01-01T12:00:00Z");
  EXPECT_EQ(format_rfc3339_seconds(at(0, -1)), "1969-12-31T23:59:59Z");
}

TEST(CalendarMonth, RunsOverIntoTheNextWhereTheDayLacks) {
  const std::vector<std::pair<std::string, std::string>> table{
      {"2026-01-01T00:00:00Z", "2026-02-01T00:00:00Z"},
      {"2026-01-31T12:00:00.5Z", "2026-03-03T12:00:00.5Z"},
      {"2024-01-31T12:00:00Z", "2024-03-02T12:00:00Z"},
      {"2026-01-28T23:59:59Z", "2026-02-28T23:59:59Z"},
      {"2026-01-29T00:00:00Z", "2026-03-01T00:00:00Z"},
      {"2026-03-31T00:00:00Z", "2026-05-01T00:00:00Z"},
      {"2026-12-31T23:00:00Z", "2027-01-31T23:00:00Z"},
      {"1969-12-31T23:59:59.999999999Z", "1970-01-31T23:59:59.999999999Z"}};
  for (const auto& [before, after] : table) {
    EXPECT_EQ(format_rfc3339(add_calendar_month(parse_rfc3339(before).time->at)), after) << before;
  }
}

TEST(DurationText, IsASumOfNumbersWithUnits) {
  const std::vector<std::pair<std::string, std::optional<Duration>>> table{{"0", 0s},
                                                                           {"0s", 0s},
                                                                           {"90s", 90s},
                                                                           {"1h30m", 90min},
                                                                           {"500ms", 500ms},
                                                                           {"2d", 48h},
                                                                           {"1d2h3m4s5ms", 26h + 3min + 4s + 5ms},
                                                                           {"1m1m", 2min},
                                                                           {"36525d", 24h * 36525},
                                                                           {"36525d1ms", std::nullopt},
                                                                           {"36526d", std::nullopt},
                                                                           {"4294967295d", std::nullopt},
                                                                           {"4294967296ms", std::nullopt},
                                                                           {"", std::nullopt},
                                                                           {"1", std::nullopt},
                                                                           {"00", std::nullopt},
                                                                           {"s", std::nullopt},
                                                                           {"-1s", std::nullopt},
                                                                           {"+1s", std::nullopt},
                                                                           {"1.5h", std::nullopt},
                                                                           {"1 s", std::nullopt},
                                                                           {"1s ", std::nullopt},
                                                                           {"1S", std::nullopt},
                                                                           {"1us", std::nullopt},
                                                                           {"1h30", std::nullopt},
                                                                           {"1hour", std::nullopt}};
  for (const auto& [text, expected] : table) EXPECT_EQ(parse_duration(text), expected) << text;
}

TEST(DurationText, IsWrittenAsShortAsItCanBe) {
  const std::vector<std::tuple<Duration, std::string, std::string>> table{{0s, "0s", "0 s"},
                                                                          {999us, "0s", "0 s"},
                                                                          {-1s, "0s", "0 s"},
                                                                          {1ms, "1ms", "1 ms"},
                                                                          {90s, "1m30s", "1 m 30 s"},
                                                                          {24h, "24h", "24 h"},
                                                                          {2min, "2m", "2 m"},
                                                                          {1h + 1s, "1h1s", "1 h 1 s"},
                                                                          {10min, "10m", "10 m"},
                                                                          {90min, "1h30m", "1 h 30 m"},
                                                                          {48h + 5ms, "48h5ms", "48 h 5 ms"}};
  for (const auto& [duration, text, spaced] : table) {
    EXPECT_EQ(format_duration(duration), text);
    EXPECT_EQ(format_duration_spaced(duration), spaced);
    if (duration >= 1ms) {
      EXPECT_EQ(parse_duration(text), duration);
    }
  }
}

}  // namespace
}  // namespace boruta

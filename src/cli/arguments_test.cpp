#include "cli/arguments.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <cstdlib>

namespace boruta::cli {
namespace {

using namespace std::chrono_literals;

TEST(Arguments, EndAtTheFirstDoubleDash) {
  const std::vector<std::string> words{"run", "a=b", "--", "sh", "--", "x"};
  const auto split = split_command(words);
  EXPECT_EQ(split.arguments, (std::vector<std::string>{"run", "a=b"}));
  EXPECT_EQ(split.command, (std::vector<std::string>{"sh", "--", "x"}));
  EXPECT_FALSE(split_command(std::vector<std::string>{"run"}).command.has_value());
  EXPECT_EQ(split_command(std::vector<std::string>{"--"}).command, std::vector<std::string>{});
}

TEST(Arguments, ReadWhatAWorkerMustHave) {
  const std::vector<std::string> words{"board=rpi4", "empty=",           "eq=a=b",     "name=left desk",
                                       "ram>=4GiB",  "voltage=2.9..3.6", "ram=2GiB..", "!camera",
                                       "wifi",       "arch in (arm64)"};
  const auto demand = parse_demand(words).value();
  EXPECT_EQ(demand.caps, (Capabilities{{"board", "rpi4"}, {"empty", ""}, {"eq", "a=b"}, {"name", "left desk"}}));
  EXPECT_EQ(format_requirements(demand.requirements),
            "arch in (arm64) !camera ram>=4GiB ram=2GiB.. voltage=2.9..3.6 wifi");
  EXPECT_TRUE(parse_demand({}).value().caps.empty());
}

TEST(Arguments, PointAtWhatIsWrong) {
  const std::vector<std::pair<std::vector<std::string>, std::string>> table{
      {{"=rpi4"}, "=rpi4\n        ^ the name of a capability is expected"},
      {{"a=1", "a=1"}, "\"a=1\": a is given twice"},
      {{"./flash.sh"}, "\"./flash.sh\" is no capability to ask for; a command to run goes after \"--\""},
      {{"ram>=4Gi"}, "ram>=4Gi\n             ^ \"4Gi\" is no number, size"},
      {{"serial~=1"}, "serial~=1\n               ^ a value is expected"},
      {{"k=" + std::string(257, 'x')}, "\"k\""},
  };
  for (const auto& [words, message] : table) {
    const auto parsed = parse_demand(words);
    ASSERT_FALSE(parsed.has_value()) << words[0];
    EXPECT_NE(parsed.error().find(message), std::string::npos) << parsed.error();
  }
  EXPECT_NE(parse_demand(std::vector<std::string>{"\x1b[2J"}).error().find("\uFFFD[2J"), std::string::npos);
}

TEST(Arguments, ReadRequestNumbers) {
  EXPECT_EQ(parse_request_id("42").value(), RequestId{42});
  for (const auto* text : {"", "0", "-1", "4x", "x", "18446744073709551616", "4.2", " 4"}) {
    EXPECT_FALSE(parse_request_id(text).has_value()) << text;
  }
}

TEST(Arguments, ReadSpans) {
  EXPECT_EQ(parse_span("--lease", "90s").value(), Duration(90s));
  for (const auto* text : {"", "0", "90", "90x", "-1s", "1h 3m"}) {
    const auto parsed = parse_span("--lease", text);
    ASSERT_FALSE(parsed.has_value()) << text;
    EXPECT_TRUE(parsed.error().starts_with("--lease \"")) << parsed.error();
  }
}

class ArgumentsTime : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    ::setenv("TZ", "UTC-2", 1);  // two hours east
    ::tzset();
  }
  std::string read(std::string_view text) {
    const auto parsed = parse_when("--deadline", text, now_);
    return parsed ? format_rfc3339(*parsed) : "refused";
  }
  Instant now_ = parse_rfc3339("2030-03-06T14:00:00Z").time->at;
};

TEST_F(ArgumentsTime, ReadSpansFromNowClockTimesAndDates) {
  const std::pair<const char*, const char*> table[] = {
      {"2h", "2030-03-06T16:00:00Z"},
      {"17:30", "2030-03-06T15:30:00Z"},
      {"15:30", "2030-03-07T13:30:00Z"},
      {"16:00", "2030-03-07T14:00:00Z"},
      {"2030-04-01", "2030-03-31T22:00:00Z"},
      {"2030-04-01 17:30", "2030-04-01T15:30:00Z"},
      {"2030-04-01T17:30", "2030-04-01T15:30:00Z"},
      {"2030-04-01T17:30:00+05:30", "2030-04-01T17:30:00+05:30"},
      {"2030-04-31", "refused"},
      {"24:00", "refused"},
      {"17:60", "refused"},
      {"7:30", "refused"},
      {"tomorrow", "refused"},
      {"", "refused"},
      {"2030-04-01 17:30 x", "refused"},
      {"2030-04-01x", "refused"},
  };
  for (const auto& [text, time] : table) EXPECT_EQ(read(text), time) << text;
}

}  // namespace
}  // namespace boruta::cli

#include "cli/text.hpp"

#include <gtest/gtest.h>

#include <chrono>

namespace boruta::cli {
namespace {

using namespace std::chrono_literals;

TEST(Text, TakesFromTerminalsWhatTheyWouldObey) {
  EXPECT_EQ(printable("rpi4 é 漢"), "rpi4 é 漢");
  EXPECT_EQ(printable("a\x1b[31mb"), "a\uFFFD[31mb");
  EXPECT_EQ(printable("a\r\nb\tc"), "a\uFFFD\uFFFDb\uFFFDc");
  EXPECT_EQ(printable("\xC2\x9B"), "\uFFFD") << "the one-character CSI";
  EXPECT_EQ(printable("a\u202Eb"), "a\uFFFDb") << "right-to-left override";
  EXPECT_EQ(printable("\xFF\xC3"), "\uFFFD\uFFFD") << "no UTF-8";
}

struct Width {
  const char* text;
  std::size_t columns;
};

TEST(Text, CountsColumnsAsATerminalDoes) {
  const Width table[] = {{"", 0},     {"abc", 3}, {"é", 1},          {"e\u0301", 1},
                         {"漢字", 4}, {"…·", 2},  {"\U0001F600", 2}, {"\xFF", 1}};
  for (const auto& [text, columns] : table) EXPECT_EQ(display_width(text), columns) << text;
}

TEST(Text, PadsAndCutsByColumns) {
  EXPECT_EQ(pad("漢", 4), "漢  ");
  EXPECT_EQ(pad("abc", 2), "abc");
  EXPECT_EQ(cut("abcdef", 4), "abc…");
  EXPECT_EQ(cut("abcd", 4), "abcd");
  EXPECT_EQ(cut("漢字漢", 4), "漢…");
  EXPECT_EQ(cut("abc", 0), "");
}

TEST(Text, CountsInEnglish) {
  EXPECT_EQ(plural(1, "worker", "workers"), "1 worker");
  EXPECT_EQ(plural(0, "worker", "workers"), "0 workers");
  const std::pair<std::uint64_t, const char*> table[] = {{1, "1st"},     {2, "2nd"},     {3, "3rd"},    {4, "4th"},
                                                         {11, "11th"},   {12, "12th"},   {13, "13th"},  {21, "21st"},
                                                         {100, "100th"}, {101, "101st"}, {111, "111th"}};
  for (const auto& [number, text] : table) EXPECT_EQ(ordinal(number), text);
}

TEST(Text, TellsSpansInTwoUnits) {
  const std::pair<Duration, const char*> table[] = {
      {-5s, "0 s"},      {0s, "0 s"},          {8s, "8 s"},         {59999ms, "59 s"},     {60s, "1 m 00 s"},
      {63s, "1 m 03 s"}, {3599s, "59 m 59 s"}, {3600s, "1 h 00 m"}, {86399s, "23 h 59 m"}, {76h, "3 d 04 h"}};
  for (const auto& [span, text] : table) EXPECT_EQ(format_span(span), text);
}

TEST(Text, TellsSizesInThreeDigits) {
  const std::pair<std::uint64_t, const char*> table[] = {
      {0, "0 B"},      {999, "999 B"},      {1000, "1.0 kB"},    {1549, "1.5 kB"},        {9949, "9.9 kB"},
      {9951, "10 kB"}, {999'499, "999 kB"}, {999'500, "1.0 MB"}, {412'000'000, "412 MB"}, {7'300'000'000, "7.3 GB"}};
  for (const auto& [bytes, text] : table) EXPECT_EQ(format_bytes(bytes), text) << bytes;
}

std::tm at(int year, int month, int day, int hour, int minute) {
  std::tm time{};
  time.tm_year = year - 1900;
  time.tm_mon = month - 1;
  time.tm_mday = day;
  time.tm_hour = hour;
  time.tm_min = minute;
  time.tm_isdst = 0;
  ::timegm(&time);  // fills in the day of the week
  return time;
}

TEST(Text, TellsTimesAsShortAsTheyAreClear) {
  const auto now = at(2030, 3, 6, 14, 0);  // a Wednesday
  EXPECT_EQ(short_time(at(2030, 3, 6, 9, 4), now), "09:04");
  EXPECT_EQ(short_time(at(2030, 3, 6, 23, 59), now), "23:59");
  EXPECT_EQ(short_time(at(2030, 3, 5, 23, 59), now), "Tue 23:59");
  EXPECT_EQ(short_time(at(2030, 3, 4, 17, 40), now), "Mon 17:40");
  EXPECT_EQ(short_time(at(2030, 2, 28, 17, 40), now), "Thu 17:40") << "six days ago";
  EXPECT_EQ(short_time(at(2030, 2, 27, 17, 40), now), "2030-02-27");
  EXPECT_EQ(short_time(at(2030, 3, 7, 0, 30), now), "Thu 00:30");
  EXPECT_EQ(short_time(at(2031, 3, 6, 14, 0), now), "2031-03-06");
}

TEST(Text, TellsTimesToTheSecond) {
  const auto now = at(2030, 3, 6, 14, 0);
  auto then = at(2030, 3, 6, 9, 4);
  then.tm_sec = 7;
  EXPECT_EQ(exact_time(then, now), "09:04:07");
  EXPECT_EQ(exact_time(at(2030, 3, 4, 17, 40), now), "Mon 17:40:00");
  EXPECT_EQ(exact_time(at(2030, 2, 27, 17, 40), now), "2030-02-27 17:40:00");
}

TEST(Text, GuessesWhatWasMeant) {
  const std::vector<std::string> known{"workers", "request", "requests", "run", "close"};
  EXPECT_EQ(nearest_word("wrokers", known), "workers");
  EXPECT_EQ(nearest_word("clsoe", known), "close");
  EXPECT_EQ(nearest_word("wor", known), "workers");
  EXPECT_EQ(nearest_word("requestz", known), "request");
  EXPECT_EQ(nearest_word("elephant", known), "");
  EXPECT_EQ(nearest_word("x", known), "");
}

TEST(Text, JoinsLikeASentence) {
  EXPECT_EQ(join_and({}), "");
  EXPECT_EQ(join_and({"a"}), "a");
  EXPECT_EQ(join_and({"a", "b"}), "a and b");
  EXPECT_EQ(join_and({"a", "b", "c"}), "a, b and c");
}

TEST(Text, LinesUpLabels) {
  EXPECT_EQ(labelled("waiting", "x"), "waiting      x");
  EXPECT_EQ(labelled("request 42", "x"), "request 42   x");
  EXPECT_EQ(labelled("request 1000000", "x"), "request 1000000 x");
}

}  // namespace
}  // namespace boruta::cli

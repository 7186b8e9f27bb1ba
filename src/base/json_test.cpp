#include "base/json.hpp"

#include <gtest/gtest.h>

#include <limits>

#include "base/limits.hpp"
#include "base/utf8.hpp"

namespace boruta {
namespace {

std::string written(std::string_view text) {
  std::string out;
  append_json_string(out, text);
  return out;
}

std::string text_in(std::string_view json) {
  const auto value = parse_json(json);
  return value ? value->text : "error: " + value.error();
}

std::string nested(std::size_t levels) { return std::string(levels, '[') + std::string(levels, ']'); }

TEST(Json, KeepsNumbersAsTheyWereWritten) {
  for (const char* number : {"0", "-0", "18446744073709551615", "1.50", "1e+1", "-12E-3"}) {
    EXPECT_EQ(text_in(number), number);
  }
}

TEST(Json, UnescapesStringsAndReplacesWhatIsNotUnicode) {
  EXPECT_EQ(text_in(R"("\u00e9\ud83d\ude00 \u2028 \"q\" \/\b\f\n\r\t")"), "é😀 \xE2\x80\xA8 \"q\" /\b\f\n\r\t");
  EXPECT_EQ(text_in(R"("\ud800 \udc00 \ud800\u0041 \ud800")"), "\uFFFD \uFFFD \uFFFDA \uFFFD");
  EXPECT_EQ(text_in("\"\xC0\xAF\xED\xA0\x80 é\""), "\uFFFD\uFFFD\uFFFD\uFFFD\uFFFD é");
}

struct BrokenJson {
  std::string_view text;
  std::string_view error;
};

TEST(Json, SaysWhereItIsBroken) {
  const BrokenJson cases[] = {
      {"", "the JSON ends too early: a value is expected"},
      {"{", "the JSON ends too early: a name in quotes is expected"},
      {"{\"Priority\":8", "the JSON ends too early: \",\" or \"}\" is expected"},
      {"nonsense", "the JSON is broken at byte 1: a value is expected"},
      {"{\"a\" 1}", "the JSON is broken at byte 6: \":\" is expected"},
      {"{a:1}", "the JSON is broken at byte 2: a name in quotes is expected"},
      {"[1,]", "the JSON is broken at byte 4: a value is expected"},
      {"[1 2]", "the JSON is broken at byte 4: \",\" or \"]\" is expected"},
      {"{} x", "the JSON is broken at byte 4: nothing may follow the JSON value"},
      {"\"b\nc\"", "the JSON is broken at byte 3: a control character in a string must be escaped"},
      {"\"abc", "the JSON ends too early: a string is not closed"},
      {"\"\\x\"", "the JSON is broken at byte 3: after \"\\\" one of \" \\ / b f n r t u is expected"},
      {"\"\\u12g4\"", "the JSON is broken at byte 3: after \"\\u\" four hexadecimal digits are expected"},
      {"-", "the JSON ends too early: a digit is expected"},
      {"01", "the JSON is broken at byte 2: nothing may follow the JSON value"},
      {"1.", "the JSON ends too early: a digit is expected"},
      {"1e", "the JSON ends too early: a digit is expected"},
      {"+1", "the JSON is broken at byte 1: a value is expected"},
      {std::string_view("\0", 1), "the JSON is broken at byte 1: a value is expected"},
  };
  for (const auto& [text, error] : cases) {
    const auto value = parse_json(text);
    ASSERT_FALSE(value) << text;
    EXPECT_EQ(value.error(), error) << text;
  }
}

TEST(Json, NestsAsDeepAsTheLimitAndNoDeeper) {
  EXPECT_TRUE(parse_json(nested(limits::kJsonDepth)));
  const auto value = parse_json(nested(limits::kJsonDepth + 1));
  ASSERT_FALSE(value);
  EXPECT_NE(value.error().find("32 levels"), std::string::npos) << value.error();
}

struct Everything {
  std::string text = "old";
  bool boolean = false;
  std::optional<std::int64_t> integer;
  std::optional<std::uint64_t> id;
  std::optional<WallTime> time;
  std::optional<Duration> duration;
  std::vector<std::string> texts;
  std::vector<std::int64_t> integers;
  std::vector<std::uint64_t> ids;
  Capabilities caps;
  std::string inner;
};

std::string read_everything(std::string_view json, Everything& out) {
  const auto value = parse_json(json);
  if (!value) return value.error();
  std::string error;
  JsonFields fields(*value, "", error);
  fields.text("Text", out.text);
  fields.boolean("Bool", out.boolean);
  fields.integer("Int", out.integer, 1, 16);
  fields.unsigned_integer("ID", out.id);
  fields.time("Time", out.time);
  fields.duration("Lease", out.duration);
  fields.texts("Texts", out.texts);
  fields.integers("Ints", out.integers, 0, 255);
  fields.unsigned_integers("IDs", out.ids);
  fields.caps("Caps", out.caps);
  fields.object("Nested", [&](JsonFields& nested_fields) { nested_fields.text("Inner", out.inner); });
  return error;
}

TEST(JsonFields, ReadsEveryKindInAnyCaseOfName) {
  Everything out;
  const auto error = read_everything(
      R"({"TEXT":"t","bool":true,"Int":16,"id":18446744073709551615,"Time":"1970-01-01T01:00:01+01:00",
          "lease":"1m30s","Texts":["a","b"],"ints":[0,255],"iDs":[7],"Caps":{"a":"1"},"nested":{"inner":"i"},
          "Unknown":{"x":[1]}})",
      out);
  EXPECT_EQ(error, "");
  EXPECT_EQ(out.text, "t");
  EXPECT_TRUE(out.boolean);
  EXPECT_EQ(out.integer, 16);
  EXPECT_EQ(out.id, std::numeric_limits<std::uint64_t>::max());
  EXPECT_EQ(out.time, (WallTime{.at = Instant(std::chrono::seconds(1)), .offset_minutes = 60}));
  EXPECT_EQ(out.duration, std::chrono::seconds(90));
  EXPECT_EQ(out.texts, (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(out.integers, (std::vector<std::int64_t>{0, 255}));
  EXPECT_EQ(out.ids, (std::vector<std::uint64_t>{7}));
  EXPECT_EQ(out.caps, (Capabilities{{"a", "1"}}));
  EXPECT_EQ(out.inner, "i");
}

TEST(JsonFields, LeavesWhatIsMissingOrNullAsItIs) {
  for (const char* json : {"{}", "null", R"({"Text":null,"Int":null,"Time":null,"Caps":null,"Nested":null})"}) {
    Everything out;
    EXPECT_EQ(read_everything(json, out), "") << json;
    EXPECT_EQ(out.text, "old") << json;
    EXPECT_FALSE(out.integer || out.time) << json;
  }
}

TEST(JsonFields, TakesTheLastOfARepeatedNameAndMergesObjects) {
  Everything out;
  EXPECT_EQ(read_everything(R"({"Int":1,"Caps":{"a":"1"},"int":2,"Caps":{"b":"2","a":"3"}})", out), "");
  EXPECT_EQ(out.integer, 2);
  EXPECT_EQ(out.caps, (Capabilities{{"a", "3"}, {"b", "2"}}));
}

TEST(JsonFields, NamesTheFieldTheValueAndWhatIsAllowed) {
  const BrokenJson cases[] = {
      {"[]", "the body is a list: an object is expected"},
      {"\"x\"", "the body is \"x\": an object is expected"},
      {R"({"text":1})", "Text is 1: a string is expected"},
      {R"({"Bool":"true"})", "Bool is \"true\": true or false is expected"},
      {R"({"Int":1.5})", "Int is 1.5: a whole number from 1 to 16 is expected"},
      {R"({"Int":1e1})", "Int is 1e1: a whole number from 1 to 16 is expected"},
      {R"({"Int":"8"})", "Int is \"8\": a whole number from 1 to 16 is expected"},
      {R"({"Int":300})", "Int is 300: a whole number from 1 to 16 is expected"},
      {R"({"Int":99999999999999999999})", "Int is 99999999999999999999: a whole number from 1 to 16 is expected"},
      {R"({"ID":-1})", "ID is -1: a whole number from 0 to 18446744073709551615 is expected"},
      {R"({"Time":"tomorrow"})", "Time is \"tomorrow\": a time like \"2030-01-02T15:04:05Z\" is expected"},
      {R"({"Time":5})", "Time is 5: a time like \"2030-01-02T15:04:05Z\" is expected"},
      {R"({"Time":"1066-10-14T09:00:00Z"})",
       "Time is \"1066-10-14T09:00:00Z\": a time in the years from 1678 to 2261 is expected"},
      {R"({"Lease":"soon"})", "Lease is \"soon\": a duration like \"90s\", \"10m\" or \"1h30m\" is expected"},
      {R"({"Lease":90})", "Lease is 90: a duration like \"90s\", \"10m\" or \"1h30m\" is expected"},
      {R"({"Texts":"a"})", "Texts is \"a\": a list of strings is expected"},
      {R"({"Texts":["a",{}]})", "Texts[1] is an object: a string is expected"},
      {R"({"Ints":"CA=="})", "Ints is \"CA==\": a list of whole numbers is expected"},
      {R"({"Ints":[1,256]})", "Ints[1] is 256: a whole number from 0 to 255 is expected"},
      {R"({"IDs":[null]})", "IDs[0] is null: a whole number from 0 to 18446744073709551615 is expected"},
      {R"({"Caps":[]})", "Caps is a list: an object of strings is expected"},
      {R"({"Caps":{"ram":4}})", "Caps.ram is 4: a string is expected"},
      {R"({"Nested":[1]})", "Nested is a list: an object is expected"},
      {R"({"Nested":{"INNER":false}})", "Nested.Inner is false: a string is expected"},
  };
  for (const auto& [json, error] : cases) {
    Everything out;
    EXPECT_EQ(read_everything(json, out), error) << json;
  }
}

TEST(JsonFields, ShortensLongValuesInErrors) {
  const std::string long_text(10'000, 'x');
  const std::string digits(10'000, '7');
  for (const auto& json : {R"({"Time":")" + long_text + "\"}", R"({"Int":)" + digits + "}",
                           R"({"Caps":{")" + long_text + "\":1}}", R"({"IDs":[)" + digits + "]}"}) {
    Everything out;
    EXPECT_LT(read_everything(json, out).size(), 200U) << json.substr(0, 10);
  }
}

TEST(JsonFields, CutsLongValuesBetweenCharacters) {
  std::string accents = "x";
  while (accents.size() < 100) accents += "é";
  Everything out;
  const auto error = read_everything(R"({"Bool":")" + accents + "\"}", out);
  EXPECT_EQ(error, "Bool is \"" + accents.substr(0, 63) + "…\": true or false is expected");
}

TEST(JsonWriter, EscapesAsGoDoes) {
  EXPECT_EQ(written("<a&b>"), R"("\u003ca\u0026b\u003e")");
  EXPECT_EQ(written("\"\\/\n\r\t\b\f\x01\x7f"), "\"\\\"\\\\/\\n\\r\\t\\u0008\\u000c\\u0001\x7f\"");
  EXPECT_EQ(written("é😀 \xE2\x80\xA8\xE2\x80\xA9"), "\"é😀 \\u2028\\u2029\"");
  EXPECT_EQ(written("a\xFFz"), "\"a\\ufffdz\"");
}

TEST(JsonWriter, PutsCommasWhereTheyBelong) {
  std::string out;
  JsonWriter json(out);
  json.begin_object();
  json.key("Number");
  json.number(std::numeric_limits<std::uint64_t>::max());
  json.key("List");
  json.texts({"a", "b"});
  json.key("None");
  json.caps({});
  json.key("Caps");
  json.caps({{"x", "1"}, {"y", "2"}});
  json.key("At");
  json.time(WallTime{.at = Instant(std::chrono::milliseconds(1500)), .offset_minutes = -90});
  json.key("Yes");
  json.boolean(true);
  json.end_object();
  EXPECT_EQ(out, R"({"Number":18446744073709551615,"List":["a","b"],"None":null,"Caps":{"x":"1","y":"2"},)"
                 R"("At":"1969-12-31T22:30:01.5-01:30","Yes":true})");
}

TEST(Utf8, KnowsWellFormedSequences) {
  EXPECT_EQ(utf8_sequence_length("a"), 1U);
  EXPECT_EQ(utf8_sequence_length("é"), 2U);
  EXPECT_EQ(utf8_sequence_length("€"), 3U);
  EXPECT_EQ(utf8_sequence_length("😀"), 4U);
  for (const char* bad : {"\x80", "\xC0\x80", "\xE0\x80\x80", "\xED\xA0\x80", "\xF0\x80\x80\x80", "\xF4\x90\x80\x80",
                          "\xF5\x80\x80\x80", "\xC3", "\xE2\x82", "\xF0\x9F\x98", "\xE2\x28\xA1", ""}) {
    EXPECT_EQ(utf8_sequence_length(bad), 0U) << bad;
  }
}

TEST(Utf8, CutsBetweenCharacters) {
  EXPECT_EQ(utf8_prefix("ab", 2), "ab");
  EXPECT_EQ(utf8_prefix("abc", 2), "ab");
  EXPECT_EQ(utf8_prefix("aé", 2), "a");
  EXPECT_EQ(utf8_prefix("aéb", 3), "aé");
  EXPECT_EQ(utf8_prefix("😀", 3), "");
}

}  // namespace
}  // namespace boruta

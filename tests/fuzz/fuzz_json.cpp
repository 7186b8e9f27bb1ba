// JSON as the API takes and gives it. The input is the text.
#include <boost/json/parse.hpp>

#include "base/json.hpp"
#include "base/limits.hpp"
#include "oracle.hpp"

namespace boruta {
namespace {

using fuzz::check;

void write(const JsonValue& value, std::string& out);

void write_items(const JsonValue& value, std::string& out) {
  for (std::size_t at = 0; at < value.items.size(); ++at) {
    if (at > 0) out.push_back(',');
    write(value.items[at], out);
  }
}

void write_members(const JsonValue& value, std::string& out) {
  for (std::size_t at = 0; at < value.members.size(); ++at) {
    if (at > 0) out.push_back(',');
    append_json_string(out, value.members[at].name);
    out.push_back(':');
    write(value.members[at].value, out);
  }
}

void write(const JsonValue& value, std::string& out) {
  JsonWriter json(out);
  switch (value.kind) {
    case JsonValue::Kind::kNull:
      return json.null();
    case JsonValue::Kind::kBool:
      return json.boolean(value.boolean);
    case JsonValue::Kind::kNumber:
      return json.raw(value.text);
    case JsonValue::Kind::kString:
      return json.text(value.text);
    case JsonValue::Kind::kArray:
      json.begin_array();
      write_items(value, out);
      return json.end_array();
    case JsonValue::Kind::kObject:
      json.begin_object();
      write_members(value, out);
      return json.end_object();
  }
}

bool same(const JsonValue& left, const JsonValue& right) {
  const auto same_member = [](const JsonMember& one, const JsonMember& other) {
    return one.name == other.name && same(one.value, other.value);
  };
  return left.kind == right.kind && left.boolean == right.boolean && left.text == right.text &&
         std::equal(left.items.begin(), left.items.end(), right.items.begin(), right.items.end(), same) &&
         std::equal(left.members.begin(), left.members.end(), right.members.begin(), right.members.end(), same_member);
}

/// How deep `value` nests; checks all text on the way.
std::size_t depth_of(const JsonValue& value) {
  check(fuzz::is_utf8(value.text), "text is UTF-8", value.text);
  std::size_t deepest = 0;
  for (const auto& item : value.items) deepest = std::max(deepest, depth_of(item));
  for (const auto& member : value.members) {
    check(fuzz::is_utf8(member.name), "a name is UTF-8", member.name);
    deepest = std::max(deepest, depth_of(member.value));
  }
  const bool nests = value.kind == JsonValue::Kind::kArray || value.kind == JsonValue::Kind::kObject;
  return deepest + (nests ? 1 : 0);
}

void check_times(const std::optional<WallTime>& time, const std::optional<Duration>& duration) {
  if (time) {
    const auto again = parse_rfc3339(format_rfc3339(*time));
    check(again.time == time, "a time that is written reads the same", format_rfc3339(*time));
  }
  if (duration) {
    check(parse_duration(format_duration(*duration)) == duration, "a duration that is written reads the same",
          format_duration(*duration));
  }
}

void read_fields(const JsonValue& value) {
  std::string text;
  std::string inner;
  bool boolean = false;
  std::optional<std::int64_t> integer;
  std::optional<std::uint64_t> id;
  std::optional<WallTime> time;
  std::optional<Duration> duration;
  std::vector<std::string> texts;
  std::vector<std::int64_t> integers;
  std::vector<std::uint64_t> ids;
  Capabilities caps;
  std::string error;
  JsonFields fields(value, "", error);
  fields.text("Text", text);
  fields.boolean("Bool", boolean);
  fields.integer("Int", integer, 1, 16);
  fields.unsigned_integer("ID", id);
  fields.time("Time", time);
  fields.duration("Lease", duration);
  fields.texts("Texts", texts);
  fields.integers("Ints", integers, 0, 255);
  fields.unsigned_integers("IDs", ids);
  fields.caps("Caps", caps);
  fields.object("Nested", [&](JsonFields& nested) {
    nested.text("Inner", inner);
    if (!inner.empty()) nested.complain("Inner", inner, "nothing");
  });
  if (!error.empty()) return fuzz::check_error(error);
  check(!integer || (*integer >= 1 && *integer <= 16), "a number is in its range");
  check_times(time, duration);
}

void parse_and_write(std::string_view text) {
  const auto value = parse_json(text);
  boost::json::error_code other_error;
  boost::json::parse(boost::json::string_view(text.data(), text.size()), other_error);
  if (!value) {
    fuzz::check_error(value.error());
    check(other_error.failed(), "what another parser takes, this one takes", value.error());
    return;
  }
  check(depth_of(*value) <= limits::kJsonDepth, "what is too deep is refused");
  std::string written;
  write(*value, written);
  const auto again = parse_json(written);
  check(again.has_value(), "what was written is JSON", written);
  check(same(*value, *again), "what was written is the same value", written);
  read_fields(*value);
}

}  // namespace
}  // namespace boruta

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  boruta::parse_and_write(boruta::fuzz::text_of(data, size));
  return 0;
}

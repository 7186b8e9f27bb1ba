#pragma once

#include <cstddef>
#include <cstdint>
#include <expected>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/caps.hpp"
#include "base/instant.hpp"

/// JSON as the API takes and gives it: read the way Go's decoder reads (names in any case, unknown ones ignored,
/// repeated objects merged), written the way Go's encoder writes.
namespace boruta {

struct JsonMember;

/// A parsed value that keeps numbers as they were written, and repeated names.
struct JsonValue {
  enum class Kind : std::uint8_t { kNull, kBool, kNumber, kString, kArray, kObject };

  Kind kind = Kind::kNull;
  bool boolean = false;
  /// Of a string, unescaped; of a number, as written.
  std::string text;
  std::vector<JsonValue> items;
  std::vector<JsonMember> members;
};

struct JsonMember {
  std::string name;
  JsonValue value;
};

/// Parses one value with nothing but white space around it. Invalid UTF-8 and lone surrogates become U+FFFD. The
/// error, for people, says where and what; too deep nesting (limits::kJsonDepth) is one.
[[nodiscard]] std::expected<JsonValue, std::string> parse_json(std::string_view text);

/// Reads the members of one object into variables, which stay as they are where a member is missing or null.
/// The first thing wrong is kept, naming the member, its value and what is allowed; what follows is then skipped.
class JsonFields {
 public:
  /// Null is read as an empty object. `error` outlives the reader, and nested readers share it.
  JsonFields(const JsonValue& value, std::string path, std::string& error);

  void text(std::string_view name, std::string& out);
  void boolean(std::string_view name, bool& out);
  /// A whole number without point or exponent, from `lowest` to `highest`; `wanted` says so in words of its own.
  void integer(std::string_view name, std::optional<std::int64_t>& out, std::int64_t lowest, std::int64_t highest,
               std::string_view wanted = {});
  void unsigned_integer(std::string_view name, std::optional<std::uint64_t>& out);
  /// RFC 3339; Go's zero time is nothing.
  void time(std::string_view name, std::optional<WallTime>& out);
  /// Text like "90s" or "1h30m".
  void duration(std::string_view name, std::optional<Duration>& out);
  void texts(std::string_view name, std::vector<std::string>& out);
  void integers(std::string_view name, std::vector<std::int64_t>& out, std::int64_t lowest, std::int64_t highest);
  void unsigned_integers(std::string_view name, std::vector<std::uint64_t>& out);
  void caps(std::string_view name, Capabilities& out);
  /// Calls `read` with a reader of the nested object, if there is one.
  void object(std::string_view name, const std::function<void(JsonFields&)>& read);

  /// Says that the member `name` has a value that is not allowed.
  void complain(std::string_view name, std::string_view value, std::string_view wanted);

 private:
  template <class Use>
  void each(std::string_view name, Use use);
  void complain(std::string_view place, const JsonValue& value, std::string_view wanted);
  [[nodiscard]] std::string place_of(std::string_view name) const;

  const JsonValue& value_;
  std::string path_;
  std::string& error_;
};

/// Reads a list of strings; null is nothing. The error begins with `what`.
[[nodiscard]] std::expected<std::optional<std::vector<std::string>>, std::string> read_texts(const JsonValue& value,
                                                                                             std::string_view what);

/// Appends `text` in quotes. Escapes <, >, &, U+2028 and U+2029 too; invalid UTF-8 becomes U+FFFD.
void append_json_string(std::string& out, std::string_view text);

/// Writes JSON into a string, value by value; the caller sees to it that it makes sense.
class JsonWriter {
 public:
  explicit JsonWriter(std::string& out) : out_(out) {}

  void begin_object() { open('{'); }
  void end_object() { close('}'); }
  void begin_array() { open('['); }
  void end_array() { close(']'); }
  /// `name` needs no escaping.
  void key(std::string_view name);
  void text(std::string_view value);
  void number(std::uint64_t value);
  void boolean(bool value);
  void null();
  /// `value` is JSON already.
  void raw(std::string_view value);
  void time(WallTime value);
  void time(Instant value) { time(WallTime{.at = value, .offset_minutes = 0}); }
  void texts(const std::vector<std::string>& values);
  void caps(const Capabilities& caps);

 private:
  void separate() {
    if (need_comma_) out_.push_back(',');
    need_comma_ = true;
  }
  void open(char bracket) {
    separate();
    out_.push_back(bracket);
    need_comma_ = false;
  }
  void close(char bracket) {
    out_.push_back(bracket);
    need_comma_ = true;
  }

  std::string& out_;
  bool need_comma_ = false;
};

}  // namespace boruta

#pragma once

#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/value.hpp>
#include <fmt/format.h>

#include <array>
#include <charconv>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "base/json.hpp"
#include "farm/types.hpp"

/// How the values of stored records look as JSON. A record lists its fields once, in `Fields<Record>::each`, and the
/// same list writes and reads it.
namespace boruta::store {

/// Specialised for each record: `static void each(auto& field, auto& record)` calls `field("name", record.member)` for
/// every member, or `field.or_default("name", record.member)` for one that is left out while it has its default.
/// Times are whole nanoseconds, and their names end in `_ns`.
template <class Record>
struct Fields;

template <class Record>
concept HasFields = requires { sizeof(Fields<Record>); };

[[nodiscard]] std::string_view to_string(farm::Actor::Kind kind);
[[nodiscard]] std::optional<farm::Actor::Kind> parse_actor_kind(std::string_view text);

// Writing. All overloads append to `out`.

template <std::integral Number>
void append_json(std::string& out, Number value) {
  if constexpr (std::is_same_v<Number, bool>) {
    out += value ? "true" : "false";
  } else {
    std::array<char, 20> digits{};
    out.append(digits.data(), std::to_chars(digits.data(), digits.data() + digits.size(), value).ptr);
  }
}

template <class Enum>
  requires std::is_enum_v<Enum>
void append_json(std::string& out, Enum value) {
  append_json_string(out, to_string(value));
}

template <class Tag>
void append_json(std::string& out, NumericId<Tag> id) {
  append_json(out, id.value);
}

inline void append_json(std::string& out, farm::Priority priority) { append_json(out, priority.value); }
inline void append_json(std::string& out, Duration duration) { append_json(out, duration.count()); }
inline void append_json(std::string& out, Instant instant) { append_json(out, instant.time_since_epoch()); }
inline void append_json(std::string& out, const WorkerUuid& uuid) { append_json_string(out, uuid.to_string()); }
inline void append_json(std::string& out, const std::string& text) { append_json_string(out, text); }
void append_json(std::string& out, const Capabilities& caps);
/// As its text.
void append_json(std::string& out, const Requirement& requirement);

template <HasFields Record>
void append_json(std::string& out, const Record& record);

template <class Value>
void append_json(std::string& out, const std::vector<Value>& values) {
  out.push_back('[');
  for (const auto& value : values) {
    if (out.back() != '[') out.push_back(',');
    append_json(out, value);
  }
  out.push_back(']');
}

/// Writes the fields of one object; an optional that holds nothing is left out.
class ObjectWriter {
 public:
  explicit ObjectWriter(std::string& out) : out_(&out) { out_->push_back('{'); }

  template <class Value>
  void operator()(std::string_view name, const Value& value) {
    if (out_->back() != '{') out_->push_back(',');
    append_json_string(*out_, name);
    out_->push_back(':');
    append_json(*out_, value);
  }

  template <class Value>
  void operator()(std::string_view name, const std::optional<Value>& value) {
    if (value) (*this)(name, *value);
  }

  template <class Value>
  void or_default(std::string_view name, const Value& value) {
    if (value != Value{}) (*this)(name, value);
  }

  void close() { out_->push_back('}'); }

 private:
  std::string* out_;
};

template <HasFields Record>
void append_json(std::string& out, const Record& record) {
  ObjectWriter writer(out);
  Fields<Record>::each(writer, record);
  writer.close();
}

// Reading. All overloads return false when `value` is of the wrong kind or out of range.

template <std::integral Number>
bool read_json(const boost::json::value& value, Number& number) {
  if constexpr (std::is_same_v<Number, bool>) {
    const auto* flag = value.if_bool();
    if (flag != nullptr) number = *flag;
    return flag != nullptr;
  } else {
    boost::json::error_code error;
    number = value.to_number<Number>(error);
    return (value.is_int64() || value.is_uint64()) && !error;
  }
}

template <class Tag>
bool read_json(const boost::json::value& value, NumericId<Tag>& id) {
  return read_json(value, id.value);
}

bool read_json(const boost::json::value& value, farm::Priority& priority);
bool read_json(const boost::json::value& value, Duration& duration);
bool read_json(const boost::json::value& value, Instant& instant);
bool read_json(const boost::json::value& value, WorkerUuid& uuid);
bool read_json(const boost::json::value& value, std::string& text);
bool read_json(const boost::json::value& value, Capabilities& caps);
bool read_json(const boost::json::value& value, Requirement& requirement);
bool read_json(const boost::json::value& value, farm::RequestState& state);
bool read_json(const boost::json::value& value, farm::WorkerState& state);
bool read_json(const boost::json::value& value, farm::Role& role);
bool read_json(const boost::json::value& value, farm::Actor::Kind& kind);

template <HasFields Record>
bool read_json(const boost::json::value& value, Record& record);

template <class Value>
bool read_json(const boost::json::value& value, std::vector<Value>& values) {
  const auto* array = value.if_array();
  if (array == nullptr) return false;
  values.resize(array->size());
  for (std::size_t index = 0; index < values.size(); ++index) {
    if (!read_json((*array)[index], values[index])) return false;
  }
  return true;
}

/// Reads the fields of one object. Fields that nobody asks for are ignored; the first that is missing or wrong is
/// remembered.
class ObjectReader {
 public:
  explicit ObjectReader(const boost::json::object& object) : object_(&object) {}

  template <class Value>
  void operator()(std::string_view name, Value& value) {
    if (read(name, value) == Presence::kAbsent) note("lacks", name);
  }

  template <class Value>
  void operator()(std::string_view name, std::optional<Value>& value) {
    Value present{};
    if (read(name, present) == Presence::kPresent) value = std::move(present);
  }

  template <class Value>
  void or_default(std::string_view name, Value& value) {
    read(name, value);
  }

  /// Nothing if all was well, else `lacks "owner_id"` or `has a wrong "owner_id"`.
  [[nodiscard]] const std::optional<std::string>& problem() const { return problem_; }

 private:
  enum class Presence : std::uint8_t { kAbsent, kPresent };

  template <class Value>
  Presence read(std::string_view name, Value& value) {
    const auto* found = object_->if_contains(boost::json::string_view(name.data(), name.size()));
    if (found == nullptr) return Presence::kAbsent;
    if (!read_json(*found, value)) note("has a wrong", name);
    return Presence::kPresent;
  }

  void note(std::string_view what, std::string_view name) {
    if (!problem_) problem_ = fmt::format("{} \"{}\"", what, name);
  }

  const boost::json::object* object_;
  std::optional<std::string> problem_;
};

template <HasFields Record>
bool read_json(const boost::json::value& value, Record& record) {
  const auto* object = value.if_object();
  if (object == nullptr) return false;
  ObjectReader reader(*object);
  Fields<Record>::each(reader, record);
  return !reader.problem();
}

/// Parses `text` and reads `value` from it; false when either fails.
template <class Value>
bool parse_json(std::string_view text, Value& value) {
  boost::json::error_code error;
  const auto parsed = boost::json::parse(boost::json::string_view(text.data(), text.size()), error);
  return !error && read_json(parsed, value);
}

template <>
struct Fields<farm::Registration> {
  static void each(auto& field, auto& registration) {
    field("caps", registration.caps);
    field("ssh_address", registration.ssh_address);
    field("ssh_port", registration.ssh_port);
    field("host_keys", registration.host_keys);
  }
};

template <>
struct Fields<farm::Actor> {
  static void each(auto& field, auto& actor) {
    field("kind", actor.kind);
    field.or_default("user_id", actor.user);
    field.or_default("worker", actor.worker);
    field("name", actor.name);
    field.or_default("address", actor.address);
  }
};

}  // namespace boruta::store

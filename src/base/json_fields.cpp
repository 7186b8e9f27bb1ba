#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <limits>

#include "base/json.hpp"
#include "base/utf8.hpp"

namespace boruta {
namespace {

char lower(char character) {
  return character >= 'A' && character <= 'Z' ? static_cast<char>(character + ('a' - 'A')) : character;
}

bool same_name(std::string_view left, std::string_view right) {
  return std::ranges::equal(left, right, {}, lower, lower);
}

/// What a client sent, as far as an error shows it.
std::string shortened(std::string_view text) {
  constexpr std::size_t kShown = 64;
  const auto shown = utf8_prefix(text, kShown);
  return fmt::format("{}{}", shown, shown.size() < text.size() ? "…" : "");
}

std::string in_quotes(std::string_view text) { return fmt::format("\"{}\"", shortened(text)); }

std::string describe(const JsonValue& value) {
  switch (value.kind) {
    case JsonValue::Kind::kNull:
      return "null";
    case JsonValue::Kind::kBool:
      return value.boolean ? "true" : "false";
    case JsonValue::Kind::kNumber:
      return shortened(value.text);
    case JsonValue::Kind::kString:
      return in_quotes(value.text);
    case JsonValue::Kind::kArray:
      return "a list";
    case JsonValue::Kind::kObject:
      return "an object";
  }
  return {};
}

template <class Number>
std::optional<Number> whole_number(const JsonValue& value) {
  if (value.kind != JsonValue::Kind::kNumber) return std::nullopt;
  Number number{};
  const auto* end = value.text.data() + value.text.size();
  const auto [stopped, error] = std::from_chars(value.text.data(), end, number);
  if (error != std::errc{} || stopped != end) return std::nullopt;
  return number;
}

std::optional<std::int64_t> whole_number_in(const JsonValue& value, std::int64_t lowest, std::int64_t highest) {
  const auto number = whole_number<std::int64_t>(value);
  return number && *number >= lowest && *number <= highest ? number : std::nullopt;
}

std::string range_text(std::int64_t lowest, std::int64_t highest) {
  return fmt::format("a whole number from {} to {}", lowest, highest);
}

std::string unsigned_range_text() {
  return fmt::format("a whole number from 0 to {}", std::numeric_limits<std::uint64_t>::max());
}

}  // namespace

JsonFields::JsonFields(const JsonValue& value, std::string path, std::string& error)
    : value_(value), path_(std::move(path)), error_(error) {
  if (value.kind != JsonValue::Kind::kObject && value.kind != JsonValue::Kind::kNull) {
    complain(path_.empty() ? "the body" : path_, value, "an object");
  }
}

std::string JsonFields::place_of(std::string_view name) const {
  return path_.empty() ? std::string(name) : fmt::format("{}.{}", path_, name);
}

void JsonFields::complain(std::string_view place, const JsonValue& value, std::string_view wanted) {
  if (error_.empty()) error_ = fmt::format("{} is {}: {} is expected", place, describe(value), wanted);
}

void JsonFields::complain(std::string_view name, std::string_view value, std::string_view wanted) {
  if (error_.empty()) error_ = fmt::format("{} is {}: {} is expected", place_of(name), in_quotes(value), wanted);
}

template <class Use>
void JsonFields::each(std::string_view name, Use use) {
  for (const auto& member : value_.members) {
    if (!error_.empty()) return;
    if (member.value.kind != JsonValue::Kind::kNull && same_name(member.name, name)) use(member.value);
  }
}

void JsonFields::text(std::string_view name, std::string& out) {
  each(name, [&](const JsonValue& value) {
    if (value.kind != JsonValue::Kind::kString) return complain(place_of(name), value, "a string");
    out = value.text;
  });
}

void JsonFields::boolean(std::string_view name, bool& out) {
  each(name, [&](const JsonValue& value) {
    if (value.kind != JsonValue::Kind::kBool) return complain(place_of(name), value, "true or false");
    out = value.boolean;
  });
}

void JsonFields::integer(std::string_view name, std::optional<std::int64_t>& out, std::int64_t lowest,
                         std::int64_t highest, std::string_view wanted) {
  each(name, [&](const JsonValue& value) {
    out = whole_number_in(value, lowest, highest);
    if (!out) complain(place_of(name), value, wanted.empty() ? range_text(lowest, highest) : std::string(wanted));
  });
}

void JsonFields::unsigned_integer(std::string_view name, std::optional<std::uint64_t>& out) {
  each(name, [&](const JsonValue& value) {
    out = whole_number<std::uint64_t>(value);
    if (!out) complain(place_of(name), value, unsigned_range_text());
  });
}

void JsonFields::time(std::string_view name, std::optional<WallTime>& out) {
  each(name, [&](const JsonValue& value) {
    const auto parsed = value.kind == JsonValue::Kind::kString
                            ? parse_rfc3339(value.text)
                            : ParsedTime{.time = std::nullopt, .error = TimeParseError::kSyntax};
    out = parsed.time;
    if (!parsed.error) return;
    complain(place_of(name), value,
             *parsed.error == TimeParseError::kSyntax ? "a time like \"2030-01-02T15:04:05Z\""
                                                      : "a time in the years from 1678 to 2261");
  });
}

void JsonFields::duration(std::string_view name, std::optional<Duration>& out) {
  each(name, [&](const JsonValue& value) {
    out = value.kind == JsonValue::Kind::kString ? parse_duration(value.text) : std::nullopt;
    if (!out) complain(place_of(name), value, "a duration like \"90s\", \"10m\" or \"1h30m\"");
  });
}

void JsonFields::texts(std::string_view name, std::vector<std::string>& out) {
  each(name, [&](const JsonValue& value) {
    auto read = read_texts(value, place_of(name));
    if (!read) {
      error_ = std::move(read.error());
      return;
    }
    out = std::move(**read);
  });
}

void JsonFields::integers(std::string_view name, std::vector<std::int64_t>& out, std::int64_t lowest,
                          std::int64_t highest) {
  each(name, [&](const JsonValue& value) {
    if (value.kind != JsonValue::Kind::kArray) return complain(place_of(name), value, "a list of whole numbers");
    out.clear();
    for (const auto& item : value.items) {
      const auto number = whole_number_in(item, lowest, highest);
      if (!number) {
        return complain(fmt::format("{}[{}]", place_of(name), out.size()), item, range_text(lowest, highest));
      }
      out.push_back(*number);
    }
  });
}

void JsonFields::unsigned_integers(std::string_view name, std::vector<std::uint64_t>& out) {
  each(name, [&](const JsonValue& value) {
    if (value.kind != JsonValue::Kind::kArray) return complain(place_of(name), value, "a list of whole numbers");
    out.clear();
    for (const auto& item : value.items) {
      const auto number = whole_number<std::uint64_t>(item);
      if (!number) return complain(fmt::format("{}[{}]", place_of(name), out.size()), item, unsigned_range_text());
      out.push_back(*number);
    }
  });
}

void JsonFields::caps(std::string_view name, Capabilities& out) {
  each(name, [&](const JsonValue& value) {
    if (value.kind != JsonValue::Kind::kObject) return complain(place_of(name), value, "an object of strings");
    for (const auto& member : value.members) {
      if (member.value.kind != JsonValue::Kind::kString) {
        return complain(fmt::format("{}.{}", place_of(name), shortened(member.name)), member.value, "a string");
      }
      out.insert_or_assign(member.name, member.value.text);
    }
  });
}

void JsonFields::object(std::string_view name, const std::function<void(JsonFields&)>& read) {
  each(name, [&](const JsonValue& value) {
    JsonFields fields(value, place_of(name), error_);
    read(fields);
  });
}

std::expected<std::optional<std::vector<std::string>>, std::string> read_texts(const JsonValue& value,
                                                                               std::string_view what) {
  if (value.kind == JsonValue::Kind::kNull) return std::nullopt;
  if (value.kind != JsonValue::Kind::kArray) {
    return std::unexpected(fmt::format("{} is {}: a list of strings is expected", what, describe(value)));
  }
  std::vector<std::string> texts;
  texts.reserve(value.items.size());
  for (const auto& item : value.items) {
    if (item.kind != JsonValue::Kind::kString) {
      return std::unexpected(fmt::format("{}[{}] is {}: a string is expected", what, texts.size(), describe(item)));
    }
    texts.push_back(item.text);
  }
  return texts;
}

}  // namespace boruta

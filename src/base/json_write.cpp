#include <algorithm>
#include <array>
#include <charconv>
#include <optional>

#include "base/json.hpp"
#include "base/utf8.hpp"

namespace boruta {
namespace {

constexpr std::string_view kHexDigits = "0123456789abcdef";

constexpr bool is_careful(unsigned char character) {
  return character < 0x20 || character >= 0x80 || character == '"' || character == '\\' || character == '<' ||
         character == '>' || character == '&';
}

/// By character: most of what is written is text.
constexpr auto kNeedsCare = [] {
  std::array<bool, 256> table{};
  for (std::size_t character = 0; character < table.size(); ++character) {
    table.at(character) = is_careful(static_cast<unsigned char>(character));
  }
  return table;
}();

bool needs_care(char character) { return kNeedsCare[static_cast<unsigned char>(character)]; }

/// Appends `text` in quotes between `before` and `behind`, where they are given, all at once: what is written are small
/// pieces, and each step costs more than what it copies.
void append_quoted(std::string& out, std::string_view text, std::optional<char> before = {},
                   std::optional<char> behind = {}) {
  constexpr std::size_t kMostAround = 4;
  const auto size = out.size();
  out.resize_and_overwrite(size + text.size() + kMostAround, [&](char* data, std::size_t) {
    auto* end = data + size;
    if (before) *end++ = *before;
    *end++ = '"';
    end += text.copy(end, text.size());
    *end++ = '"';
    if (behind) *end++ = *behind;
    return static_cast<std::size_t>(end - data);
  });
}

void append_escaped(std::string& out, unsigned char character) {
  switch (character) {
    case '"':
      out += "\\\"";
      return;
    case '\\':
      out += "\\\\";
      return;
    case '\n':
      out += "\\n";
      return;
    case '\r':
      out += "\\r";
      return;
    case '\t':
      out += "\\t";
      return;
    default:
      out += "\\u00";
      out.push_back(kHexDigits[character >> 4U]);
      out.push_back(kHexDigits[character & 0xFU]);
  }
}

/// Appends what stands at the start of `text`, beyond ASCII; returns how many bytes that was.
std::size_t append_beyond_ascii(std::string& out, std::string_view text) {
  const auto length = utf8_sequence_length(text);
  if (length == 0) {
    out += "\\ufffd";
    return 1;
  }
  const auto sequence = text.substr(0, length);
  if (sequence == "\xE2\x80\xA8") {
    out += "\\u2028";
  } else if (sequence == "\xE2\x80\xA9") {
    out += "\\u2029";
  } else {
    out += sequence;
  }
  return length;
}

}  // namespace

void append_json_string(std::string& out, std::string_view text) {
  if (std::ranges::none_of(text, needs_care)) {
    append_quoted(out, text);
    return;
  }
  out.push_back('"');
  std::size_t plain_from = 0;
  std::size_t at = 0;
  while (at < text.size()) {
    const auto character = static_cast<unsigned char>(text[at]);
    if (!needs_care(text[at])) {
      ++at;
      continue;
    }
    out += text.substr(plain_from, at - plain_from);
    if (character >= 0x80) {
      at += append_beyond_ascii(out, text.substr(at));
    } else {
      append_escaped(out, character);
      ++at;
    }
    plain_from = at;
  }
  out += text.substr(plain_from);
  out.push_back('"');
}

void JsonWriter::key(std::string_view name) {
  append_quoted(out_, name, need_comma_ ? std::optional(',') : std::nullopt, ':');
  need_comma_ = false;
}

void JsonWriter::text(std::string_view value) {
  separate();
  append_json_string(out_, value);
}

void JsonWriter::number(std::uint64_t value) {
  separate();
  std::array<char, 20> digits{};
  const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), value).ptr;
  out_.append(digits.data(), end);
}

void JsonWriter::boolean(bool value) {
  separate();
  out_ += value ? "true" : "false";
}

void JsonWriter::null() { raw("null"); }

void JsonWriter::raw(std::string_view value) {
  separate();
  out_ += value;
}

void JsonWriter::time(WallTime value) {
  separate();
  out_.push_back('"');
  append_rfc3339(out_, value);
  out_.push_back('"');
}

void JsonWriter::texts(const std::vector<std::string>& values) {
  begin_array();
  for (const auto& value : values) text(value);
  end_array();
}

void JsonWriter::caps(const Capabilities& caps) {
  if (caps.empty()) return null();
  begin_object();
  for (const auto& [name, value] : caps) {
    text(name);
    out_.push_back(':');
    need_comma_ = false;
    text(value);
  }
  end_object();
}

}  // namespace boruta

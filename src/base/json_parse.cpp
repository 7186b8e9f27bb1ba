#include <fmt/format.h>

#include <array>

#include "base/ascii.hpp"
#include "base/json.hpp"
#include "base/limits.hpp"
#include "base/utf8.hpp"

namespace boruta {
namespace {

constexpr std::string_view kReplacement = "\xEF\xBF\xBD";

bool is_high_surrogate(std::uint32_t unit) { return unit >= 0xD800 && unit < 0xDC00; }
bool is_low_surrogate(std::uint32_t unit) { return unit >= 0xDC00 && unit < 0xE000; }

void append_utf8(std::string& out, std::uint32_t point) {
  const auto put = [&out](std::uint32_t byte) { out.push_back(static_cast<char>(byte)); };
  if (point < 0x80) {
    put(point);
  } else if (point < 0x800) {
    put(0xC0U | (point >> 6U));
    put(0x80U | (point & 0x3FU));
  } else if (point < 0x10000) {
    put(0xE0U | (point >> 12U));
    put(0x80U | ((point >> 6U) & 0x3FU));
    put(0x80U | (point & 0x3FU));
  } else {
    put(0xF0U | (point >> 18U));
    put(0x80U | ((point >> 12U) & 0x3FU));
    put(0x80U | ((point >> 6U) & 0x3FU));
    put(0x80U | (point & 0x3FU));
  }
}

/// One pass from left to right. Every `parse_` returns false when the text is broken, and has then said why.
class JsonParser {
 public:
  explicit JsonParser(std::string_view text) : text_(text) {}

  std::expected<JsonValue, std::string> parse() {
    JsonValue value;
    skip_space();
    if (!parse_value(value, 1)) return std::unexpected(error_);
    skip_space();
    if (at_ < text_.size()) {
      fail("nothing may follow the JSON value");
      return std::unexpected(error_);
    }
    return value;
  }

 private:
  bool fail(std::string_view wanted) {
    error_ = at_ >= text_.size() ? fmt::format("the JSON ends too early: {}", wanted)
                                 : fmt::format("the JSON is broken at byte {}: {}", at_ + 1, wanted);
    return false;
  }

  void skip_space() {
    while (at_ < text_.size() && std::string_view(" \t\r\n").find(text_[at_]) != std::string_view::npos) ++at_;
  }

  [[nodiscard]] char peek() const { return at_ < text_.size() ? text_[at_] : '\0'; }

  bool take(char wanted) {
    if (peek() != wanted || at_ >= text_.size()) return false;
    ++at_;
    return true;
  }

  bool parse_value(JsonValue& value, std::size_t depth) {
    switch (peek()) {
      case '{':
        return parse_object(value, depth);
      case '[':
        return parse_array(value, depth);
      case '"':
        value.kind = JsonValue::Kind::kString;
        return parse_string(value.text);
      case 't':
        value.boolean = true;
        value.kind = JsonValue::Kind::kBool;
        return parse_word("true");
      case 'f':
        value.kind = JsonValue::Kind::kBool;
        return parse_word("false");
      case 'n':
        return parse_word("null");
      default:
        value.kind = JsonValue::Kind::kNumber;
        return parse_number(value.text);
    }
  }

  bool parse_word(std::string_view word) {
    if (!text_.substr(at_).starts_with(word)) return fail("a value is expected");
    at_ += word.size();
    return true;
  }

  bool take_digits() {
    if (!is_digit(peek())) return fail("a digit is expected");
    while (is_digit(peek())) ++at_;
    return true;
  }

  bool parse_number(std::string& number) {
    const auto start = at_;
    if (!take('-') && !is_digit(peek())) return fail("a value is expected");
    if (!take('0') && !take_digits()) return false;
    if (take('.') && !take_digits()) return false;
    if (take('e') || take('E')) {
      if (!take('+')) take('-');
      if (!take_digits()) return false;
    }
    number = text_.substr(start, at_ - start);
    return true;
  }

  bool enter(std::size_t depth) {
    if (depth > limits::kJsonDepth) {
      return fail(fmt::format("it nests deeper than the {} levels allowed", limits::kJsonDepth));
    }
    ++at_;
    skip_space();
    return true;
  }

  bool parse_array(JsonValue& value, std::size_t depth) {
    value.kind = JsonValue::Kind::kArray;
    if (!enter(depth)) return false;
    if (take(']')) return true;
    while (true) {
      skip_space();
      if (!parse_value(value.items.emplace_back(), depth + 1)) return false;
      skip_space();
      if (take(']')) return true;
      if (!take(',')) return fail("\",\" or \"]\" is expected");
    }
  }

  bool parse_object(JsonValue& value, std::size_t depth) {
    value.kind = JsonValue::Kind::kObject;
    if (!enter(depth)) return false;
    if (take('}')) return true;
    while (true) {
      skip_space();
      auto& member = value.members.emplace_back();
      if (peek() != '"') return fail("a name in quotes is expected");
      if (!parse_string(member.name)) return false;
      skip_space();
      if (!take(':')) return fail("\":\" is expected");
      skip_space();
      if (!parse_value(member.value, depth + 1)) return false;
      skip_space();
      if (take('}')) return true;
      if (!take(',')) return fail("\",\" or \"}\" is expected");
    }
  }

  bool parse_string(std::string& out) {
    ++at_;
    while (at_ < text_.size()) {
      const auto character = static_cast<unsigned char>(text_[at_]);
      if (character == '"') {
        ++at_;
        return true;
      }
      if (character < 0x20) return fail("a control character in a string must be escaped");
      if (character == '\\') {
        if (!parse_escape(out)) return false;
      } else if (character < 0x80) {
        out.push_back(text_[at_++]);
      } else {
        const auto length = utf8_sequence_length(text_.substr(at_));
        out += length == 0 ? kReplacement : text_.substr(at_, length);
        at_ += length == 0 ? 1 : length;
      }
    }
    return fail("a string is not closed");
  }

  bool parse_escape(std::string& out) {
    static constexpr std::string_view kLetters = "\"\\/bfnrt";
    static constexpr std::string_view kMeanings = "\"\\/\b\f\n\r\t";
    ++at_;
    if (peek() == 'u') return parse_unicode_escape(out);
    const auto letter = at_ < text_.size() ? kLetters.find(text_[at_]) : std::string_view::npos;
    if (letter == std::string_view::npos) return fail("after \"\\\" one of \" \\ / b f n r t u is expected");
    out.push_back(kMeanings[letter]);
    ++at_;
    return true;
  }

  /// The four digits after "\u", if they are there.
  [[nodiscard]] std::optional<std::uint32_t> unicode_unit(std::size_t from) const {
    if (from + 4 > text_.size()) return std::nullopt;
    std::uint32_t unit = 0;
    for (const char digit : text_.substr(from, 4)) {
      const auto lower = static_cast<char>(digit | 0x20);
      const bool letter = lower >= 'a' && lower <= 'f';
      if (!is_digit(digit) && !letter) return std::nullopt;
      unit = unit * 16 + static_cast<std::uint32_t>(letter ? lower - 'a' + 10 : digit - '0');
    }
    return unit;
  }

  bool parse_unicode_escape(std::string& out) {
    const auto unit = unicode_unit(at_ + 1);
    if (!unit) return fail("after \"\\u\" four hexadecimal digits are expected");
    at_ += 5;
    if (!is_high_surrogate(*unit)) {
      if (is_low_surrogate(*unit)) {
        out += kReplacement;
      } else {
        append_utf8(out, *unit);
      }
      return true;
    }
    const auto low = text_.substr(at_).starts_with("\\u") ? unicode_unit(at_ + 2) : std::nullopt;
    if (!low || !is_low_surrogate(*low)) {
      out += kReplacement;
      return true;
    }
    at_ += 6;
    append_utf8(out, 0x10000 + ((*unit - 0xD800) << 10U) + (*low - 0xDC00));
    return true;
  }

  std::string_view text_;
  std::size_t at_ = 0;
  std::string error_;
};

}  // namespace

std::expected<JsonValue, std::string> parse_json(std::string_view text) { return JsonParser(text).parse(); }

}  // namespace boruta

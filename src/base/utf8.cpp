#include "base/utf8.hpp"

namespace boruta {
namespace {

bool is_between(char character, unsigned lowest, unsigned highest) {
  const auto byte = static_cast<unsigned char>(character);
  return byte >= lowest && byte <= highest;
}

}  // namespace

std::size_t utf8_sequence_length(std::string_view text) {
  if (text.empty()) return 0;
  const auto first = static_cast<unsigned char>(text[0]);
  if (first < 0x80) return 1;
  if (first < 0xC2 || first > 0xF4) return 0;
  const std::size_t length = first < 0xE0 ? 2 : first < 0xF0 ? 3 : 4;
  if (text.size() < length) return 0;
  // The second byte excludes overlong forms, surrogates and what lies beyond U+10FFFF.
  const unsigned lowest = first == 0xE0 ? 0xA0 : first == 0xF0 ? 0x90 : 0x80;
  const unsigned highest = first == 0xED ? 0x9F : first == 0xF4 ? 0x8F : 0xBF;
  if (!is_between(text[1], lowest, highest)) return 0;
  for (std::size_t place = 2; place < length; ++place) {
    if (!is_between(text[place], 0x80, 0xBF)) return 0;
  }
  return length;
}

std::string_view utf8_prefix(std::string_view text, std::size_t bytes) {
  if (text.size() <= bytes) return text;
  constexpr unsigned kMarkBits = 0xC0;
  constexpr unsigned kContinuation = 0x80;
  while (bytes > 0 && (static_cast<unsigned char>(text[bytes]) & kMarkBits) == kContinuation) --bytes;
  return text.substr(0, bytes);
}

}  // namespace boruta

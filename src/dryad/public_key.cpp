#include "dryad/public_key.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>

#include "base/limits.hpp"

namespace boruta::dryad {
namespace {

constexpr std::size_t kLeastRsaBytes = 2'048 / 8;
constexpr std::size_t kMostRsaBytes = 16'384 / 8;
constexpr std::size_t kMostExponentBytes = 8;
constexpr std::size_t kEd25519Bytes = 32;

struct Curve {
  std::string_view type;
  std::string_view name;
  /// Of a point that is not compressed.
  std::size_t point_bytes;
};
constexpr std::array kCurves{Curve{"ecdsa-sha2-nistp256", "nistp256", 65}, Curve{"ecdsa-sha2-nistp384", "nistp384", 97},
                             Curve{"ecdsa-sha2-nistp521", "nistp521", 133}};

/// Nothing unless `text` is base64 to the letter, padding included.
std::optional<std::string> decode_base64(std::string_view text) {
  constexpr std::string_view kAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  const auto padding = text.ends_with("==") ? 2U : text.ends_with('=') ? 1U : 0U;
  if (text.empty() || text.size() % 4 != 0) return std::nullopt;
  text.remove_suffix(padding);
  std::string bytes;
  std::uint32_t held = 0;
  unsigned bits = 0;
  for (const char letter : text) {
    const auto value = kAlphabet.find(letter);
    if (value == std::string_view::npos) return std::nullopt;
    held = (held << 6U) | static_cast<std::uint32_t>(value);
    bits += 6;
    if (bits < 8) continue;
    bits -= 8;
    bytes.push_back(static_cast<char>(held >> bits));
    held &= (1U << bits) - 1;
  }
  if (held != 0) return std::nullopt;
  return bytes;
}

/// Takes the next field off a key's content: its length in four bytes, and so many bytes.
std::optional<std::string_view> take_field(std::string_view& content) {
  constexpr std::size_t kLength = 4;
  if (content.size() < kLength) return std::nullopt;
  std::size_t size = 0;
  for (const char byte : content.substr(0, kLength)) size = size << 8U | static_cast<unsigned char>(byte);
  content.remove_prefix(kLength);
  if (size > content.size()) return std::nullopt;
  const auto field = content.substr(0, size);
  content.remove_prefix(size);
  return field;
}

/// The bytes of a positive number in its shortest form; 0 if it is none.
std::size_t number_bytes(std::string_view number) {
  const auto is_high = [](char byte) { return (static_cast<unsigned char>(byte) & 0x80U) != 0; };
  if (number.empty() || is_high(number.front())) return 0;
  if (number.front() != '\0') return number.size();
  return number.size() > 1 && is_high(number[1]) ? number.size() - 1 : 0;
}

bool is_rsa(std::string_view content) {
  const auto exponent = take_field(content);
  const auto modulus = take_field(content);
  if (!exponent || !modulus || !content.empty()) return false;
  const auto exponent_bytes = number_bytes(*exponent);
  const auto bytes = number_bytes(*modulus);
  // A highest byte below 0x80 has fewer bits than its length says.
  const bool long_enough = bytes > kLeastRsaBytes || (bytes == kLeastRsaBytes && modulus->front() == '\0');
  return exponent_bytes > 0 && exponent_bytes <= kMostExponentBytes && long_enough && bytes <= kMostRsaBytes;
}

/// Whether `content`, what follows the type within, is that of a key of `type`.
bool fits_type(std::string_view type, std::string_view content) {
  if (type == "ssh-rsa") return is_rsa(content);
  const auto first = take_field(content);
  if (!first) return false;
  if (type == "ssh-ed25519") return first->size() == kEd25519Bytes && content.empty();
  const auto* curve = std::ranges::find(kCurves, type, &Curve::type);
  const auto point = take_field(content);
  return curve != kCurves.end() && *first == curve->name && point && point->size() == curve->point_bytes &&
         point->front() == '\x04' && content.empty();
}

}  // namespace

std::expected<std::string, std::string> plain_public_key(std::string_view line) {
  const auto type = line.substr(0, line.find(' '));
  auto rest = line.substr(std::min(line.size(), type.size() + 1));
  const auto base64 = rest.substr(0, rest.find(' '));
  if (base64.size() <= limits::kPublicKeyBytes) {
    const auto bytes = decode_base64(base64);
    std::string_view content;
    if (bytes) content = *bytes;
    const auto named = take_field(content);
    if (named && *named == type && fits_type(type, content)) return fmt::format("{} {}", type, base64);
  }
  return std::unexpected(fmt::format(
      "a public key of {} bytes is none: one line like \"ssh-ed25519 AAAA… comment\" is expected, of Ed25519, ECDSA or "
      "RSA with 2048 to 16384 bits, without options",
      line.size()));
}

}  // namespace boruta::dryad

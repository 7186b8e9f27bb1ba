#include "server/public_key.hpp"

#include <fmt/format.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "base/limits.hpp"
#include "base/utf8.hpp"

namespace boruta::server {
namespace {

using Bytes = std::span<const unsigned char>;

constexpr unsigned kLeastRsaBits = 2'048;
constexpr unsigned kMostRsaBits = 16'384;
/// So much of a type that is not taken is told.
constexpr std::size_t kTypeBytes = 64;
constexpr std::string_view kTaken = "Ed25519, ECDSA and RSA keys of at least 2048 bits are taken";

struct Curve {
  std::string_view type;
  std::string_view name;
  const char* group;
  unsigned bits;
};
constexpr std::array kCurves{Curve{"ecdsa-sha2-nistp256", "nistp256", "P-256", 256},
                             Curve{"ecdsa-sha2-nistp384", "nistp384", "P-384", 384},
                             Curve{"ecdsa-sha2-nistp521", "nistp521", "P-521", 521}};

const Curve* curve_of(std::string_view type) {
  const auto* found = std::ranges::find(kCurves, type, &Curve::type);
  return found == kCurves.end() ? nullptr : found;
}

bool is_taken(std::string_view type) { return type == "ssh-ed25519" || type == "ssh-rsa" || curve_of(type) != nullptr; }

/// Takes the first word off `text`, and the spaces behind it.
std::string_view take_word(std::string_view& text) {
  const auto end = std::min(text.find_first_of(" \t"), text.size());
  const auto word = text.substr(0, end);
  text.remove_prefix(end);
  text.remove_prefix(std::min(text.find_first_not_of(" \t"), text.size()));
  return word;
}

/// Nothing unless `text` is base64 to the letter, padding included.
std::optional<std::vector<unsigned char>> decode_base64(std::string_view text) {
  constexpr std::string_view kAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  const auto padding = text.ends_with("==") ? 2U : text.ends_with('=') ? 1U : 0U;
  if (text.empty() || text.size() % 4 != 0) return std::nullopt;
  text.remove_suffix(padding);
  std::vector<unsigned char> bytes;
  std::uint32_t held = 0;
  unsigned bits = 0;
  for (const char letter : text) {
    const auto value = kAlphabet.find(letter);
    if (value == std::string_view::npos) return std::nullopt;
    held = (held << 6U) | static_cast<std::uint32_t>(value);
    bits += 6;
    if (bits < 8) continue;
    bits -= 8;
    bytes.push_back(static_cast<unsigned char>(held >> bits));
    held &= (1U << bits) - 1;
  }
  if (held != 0) return std::nullopt;
  return bytes;
}

/// Reads the fields of a blob: lengths of four bytes, each with so many bytes behind it.
class BlobReader {
 public:
  explicit BlobReader(Bytes blob) : left_(blob) {}

  /// Nothing where there are not so many.
  std::optional<Bytes> field() {
    constexpr std::size_t kLength = 4;
    if (left_.size() < kLength) return std::nullopt;
    std::size_t size = 0;
    for (const auto byte : left_.first(kLength)) size = size << 8U | byte;
    if (size > left_.size() - kLength) return std::nullopt;
    const auto field = left_.subspan(kLength, size);
    left_ = left_.subspan(kLength + size);
    return field;
  }
  [[nodiscard]] bool at_end() const { return left_.empty(); }

 private:
  Bytes left_;
};

bool equals(Bytes bytes, std::string_view text) {
  return std::ranges::equal(bytes, text, {}, {}, [](char letter) { return static_cast<unsigned char>(letter); });
}

/// The bits of a positive mpint in its shortest form; nothing if it is none.
std::optional<unsigned> bits_of(Bytes mpint) {
  constexpr unsigned char kHighBit = 0x80;
  if (mpint.empty() || (mpint[0] & kHighBit) != 0) return std::nullopt;
  if (mpint[0] == 0) {
    if (mpint.size() < 2 || (mpint[1] & kHighBit) == 0) return std::nullopt;
    mpint = mpint.subspan(1);
  }
  unsigned bits = static_cast<unsigned>(mpint.size()) * 8;
  for (unsigned char mask = kHighBit; (mpint[0] & mask) == 0; mask = static_cast<unsigned char>(mask >> 1U)) --bits;
  return bits;
}

struct Measured {
  std::string_view type;
  unsigned bits = 0;
};
using Judged = std::expected<Measured, std::string>;

std::unexpected<std::string> damaged() {
  return std::unexpected(std::string("the key is damaged: copy the whole line of the .pub file again"));
}

Judged judge_ed25519(BlobReader& blob) {
  constexpr std::size_t kBytes = 32;
  const auto point = blob.field();
  if (!point || point->size() != kBytes || !blob.at_end()) return damaged();
  return Measured{.type = "ED25519", .bits = 256};
}

bool is_on_curve(const Curve& curve, Bytes point) {
  const std::unique_ptr<OSSL_PARAM_BLD, decltype(&OSSL_PARAM_BLD_free)> build(OSSL_PARAM_BLD_new(),
                                                                              &OSSL_PARAM_BLD_free);
  OSSL_PARAM_BLD_push_utf8_string(build.get(), OSSL_PKEY_PARAM_GROUP_NAME, curve.group, 0);
  OSSL_PARAM_BLD_push_octet_string(build.get(), OSSL_PKEY_PARAM_PUB_KEY, point.data(), point.size());
  const std::unique_ptr<OSSL_PARAM, decltype(&OSSL_PARAM_free)> parameters(OSSL_PARAM_BLD_to_param(build.get()),
                                                                           &OSSL_PARAM_free);
  const std::unique_ptr<EVP_PKEY_CTX, decltype(&EVP_PKEY_CTX_free)> context(
      EVP_PKEY_CTX_new_from_name(nullptr, "EC", nullptr), &EVP_PKEY_CTX_free);
  EVP_PKEY* made = nullptr;
  const bool taken = EVP_PKEY_fromdata_init(context.get()) == 1 &&
                     EVP_PKEY_fromdata(context.get(), &made, EVP_PKEY_PUBLIC_KEY, parameters.get()) == 1;
  const std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)> key(made, &EVP_PKEY_free);
  if (!taken) return false;
  const std::unique_ptr<EVP_PKEY_CTX, decltype(&EVP_PKEY_CTX_free)> check(
      EVP_PKEY_CTX_new_from_pkey(nullptr, key.get(), nullptr), &EVP_PKEY_CTX_free);
  return EVP_PKEY_public_check(check.get()) == 1;
}

Judged judge_ecdsa(BlobReader& blob, const Curve& curve) {
  constexpr unsigned char kUncompressed = 4;
  const auto name = blob.field();
  const auto point = blob.field();
  const std::size_t size = 1 + 2 * ((curve.bits + 7) / 8);
  const bool whole = name && equals(*name, curve.name) && point && point->size() == size &&
                     (*point)[0] == kUncompressed && blob.at_end() && is_on_curve(curve, *point);
  if (!whole) return damaged();
  return Measured{.type = "ECDSA", .bits = curve.bits};
}

Judged judge_rsa(BlobReader& blob) {
  const auto exponent = blob.field();
  const auto modulus = blob.field();
  if (!exponent || !modulus || !blob.at_end()) return damaged();
  const auto exponent_bits = bits_of(*exponent);
  const auto bits = bits_of(*modulus);
  const bool odd = exponent_bits && bits && (exponent->back() & 1U) == 1 && (modulus->back() & 1U) == 1;
  if (!odd || *exponent_bits < 2) return damaged();
  if (*bits < kLeastRsaBits || *bits > kMostRsaBits) {
    return std::unexpected(
        fmt::format("the RSA key has {} bits: {} to {} are taken; \"ssh-keygen -t ed25519\" makes "
                    "a good one",
                    *bits, kLeastRsaBits, kMostRsaBits));
  }
  return Measured{.type = "RSA", .bits = *bits};
}

/// What is wrong with a line that does not begin with a type that is taken.
std::string explain_start(std::string_view type, std::string_view rest) {
  // Not repeated where it may be anything.
  if (type.starts_with("ssh-") || type.starts_with("sk-") || type.starts_with("ecdsa-")) {
    return fmt::format("keys of type {} are not taken: {}", utf8_prefix(type, kTypeBytes), kTaken);
  }
  const bool key_follows = rest.find("ssh-") != std::string_view::npos || rest.find("ecdsa-") != std::string_view::npos;
  if (key_follows || type.find_first_of("=,\"") != std::string_view::npos) {
    return "options before the key (command=, from=, …) are not taken: give the key alone";
  }
  return fmt::format("this is no public key of OpenSSH, \"ssh-ed25519 AAAA…\": {}", kTaken);
}

Judged judge(std::string_view type, Bytes bytes) {
  BlobReader blob(bytes);
  const auto inner = blob.field();
  if (!inner || !equals(*inner, type)) return damaged();
  if (type == "ssh-ed25519") return judge_ed25519(blob);
  if (type == "ssh-rsa") return judge_rsa(blob);
  return judge_ecdsa(blob, *curve_of(type));
}

}  // namespace

std::string fingerprint_of_blob(std::span<const unsigned char> blob) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned length = 0;
  EVP_Digest(blob.data(), blob.size(), digest.data(), &length, EVP_sha256(), nullptr);
  std::array<unsigned char, 64> encoded{};
  EVP_EncodeBlock(encoded.data(), digest.data(), static_cast<int>(length));
  std::string text = "SHA256:";
  text.append(reinterpret_cast<const char*>(encoded.data()));
  text.erase(text.find_last_not_of('=') + 1);
  return text;
}

std::expected<PublicKey, std::string> parse_public_key(std::string_view text) {
  while (!text.empty() && (text.back() == '\n' || text.back() == '\r')) text.remove_suffix(1);
  if (text.find("PRIVATE KEY") != std::string_view::npos) {
    return std::unexpected("this is a private key, which nobody but you should have: give the .pub file beside it");
  }
  if (text.size() > limits::kPublicKeyBytes) {
    return std::unexpected(
        fmt::format("the key has {} bytes, at most {} are taken", text.size(), limits::kPublicKeyBytes));
  }
  const auto printable = [](unsigned char letter) { return letter >= ' ' && letter != 0x7F; };
  if (!std::ranges::all_of(text, printable)) {
    return std::unexpected("the key must be a single line of printable characters, one key at a time");
  }
  auto rest = text;
  const auto type = take_word(rest);
  if (!is_taken(type)) return std::unexpected(explain_start(type, rest));
  const auto encoded = take_word(rest);
  const auto blob = decode_base64(encoded);
  if (!blob) return damaged();
  const auto judged = judge(type, *blob);
  if (!judged) return std::unexpected(judged.error());
  return PublicKey{.line = fmt::format("{} {}", type, encoded),
                   .type = judged->type,
                   .bits = judged->bits,
                   .fingerprint = fingerprint_of_blob(*blob),
                   .comment = std::string(rest)};
}

}  // namespace boruta::server

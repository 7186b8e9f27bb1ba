// A public key that a user registers. The input is the line as it is sent; behind a zero byte, it is the blob of the
// line, which is encoded first, with the blob's own first field as the type.
#include <openssl/evp.h>

#include <algorithm>
#include <span>
#include <vector>

#include "base/limits.hpp"
#include "oracle.hpp"
#include "server/public_key.hpp"

namespace boruta::server {
namespace {

using fuzz::check;

/// As OpenSSL decodes it; padding becomes zero bytes, which are taken off again.
std::vector<unsigned char> decoded(std::string_view base64) {
  std::vector<unsigned char> bytes(base64.size());
  const auto* letters = reinterpret_cast<const unsigned char*>(base64.data());
  const int length = EVP_DecodeBlock(bytes.data(), letters, static_cast<int>(base64.size()));
  check(length > 0, "the blob is base64 to OpenSSL too", base64);
  const auto padding = std::ranges::count(base64, '=');
  bytes.resize(static_cast<std::size_t>(length - padding));
  return bytes;
}

std::string encoded(std::string_view blob) {
  std::vector<unsigned char> letters(4 * (blob.size() / 3 + 1) + 1);
  const auto* bytes = reinterpret_cast<const unsigned char*>(blob.data());
  const int length = EVP_EncodeBlock(letters.data(), bytes, static_cast<int>(blob.size()));
  return {letters.begin(), letters.begin() + length};
}

/// "TYPE BLOB", with the type that the blob's first field says, as far as it is there.
std::string line_of(std::string_view blob) {
  constexpr std::size_t kLength = 4;
  const std::size_t size = blob.size() < kLength ? 0 : static_cast<unsigned char>(blob[kLength - 1]);
  return std::string(blob.substr(std::min(kLength, blob.size()), size)) + " " + encoded(blob);
}

void check_same(const PublicKey& left, const PublicKey& right) {
  check(left.line == right.line, "the canonical line is its own canonical line", right.line);
  check(left.type == right.type && left.bits == right.bits, "type and bits are the line's", right.line);
  check(left.fingerprint == right.fingerprint, "the fingerprint is the line's", right.line);
}

void check_line(const PublicKey& key) {
  const auto blank = key.line.find(' ');
  check(blank != std::string::npos && key.line.find(' ', blank + 1) == std::string::npos, "a line is two words",
        key.line);
  check(key.line.size() <= limits::kPublicKeyBytes, "a line is as long as a key may be, at most", key.line);
  check(std::ranges::all_of(key.line, [](unsigned char letter) { return letter >= ' ' && letter < 0x7F; }),
        "a line of authorized_keys is printable ASCII", key.line);
  check(fingerprint_of_blob(decoded(std::string_view(key.line).substr(blank + 1))) == key.fingerprint,
        "the fingerprint is that of the blob", key.line);
}

void parse(std::string_view text) {
  const auto key = parse_public_key(text);
  if (!key) {
    if (fuzz::is_utf8(text)) fuzz::check_error(key.error());
    return;
  }
  check_line(*key);
  const auto alone = parse_public_key(key->line);
  check(alone.has_value(), "a canonical line reads again", key->line);
  check_same(*key, *alone);
  check(alone->comment.empty(), "a canonical line has no comment", key->line);
  if (key->comment.empty()) return;
  const auto again = parse_public_key(key->line + " " + key->comment);
  check(again.has_value(), "a line with its comment reads again", text);
  check_same(*key, *again);
  check(again->comment == key->comment, "the comment is the same", text);
}

}  // namespace
}  // namespace boruta::server

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto text = boruta::fuzz::text_of(data, size);
  if (text.starts_with('\0')) {
    boruta::server::parse(boruta::server::line_of(text.substr(1)));
  } else {
    boruta::server::parse(text);
  }
  return 0;
}

#include "server/access.hpp"

#include <openssl/evp.h>
#include <openssl/rand.h>

#include <array>
#include <span>

#include "base/assert.hpp"
#include "farm/decide.hpp"

namespace boruta::server {
namespace {

constexpr std::string_view kTokenPrefix = "boruta_";

std::string hex(std::span<const unsigned char> bytes) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string text(bytes.size() * 2, '0');
  auto digit = text.begin();
  for (const auto byte : bytes) {
    *digit++ = kDigits[byte >> 4U];
    *digit++ = kDigits[byte & 0xFU];
  }
  return text;
}

std::unexpected<Refusal> unauthenticated(std::string detail) {
  return std::unexpected(Refusal{.code = RefusalCode::kUnauthenticated, .detail = std::move(detail)});
}

/// Looked up by the hash: how long that takes tells something of hashes, from which nobody gets to a token, and nothing
/// of the tokens themselves.
std::expected<const farm::Token*, Refusal> find_valid(const farm::Farm& farm, const std::optional<Secret>& token,
                                                      Now now) {
  if (!token) return unauthenticated("a token is required: send \"Authorization: Bearer TOKEN\"");
  const auto* found = farm.find_token(hash_of(*token));
  const bool valid = found != nullptr && !found->revoked && (!found->expires || now.wall < *found->expires);
  if (!valid) return unauthenticated("the token is unknown, expired or revoked");
  return found;
}

}  // namespace

Secret make_token() {
  constexpr std::size_t kTokenBytes = 32;
  std::array<unsigned char, kTokenBytes> bytes{};
  BORUTA_ASSERT(RAND_bytes(bytes.data(), static_cast<int>(bytes.size())) == 1);
  return Secret(std::string(kTokenPrefix) + hex(bytes));
}

std::string hash_of(const Secret& token) { return sha256_hex(token.reveal()); }

std::string sha256_hex(std::string_view text) {
  // Found once: each request shows a token, and looking up the algorithm takes longer than the hash.
  static const auto* const kSha256 = EVP_MD_fetch(nullptr, "SHA256", nullptr);
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned length = 0;
  BORUTA_ASSERT(EVP_Digest(text.data(), text.size(), digest.data(), &length, kSha256, nullptr) == 1);
  return hex(std::span(digest).first(length));
}

std::expected<Login, Refusal> authenticate_user(const farm::Farm& farm, const std::optional<Secret>& token, Now now) {
  if (!farm.policy().access_control) {
    const auto* anonymous = farm.find_user(farm::kAnonymous);
    BORUTA_ASSERT(anonymous != nullptr);
    return Login{.actor = {.kind = farm::Actor::Kind::kAdmin,
                           .user = anonymous->id,
                           .worker = {},
                           .name = std::string(farm::kAnonymous)},
                 .note_use = std::nullopt};
  }
  const auto found = find_valid(farm, token, now);
  if (!found) return std::unexpected(found.error());
  if ((*found)->role == farm::Role::kWorker) {
    return std::unexpected(
        Refusal{.code = RefusalCode::kForbidden, .detail = "this token is a worker's: it opens no user's door"});
  }
  const auto* user = farm.find_user((*found)->user);
  BORUTA_ASSERT(user != nullptr);
  return Login{
      .actor = {.kind = user->role == farm::Role::kAdmin ? farm::Actor::Kind::kAdmin : farm::Actor::Kind::kUser,
                .user = user->id,
                .worker = {},
                .name = user->name},
      .note_use = farm::is_use_news(**found, now) ? std::optional((*found)->id) : std::nullopt};
}

std::expected<std::optional<TokenId>, Refusal> authenticate_agent(const farm::Farm& farm,
                                                                  const std::optional<Secret>& token, Now now) {
  if (!farm.policy().access_control) return std::nullopt;
  const auto found = find_valid(farm, token, now);
  if (!found) return std::unexpected(found.error());
  if ((*found)->role != farm::Role::kWorker) {
    return std::unexpected(
        Refusal{.code = RefusalCode::kForbidden, .detail = "this token is a user's: agents need a worker token"});
  }
  return (*found)->id;
}

}  // namespace boruta::server

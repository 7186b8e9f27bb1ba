#pragma once

#include <expected>
#include <optional>
#include <string>
#include <string_view>

#include "base/refusal.hpp"
#include "base/secret.hpp"
#include "farm/farm.hpp"

/// Who is it? Tokens are 256 random bits; only their SHA-256 is kept.
namespace boruta::server {

/// A new token, for its owner's eyes: "boruta_" and 64 hexadecimal digits.
[[nodiscard]] Secret make_token();
/// SHA-256 in hexadecimal digits.
[[nodiscard]] std::string sha256_hex(std::string_view text);
/// As farm::Token::hash holds it.
[[nodiscard]] std::string hash_of(const Secret& token);

struct Login {
  farm::Actor actor;
  /// The token that was shown, if its use should be noted.
  std::optional<TokenId> note_use;
};

/// The user behind a bearer token, at `now`. Without access control everybody is the anonymous admin.
/// Refused: kUnauthenticated for none, unknown, expired and revoked tokens alike; kForbidden for a worker's.
[[nodiscard]] std::expected<Login, Refusal> authenticate_user(const farm::Farm& farm,
                                                              const std::optional<Secret>& token, Now now);

/// The enrolment token behind an agent's credentials; nothing when access control is off.
[[nodiscard]] std::expected<std::optional<TokenId>, Refusal> authenticate_agent(const farm::Farm& farm,
                                                                                const std::optional<Secret>& token,
                                                                                Now now);

}  // namespace boruta::server

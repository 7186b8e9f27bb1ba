#pragma once

#include <expected>
#include <span>
#include <string>
#include <string_view>

namespace boruta::server {

/// A public key that may open a worker.
struct PublicKey {
  /// As authorized_keys has it, without options and comment: "ssh-ed25519 AAAA…".
  std::string line;
  /// "ED25519", "ECDSA" or "RSA".
  std::string_view type;
  unsigned bits = 0;
  /// "SHA256:…", as `ssh-keygen -l` shows it.
  std::string fingerprint;
  /// What stood behind the key; may be empty.
  std::string comment;
};

/// Reads the one line of a .pub file: Ed25519, ECDSA (nistp256, 384, 521) and RSA of 2,048 to 16,384 bits, without
/// options. The error tells people what is wrong with it and never repeats what could be a secret.
[[nodiscard]] std::expected<PublicKey, std::string> parse_public_key(std::string_view text);

/// "SHA256:…" over the public key's blob (RFC 4253, 6.6).
[[nodiscard]] std::string fingerprint_of_blob(std::span<const unsigned char> blob);

}  // namespace boruta::server

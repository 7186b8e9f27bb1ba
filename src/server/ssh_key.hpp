#pragma once

#include <expected>
#include <string>

#include "base/secret.hpp"

namespace boruta::server {

/// The fingerprint of an RSA private key (PEM, PKCS#1), as `ssh-keygen -l` shows it: "SHA256:…" over the public key's
/// blob (RFC 4253, 6.6). The error says what is wrong with the key.
[[nodiscard]] std::expected<std::string, std::string> fingerprint_of(const Secret& private_key);

}  // namespace boruta::server

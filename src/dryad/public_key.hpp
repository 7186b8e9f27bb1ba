#pragma once

#include <expected>
#include <string>
#include <string_view>

namespace boruta::dryad {

/// `line`, one public key as authorized_keys has it, without its comment: "ssh-ed25519 AAAA…". Taken are Ed25519, ECDSA
/// and RSA of 2048 to 16384 bits whose content is of the type that is named; nothing that only seems to be a key, and
/// no options before it. Error: what is wrong, without the key.
[[nodiscard]] std::expected<std::string, std::string> plain_public_key(std::string_view line);

}  // namespace boruta::dryad

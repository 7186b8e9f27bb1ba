#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/secret.hpp"

/// Tokens as they are written down: in headers, in files, on command lines.
namespace boruta {

/// Whether `text` may be a token: some printable ASCII, without blanks.
[[nodiscard]] bool is_token(std::string_view text);

/// The token in "Bearer TOKEN", an Authorization header's value, without blanks around it; the scheme in any case.
/// Nothing for other schemes and for no token. What is returned may be no token at all: only a lookup tells.
[[nodiscard]] std::optional<Secret> bearer_token(std::string_view authorization);

}  // namespace boruta

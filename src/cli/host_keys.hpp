#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace boruta::cli {

/// "ED25519 SHA256:…", as ssh-keygen shows it, of "ssh-ed25519 AAAA…" with or without a host before it. Nothing for
/// what is no key.
[[nodiscard]] std::optional<std::string> fingerprint_of_host_key(std::string_view line);

/// What to say when ssh did not log in although something answers with `offered` (lines of ssh-keyscan), and the
/// server expects `expected`: which keys were expected, which came, and what to do. Nothing if a key is as expected, or
/// none came.
[[nodiscard]] std::optional<std::string> explain_host_keys(std::string_view worker,
                                                           const std::vector<std::string>& expected,
                                                           std::string_view offered);

}  // namespace boruta::cli

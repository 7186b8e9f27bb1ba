#pragma once

#include <span>
#include <string>
#include <string_view>

#include "base/caps.hpp"

namespace boruta::cli {

/// One word as a POSIX shell must read it to get `word` back, byte for byte. Without NUL.
[[nodiscard]] std::string quote_word(std::string_view word);

/// A command line that a POSIX shell splits into exactly `words`.
[[nodiscard]] std::string quote_command(std::span<const std::string> words);

/// "board=rpi4 'name=left desk'": as one would type it; "anything" when empty.
[[nodiscard]] std::string describe_caps(const Capabilities& caps);

/// One argument of an ssh_config line: in double quotes where needed, with `%` doubled so that ssh expands nothing.
[[nodiscard]] std::string quote_ssh_config(std::string_view argument);

}  // namespace boruta::cli

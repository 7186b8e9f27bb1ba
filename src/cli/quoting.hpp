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

/// What ssh is given so that the far side runs exactly `words`, whatever its login shell, and so that a command that
/// dies of a signal gives 128 and the signal's number: left to itself ssh says 255 then, as when it failed itself.
[[nodiscard]] std::string remote_command(std::span<const std::string> words);

/// "board=rpi4 'name=left desk'": as one would type it; "anything" when empty.
[[nodiscard]] std::string describe_caps(const Capabilities& caps);

/// One argument of an ssh_config line: in double quotes where needed, with `%` doubled so that ssh expands nothing.
[[nodiscard]] std::string quote_ssh_config(std::string_view argument);

}  // namespace boruta::cli

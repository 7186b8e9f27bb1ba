#pragma once

#include <span>
#include <string>

namespace boruta::cli {

/// The program: parses `words` (without the program's name), runs the command, and returns the exit code. Results go to
/// standard output, all else to standard error.
[[nodiscard]] int run_cli(std::span<const std::string> words);

}  // namespace boruta::cli

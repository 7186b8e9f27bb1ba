#pragma once

#include <CLI/App.hpp>

#include <expected>
#include <string>
#include <string_view>

namespace boruta::cli {

/// The completion script for "bash", "zsh" or "fish", made from the commands and options of `app`. The error: another
/// shell.
[[nodiscard]] std::expected<std::string, std::string> completion_script(const CLI::App& app, std::string_view shell);

}  // namespace boruta::cli

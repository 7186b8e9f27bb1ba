#pragma once

#include <expected>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "dryad/config.hpp"
#include "dryad/options.hpp"

namespace boruta::dryad {

struct ConfigFile {
  /// With what the command line says instead.
  Config config;
  /// As it stands in the file.
  std::string text;
};

/// The config that `options` name. Errors are lines for people, and name the file.
[[nodiscard]] std::expected<ConfigFile, config::Errors> load_config(const Options& options);

/// The same, of a `text` that was read already. `root`: for a dryad that root started.
[[nodiscard]] std::expected<ConfigFile, config::Errors> config_from(std::string text, const Options& options,
                                                                    bool root);

/// What is in the config file. Error: it can't be read.
[[nodiscard]] std::expected<std::string, std::string> read_config_text(const std::filesystem::path& file);

/// The keys of the outermost level, other than caps, whose values differ between two texts that both were parsed. They
/// only count from the next start.
[[nodiscard]] std::vector<std::string> keys_that_need_a_restart(std::string_view before, std::string_view after);

}  // namespace boruta::dryad

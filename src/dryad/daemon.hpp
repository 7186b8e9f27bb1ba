#pragma once

#include <expected>
#include <string>

#include "base/secret.hpp"
#include "dryad/config.hpp"
#include "dryad/options.hpp"

namespace boruta::dryad {

/// The token in the first line of `file`; an empty path is no token. `warning` is set if others may read the file.
std::expected<Secret, std::string> read_token(const std::filesystem::path& file, std::string& warning);

/// Runs the worker's agent until a signal or the server ends it. Returns the exit code.
[[nodiscard]] int run_daemon(const Config& config);

/// Says on standard output whether the config, the access mode and the board are fine. Changes nothing.
[[nodiscard]] int run_check(const Config& config);

/// Runs simulated workers until a signal, or until all were deregistered. Returns the exit code.
[[nodiscard]] int run_simulation(const SimulateOptions& simulate, const Options& options);

}  // namespace boruta::dryad

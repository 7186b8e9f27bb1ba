#pragma once

#include "dryad/config_file.hpp"
#include "dryad/options.hpp"

namespace boruta::dryad {

/// Runs the worker's agent until a signal or the server ends it; SIGHUP has it read its config, which is `file`, again.
/// Tells a service manager how it fares. Returns the exit code.
[[nodiscard]] int run_daemon(const Options& options, const ConfigFile& file);

/// Runs simulated workers until a signal, or until all were deregistered. Returns the exit code.
[[nodiscard]] int run_simulation(const SimulateOptions& simulate, const Options& options);

}  // namespace boruta::dryad

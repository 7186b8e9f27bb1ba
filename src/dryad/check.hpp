#pragma once

#include <filesystem>

#include "dryad/config_file.hpp"

namespace boruta::dryad {

/// Says on standard output, a line for each thing it looked at, whether the worker that `file`, read from `path`,
/// describes could serve: "ok", or "wrong" with what is wrong and what to do. Starts nothing, registers nothing, does
/// not touch the device's power, and may run beside the worker's dryad. Blocks, for half a minute at most beside what a
/// health check takes. Returns kExitOk only if all is well, else the code that a start would give for the first thing
/// that is wrong.
[[nodiscard]] int run_check(const ConfigFile& file, const std::filesystem::path& path);

}  // namespace boruta::dryad

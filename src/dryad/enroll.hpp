#pragma once

#include "dryad/options.hpp"

namespace boruta::dryad {

/// The config that `enroll` asks for, for the worker `uuid` whose token is in `token_file`. Every text is quoted as
/// TOML needs it.
[[nodiscard]] std::string enrolled_config(const EnrollOptions& enroll, const Options& options, const std::string& uuid,
                                          const std::filesystem::path& token_file);

/// Makes this machine a worker: asks the server whether the token is good, keeps token and config where only their
/// owner can read them, looks whether all is well, and starts the service. Says on standard output what it did and what
/// is to be done next. Nothing is written when the server refuses the token. Returns the exit code.
[[nodiscard]] int run_enroll(const EnrollOptions& enroll, const Options& options);

}  // namespace boruta::dryad

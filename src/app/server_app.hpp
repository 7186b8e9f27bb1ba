#pragma once

#include "app/server_config.hpp"

namespace boruta::app {

/// Exit codes of borutad, as in sysexits.h where there is one.
inline constexpr int kExitUsage = 64;
inline constexpr int kExitCannotStart = 69;
inline constexpr int kExitConfig = 78;

/// Runs the server until SIGTERM or SIGINT. Returns the process's exit code.
int serve(const ServerConfig& config);

/// Makes another admin token in the data directory of a server that does not run. Returns the process's exit code.
int make_admin_token(const ServerConfig& config);

}  // namespace boruta::app

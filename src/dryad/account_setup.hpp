#pragma once

#include <filesystem>
#include <string>

#include "dryad/account_access.hpp"
#include "dryad/config.hpp"

namespace boruta::dryad {

/// Where a job's user on this machine reaches the board.
[[nodiscard]] std::filesystem::path board_socket_of(const Config& config);

/// What the config says of the job's account. `instance` marks the accounts of this worker.
[[nodiscard]] AccountAccessOptions account_options(const Config& config, const std::string& instance);

}  // namespace boruta::dryad

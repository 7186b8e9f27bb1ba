#pragma once

#include <expected>
#include <filesystem>
#include <optional>
#include <string>

namespace boruta::dryad {

/// Where root keeps the name that marks the accounts of this worker, beyond the reach of the agent.
[[nodiscard]] std::filesystem::path instance_file(const std::filesystem::path& state_dir);

/// What is in it; nothing where there is no such file. Error: it can't be read, or has no name in it.
[[nodiscard]] std::expected<std::optional<std::string>, std::string> read_instance(
    const std::filesystem::path& state_dir);

}  // namespace boruta::dryad

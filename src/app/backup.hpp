#pragma once

#include <expected>
#include <filesystem>
#include <string>

namespace boruta::app {

/// Makes a backup of the farm in `data_dir` at `file` (0600), whether its server runs or not. It has all that was
/// acknowledged before the call, but no private key. It appears as a whole and synced, or not at all. Blocks.
/// Error: what to say: `file` is there already, or its directory is not; there is no farm; the copy failed.
[[nodiscard]] std::expected<void, std::string> make_backup(const std::filesystem::path& data_dir,
                                                           const std::filesystem::path& file);

}  // namespace boruta::app

#pragma once

#include <expected>
#include <filesystem>
#include <string>
#include <string_view>
#include <sys/types.h>

#include "runtime/files.hpp"

/// Files of the agent and of the users that it cleans up after. Errors are texts that name the path. All block.
namespace boruta::dryad {

using runtime::errno_text;
using runtime::read_file;
using runtime::write_file_durably;

/// Makes the directory, with `mode`, and those above it where they are missing. One that is there is left as it is.
std::expected<void, std::string> make_directories(const std::filesystem::path& path, mode_t mode);

/// Removes `path` and all below it. Never follows a symbolic link, never crosses into another file system, copes with
/// directories that deny access and with nesting of any depth. Nothing there is no error.
std::expected<void, std::string> remove_tree(const std::filesystem::path& path);

/// Removes all that `owner` owns below `dir`, with the same care; `dir` itself stays. A directory of `owner` that
/// holds things of others is given to root instead. A directory of others that lets in neither group nor others is not
/// looked into. Needs root. A `dir` that does not exist is no error.
std::expected<void, std::string> remove_owned(const std::filesystem::path& dir, uid_t owner);

}  // namespace boruta::dryad

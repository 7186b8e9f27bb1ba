#pragma once

#include <expected>
#include <filesystem>
#include <string>

#include "runtime/task.hpp"
#include "server/coordinator.hpp"

namespace boruta::app {

/// Where the admin's token lies in the data directory.
inline constexpr const char* kAdminTokenFile = "admin-token";

/// On the very first start: makes the users "anonymous" and "admin" and writes the admin's token. Later: nothing.
/// Returns whether it was the first start.
Task<std::expected<bool, std::string>> make_first_users(server::Coordinator* coordinator,
                                                        std::filesystem::path data_dir);

/// Gives the user "admin" one more token, made anew if it was deleted, and writes it over the last.
Task<std::expected<void, std::string>> add_admin_token(server::Coordinator* coordinator,
                                                       std::filesystem::path data_dir);

}  // namespace boruta::app

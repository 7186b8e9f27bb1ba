#pragma once

#include <expected>
#include <filesystem>
#include <memory>
#include <string>

#include "dryad/config.hpp"
#include "dryad/options.hpp"
#include "dryad/root_link.hpp"
#include "dryad/users.hpp"

/// How dryad, which root starts for access "account", becomes an agent without rights and a part with them.
namespace boruta::dryad {

/// The account that `run_as` names. Error: there is none, or it is root's or the job's; with the way out.
[[nodiscard]] std::expected<UserAccount, std::string> agent_account(const Config& config);

/// Where the agent keeps its state.
[[nodiscard]] std::filesystem::path agent_dir(const Config& config);

/// Gives `account` its directory below the state directory, which stays root's, and in it what an agent that was root
/// left. REQUIRES: root; the state directory is locked.
std::expected<void, std::string> hand_over(const Config& config, const UserAccount& account);

/// Error: others than root can change the config, by which root acts; with the way out.
std::expected<void, std::string> check_config_owner(const std::filesystem::path& file);

/// Becomes `account` for good: no other group, no capability, none to be had from any program; ptrace and core dumps
/// are for root alone from here on, and the terminal is not ours any more. REQUIRES: root, and one thread. Error: the
/// kernel refused a step; the process must end.
std::expected<void, std::string> give_up_root(const UserAccount& account);

/// All of it: starts the part that stays root, and goes on as the agent in its directory. REQUIRES: as above.
/// Error: this machine or the config does not allow it.
std::expected<std::unique_ptr<RootLink>, std::string> part_with_root(const Options& options, const Config& config);

}  // namespace boruta::dryad

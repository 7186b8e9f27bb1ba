#pragma once

#include <expected>
#include <optional>
#include <string>
#include <sys/types.h>

namespace boruta::dryad {

/// What the system knows of an account.
struct UserAccount {
  std::string name;
  uid_t uid = 0;
  gid_t gid = 0;
  std::string comment;
  std::string home;
  std::string shell;
};

/// Nothing if there is none; error: the system could not say.
std::expected<std::optional<UserAccount>, std::string> find_user(const std::string& name);
std::expected<std::optional<UserAccount>, std::string> find_user(uid_t uid);

/// Error: the system could not say.
std::expected<bool, std::string> has_group(const std::string& name);

/// Who this process is.
std::expected<UserAccount, std::string> present_user();

/// Whether `uid` is one for people: neither root, nor of the system (below 1000), nor nobody.
[[nodiscard]] bool is_user_uid(uid_t uid);

/// Whether `shell` is one that ends every login, like nologin.
[[nodiscard]] bool refuses_logins(const std::string& shell);

/// Whether `name` is one that useradd takes, and that no tool mistakes for a flag.
[[nodiscard]] bool is_user_name(const std::string& name);

}  // namespace boruta::dryad

#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "base/instant.hpp"
#include "dryad/access.hpp"
#include "dryad/access_key.hpp"
#include "dryad/users.hpp"

namespace boruta::dryad {

struct AccountAccessOptions {
  std::filesystem::path state_dir;
  /// Of the agent; part of the account's mark.
  std::string instance;
  std::string username = "boruta-user";
  std::vector<std::string> groups;
  /// Of the system's sshd.
  std::uint16_t ssh_port = 22;
  /// Where that sshd is asked for a sign of life.
  std::string probe_address = "127.0.0.1";
  Duration kill_limit = std::chrono::seconds(10);
};

/// A throw-away account behind the system's sshd. Needs root.
///
/// Touches only an account that it made itself, which it knows by two things that must agree: the comment in the
/// account's entry and a record in the state directory. Root, accounts of the system (uid below 1000) and accounts
/// that were there before are refused by `check`, `start` and every operation.
class AccountAccess final : public Access {
 public:
  /// `keys` must outlive this.
  AccountAccess(AccountAccessOptions options, KeySource& keys);

  std::expected<void, std::string> check() override;
  std::expected<Endpoint, std::string> start() override;
  std::expected<Login, std::string> prepare() override;
  std::expected<void, std::string> grant(const std::vector<std::string>& public_keys) override;
  std::expected<void, std::string> end_job() override;
  std::expected<void, std::string> probe() override;
  [[nodiscard]] std::optional<uid_t> user_id() const override;
  void stop(bool) override {}

 private:
  /// The account, if there is one and it is ours; error: there is one that is not.
  std::expected<std::optional<UserAccount>, std::string> own_account();
  std::expected<void, std::string> record(uid_t uid);
  std::expected<UserAccount, std::string> add_account();
  std::expected<void, std::string> install_keys(const UserAccount& account, const std::string& text);
  std::expected<void, std::string> kill_processes(uid_t uid);
  void lock_out(const UserAccount& account);
  std::expected<void, std::string> remove_home(const std::string& home);
  /// The rest, once the account is gone; also what an earlier dryad did not come to.
  std::expected<void, std::string> finish_removal();
  [[nodiscard]] std::string mark() const;

  AccountAccessOptions options_;
  KeySource& keys_;
  std::filesystem::path record_;
};

}  // namespace boruta::dryad

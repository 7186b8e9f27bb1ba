#pragma once

#include <expected>
#include <filesystem>
#include <string>
#include <string_view>

#include "cli/settings.hpp"
#include "client/api_types.hpp"

namespace boruta::cli {

/// What ssh is called with to reach a worker.
struct SshTarget {
  /// The `Host` of the config: what stands on ssh's command line.
  std::string alias;
  std::string host;
  std::uint16_t port = 0;
  std::string user;
  /// Folder that holds `key` and `known_hosts`.
  std::filesystem::path folder;
  bool has_key = true;
  /// Without a key in `folder`: the file with the user's own, empty where ssh finds it by itself.
  std::string own_key = {};
};

/// A name that ssh, scp and shells take as it is: from the worker's name, what they do not take replaced by "-".
[[nodiscard]] std::string ssh_alias(std::string_view worker_name);

/// The ssh_config text: it never asks, and trusts nothing but the host keys in `known_hosts`.
[[nodiscard]] std::string render_ssh_config(const SshTarget& target);

/// The known_hosts text for `alias`. Keys that are not of the form "type base64" are left out.
[[nodiscard]] std::string render_known_hosts(std::string_view alias, const std::vector<std::string>& host_keys);

/// Where to connect: the address in `access`, or `server_host` when that is a wildcard.
[[nodiscard]] std::string access_host(const client::AccessInfo& access, std::string_view server_host);

/// Where `boruta ssh-config` keeps the files of a request, until it is closed. The error: nothing says where.
[[nodiscard]] std::expected<std::filesystem::path, std::string> kept_ssh_folder(const Environment& environment,
                                                                                RequestId id);

/// Files for one worker's ssh in a folder that only its owner can enter.
class SshFiles {
 public:
  /// Makes a new folder in TMPDIR that goes with the object. The error is for people.
  [[nodiscard]] static std::expected<SshFiles, std::string> make_temporary(const client::AccessInfo& access,
                                                                           std::string alias,
                                                                           std::string_view server_host);
  /// Writes into `folder`, which stays.
  [[nodiscard]] static std::expected<SshFiles, std::string> make_in(const std::filesystem::path& folder,
                                                                    const client::AccessInfo& access, std::string alias,
                                                                    std::string_view server_host);
  SshFiles(SshFiles&& other) noexcept;
  SshFiles& operator=(SshFiles&&) = delete;
  ~SshFiles();

  [[nodiscard]] const std::string& alias() const { return target_.alias; }
  [[nodiscard]] std::filesystem::path config_path() const { return target_.folder / "config"; }
  [[nodiscard]] std::string config_text() const { return render_ssh_config(target_); }
  [[nodiscard]] const SshTarget& target() const { return target_; }

 private:
  SshFiles(SshTarget target, bool temporary) : target_(std::move(target)), temporary_(temporary) {}

  [[nodiscard]] std::expected<void, std::string> write(const client::AccessInfo& access) const;

  SshTarget target_;
  bool temporary_;
};

}  // namespace boruta::cli

#pragma once

#include <expected>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>

#include "base/secret.hpp"
#include "client/server_url.hpp"

/// Which server, and as whom: from flags, the environment and the file that `boruta login` writes.
namespace boruta::cli {

/// What the file holds.
struct StoredLogin {
  std::string url;
  Secret token;
  /// Path of a PEM file; may be empty.
  std::string ca;
};

/// The value of an environment variable; nothing when it is not set or empty.
using Environment = std::function<std::optional<std::string>(const char*)>;

[[nodiscard]] Environment process_environment();

/// $XDG_CONFIG_HOME/boruta/config.toml, or ~/.config/boruta/config.toml. The error: neither variable says where.
[[nodiscard]] std::expected<std::filesystem::path, std::string> login_path(const Environment& environment);

/// Nothing when there is no such file. The error names the file and the line.
[[nodiscard]] std::expected<std::optional<StoredLogin>, std::string> load_login(const std::filesystem::path& path);

/// Writes the file in one step, readable by its owner alone, and makes its folder if needed. A reader sees the old or
/// the new content, whatever happens.
[[nodiscard]] std::expected<void, std::string> save_login(const std::filesystem::path& path, const StoredLogin& login);

struct Flags {
  std::string url;
  std::string token_file;
  std::string ca;
};

struct Settings {
  client::ServerUrl url;
  Secret token;
  std::string ca;
};

/// Flags beat BORUTA_URL, BORUTA_TOKEN and BORUTA_CA, which beat `stored`; without any it is this machine. A stored
/// token goes to the server that it was stored for and to no other.
[[nodiscard]] std::expected<Settings, std::string> resolve_settings(const Flags& flags, const Environment& environment,
                                                                    const std::optional<StoredLogin>& stored);

/// The first line of a file, without space around it. The error says why there is none, never what it holds.
[[nodiscard]] std::expected<Secret, std::string> read_token_file(const std::string& path);

}  // namespace boruta::cli

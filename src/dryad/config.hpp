#pragma once

#include <chrono>
#include <cstdint>
#include <expected>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/caps.hpp"
#include "base/config_reader.hpp"
#include "base/host_port.hpp"
#include "base/instant.hpp"
#include "dryad/board.hpp"

namespace boruta::dryad {

inline constexpr std::uint16_t kBorutaPort = 7175;
inline constexpr std::uint16_t kSshPort = 22;

enum class AccessMode : unsigned char { kAccount, kPrivate };
enum class ConfigLogFormat : unsigned char { kText, kJson };

/// dryad.conf. Its first keys are those of Boruta 0.2.1.
struct Config {
  HostPort boruta;
  HostPort ssh;
  Capabilities caps;
  std::string user_name = "boruta-user";
  std::vector<std::string> user_groups;

  AccessMode access = AccessMode::kAccount;
  /// Of access "account": as whom the part runs that speaks with the network.
  std::string run_as = "dryad";
  std::filesystem::path state_dir;
  std::filesystem::path token_file;
  std::filesystem::path ca_file;
  ConfigLogFormat log_format = ConfigLogFormat::kText;
  BoardOptions board;
  /// Of access "private".
  std::string sshd = "/usr/sbin/sshd";

  Duration backoff_least = std::chrono::milliseconds(200);
  Duration backoff_most = std::chrono::seconds(10);
  /// At least 5 s: a server takes more frequent pings for an attack. With the time-out below lost_after, so that a
  /// connection that died unnoticed is replaced before the worker is given up.
  Duration keepalive_every = std::chrono::seconds(10);
  Duration keepalive_timeout = std::chrono::seconds(10);
  Duration kill_limit = std::chrono::seconds(10);

  /// Keys that were accepted and do nothing, for the log.
  std::vector<std::string> warnings;
};

/// `file` is for messages; `root` decides where state lies unless the config says it.
[[nodiscard]] std::expected<Config, config::Errors> parse_config(std::string_view text, const std::string& file,
                                                                 bool root);

/// A commented config to start from, with `uuid` as the worker's UUID.
[[nodiscard]] std::string first_config(const std::string& uuid, bool root);

[[nodiscard]] std::filesystem::path default_state_dir(bool root);

/// What access "private" listens on: the address that tunnels dial if the config names one by number, loopback for a
/// server on this machine, else everything.
[[nodiscard]] std::vector<std::string> listen_addresses(const Config& config);

}  // namespace boruta::dryad

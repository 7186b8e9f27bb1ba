#pragma once

#include <cstdint>
#include <expected>
#include <filesystem>
#include <string>
#include <string_view>

#include "app/event_hook.hpp"
#include "base/config_reader.hpp"
#include "base/host_port.hpp"
#include "farm/policy.hpp"
#include "runtime/log.hpp"
#include "server/quarantine.hpp"
#include "tunnel/mode.hpp"

namespace boruta::app {

inline constexpr std::uint16_t kHttpPort = 8487;
inline constexpr std::uint16_t kAgentPort = 7175;
inline constexpr const char* kServerConfigPath = "/etc/boruta/borutad.toml";

/// What the operator says: borutad.toml, then flags.
struct ServerConfig {
  std::filesystem::path data_dir = "/var/lib/boruta";
  HostPort http{.host = "127.0.0.1", .port = kHttpPort};
  HostPort agent{.host = "127.0.0.1", .port = kAgentPort};
  /// Plain HTTP and plain gRPC beyond loopback are fine.
  bool insecure = false;
  runtime::LogLevel log_level = runtime::LogLevel::kInfo;
  runtime::LogFormat log_format = runtime::LogFormat::kText;
  farm::Policy policy{.waiting_per_user = 10'000, .keep_requests = std::chrono::hours(90 * 24)};
  /// How long events are kept; zero: for ever.
  Duration keep_events = std::chrono::hours(90 * 24);
  /// How long a store that cannot be written is waited for before the server exits.
  Duration store_patience = std::chrono::seconds(30);
  /// What is run when something happens to a worker.
  HookOptions hook;
  /// Between two checks of an idle worker; zero: none.
  Duration healthcheck_every = std::chrono::minutes(10);
  server::Quarantine::Rules quarantine;
  /// How workers are reached.
  tunnel::Mode tunnel_mode = tunnel::Mode::kAuto;
  /// Where jobs' tunnels listen; empty: where HTTP does.
  std::string tunnel_address;
  /// PEM files; both or neither. With them both listeners speak TLS.
  std::filesystem::path tls_certificate;
  std::filesystem::path tls_key;
  /// Requests a second that a user, or an address without a user, may keep up; 0: any number.
  std::uint32_t requests_per_second = 1'000;
  /// From one address beyond this machine; 0: as many as there may be at all.
  std::uint32_t connections_per_client = 1'000;
  /// What users are told to dial; empty: the address that their HTTP connection came in on.
  std::string tunnel_advertise;
};

/// `file` is for messages.
[[nodiscard]] std::expected<ServerConfig, config::Errors> parse_server_config(std::string_view text,
                                                                              const std::string& file);

/// What only the whole can tell, after the flags. Empty: all is well.
[[nodiscard]] std::string check_server_config(const ServerConfig& config);

}  // namespace boruta::app

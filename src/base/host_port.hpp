#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace boruta {

/// A host, which may be empty, and a port, which may be missing. IPv6 literals are without brackets here.
struct HostPort {
  std::string host;
  std::optional<std::uint16_t> port;

  friend bool operator==(const HostPort&, const HostPort&) = default;
};

/// "host:port", ":port", "host", "[v6]:port". Nothing for anything else, a URL for example.
[[nodiscard]] std::optional<HostPort> parse_host_port(std::string_view text);
/// IPv6 in brackets.
[[nodiscard]] std::string format_host_port(const std::string& host, std::uint16_t port);

[[nodiscard]] bool is_ip_literal(const std::string& host);
/// By number or as "localhost".
[[nodiscard]] bool is_loopback(const std::string& host);

}  // namespace boruta

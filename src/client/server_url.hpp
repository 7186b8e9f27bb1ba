#pragma once

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>

namespace boruta::client {

/// Where a server's API is.
struct ServerUrl {
  bool tls = false;
  /// A name or an address; IPv6 without brackets.
  std::string host;
  std::uint16_t port = 0;
  /// What stands before /api/v1, without a slash at the end; usually empty.
  std::string prefix;

  friend bool operator==(const ServerUrl&, const ServerUrl&) = default;
};

/// Reads "http://host[:port][/prefix]" or https; without a port it is 8487 for http and 443 for https, without a
/// scheme it is http. A trailing "/api/v1" is dropped. The error says what is wrong, and repeats no secret: user names,
/// passwords, queries and fragments are refused.
[[nodiscard]] std::expected<ServerUrl, std::string> parse_server_url(std::string_view text);

/// The URL as people write it; parse_server_url reads it back.
[[nodiscard]] std::string format_url(const ServerUrl& url);

/// The `Host` header's value: IPv6 in brackets, no default port.
[[nodiscard]] std::string host_header(const ServerUrl& url);

/// Percent-encodes all that may not stand in one segment of a path.
[[nodiscard]] std::string encode_segment(std::string_view text);

}  // namespace boruta::client

#include "client/server_url.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <optional>

#include "base/ascii.hpp"

namespace boruta::client {
namespace {

constexpr std::uint16_t kHttpPort = 8487;
constexpr std::uint16_t kHttpsPort = 443;
constexpr std::string_view kApiRoot = "/api/v1";

std::uint16_t default_port(bool tls) { return tls ? kHttpsPort : kHttpPort; }

bool is_ipv6(std::string_view host) { return host.find(':') != std::string_view::npos; }

bool is_unreserved(char letter) {
  return is_alphanumeric(letter) || std::string_view("-._~").find(letter) != std::string_view::npos;
}

bool is_host(std::string_view host) {
  return !host.empty() && std::ranges::all_of(host, [](char letter) { return is_unreserved(letter); });
}

bool is_ipv6_literal(std::string_view host) {
  return is_ipv6(host) && host.find_first_not_of("0123456789abcdefABCDEF:.") == std::string_view::npos;
}

/// The characters that a path may hold as they are.
bool is_path(std::string_view path) {
  return std::ranges::all_of(path, [](char letter) {
    return is_unreserved(letter) || std::string_view("/%!$&'()*+,;=:").find(letter) != std::string_view::npos;
  });
}

std::optional<std::uint16_t> parse_port(std::string_view text) {
  std::uint16_t port = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  if (error != std::errc{} || end != text.data() + text.size() || port == 0) return std::nullopt;
  return port;
}

/// "host", "host:port", "[ipv6]" or "[ipv6]:port" into `url`; false when it is none of these.
bool take_authority(std::string_view authority, ServerUrl& url) {
  std::string_view port;
  if (authority.starts_with('[')) {
    const auto end = authority.find(']');
    if (end == std::string_view::npos || !is_ipv6_literal(authority.substr(1, end - 1))) return false;
    url.host = authority.substr(1, end - 1);
    port = authority.substr(end + 1);
  } else {
    const auto colon = std::min(authority.find(':'), authority.size());
    if (!is_host(authority.substr(0, colon))) return false;
    url.host = authority.substr(0, colon);
    port = authority.substr(colon);
  }
  url.port = default_port(url.tls);
  if (port.empty()) return true;
  if (!port.starts_with(':')) return false;
  const auto number = parse_port(port.substr(1));
  url.port = number.value_or(0);
  return number.has_value();
}

std::string prefix_of(std::string path) {
  while (path.ends_with('/')) path.pop_back();
  if (path.ends_with(kApiRoot)) path.resize(path.size() - kApiRoot.size());
  while (path.ends_with('/')) path.pop_back();
  return path;
}

}  // namespace

std::expected<ServerUrl, std::string> parse_server_url(std::string_view text) {
  // What may hold a secret is refused before anything could repeat it.
  if (text.find('@') != std::string_view::npos) {
    return std::unexpected("a user name, password or token does not belong in the server's URL");
  }
  if (text.find_first_of("?#") != std::string_view::npos) {
    return std::unexpected("the server's URL must end with its path: no \"?\" and no \"#\"");
  }
  ServerUrl url;
  auto rest = text;
  if (const auto end = text.find("://"); end != std::string_view::npos) {
    const auto scheme = text.substr(0, end);
    if (scheme != "http" && scheme != "https") {
      return std::unexpected(fmt::format("\"{}\" must begin with http:// or https://", text));
    }
    url.tls = scheme == "https";
    rest = text.substr(end + 3);
  }
  const auto slash = std::min(rest.find('/'), rest.size());
  const auto path = rest.substr(slash);
  if (!take_authority(rest.substr(0, slash), url) || !is_path(path)) {
    return std::unexpected(fmt::format("\"{}\" is no URL like http://farm.example:8487", text));
  }
  url.prefix = prefix_of(std::string(path));
  return url;
}

std::string format_url(const ServerUrl& url) {
  const std::string host = is_ipv6(url.host) ? fmt::format("[{}]", url.host) : url.host;
  if (url.tls && url.port == kHttpsPort) return fmt::format("https://{}{}", host, url.prefix);
  return fmt::format("{}://{}:{}{}", url.tls ? "https" : "http", host, url.port, url.prefix);
}

std::string host_header(const ServerUrl& url) {
  const std::string host = is_ipv6(url.host) ? fmt::format("[{}]", url.host) : url.host;
  const bool standard = url.port == (url.tls ? 443 : 80);
  return standard ? host : fmt::format("{}:{}", host, url.port);
}

std::string encode_segment(std::string_view text) {
  std::string encoded;
  for (const char letter : text) {
    if (is_unreserved(letter)) {
      encoded.push_back(letter);
    } else {
      encoded += fmt::format("%{:02X}", static_cast<unsigned char>(letter));
    }
  }
  return encoded;
}

}  // namespace boruta::client

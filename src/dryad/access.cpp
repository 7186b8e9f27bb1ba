#include "dryad/access.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <arpa/inet.h>
#include <cerrno>
#include <cstring>
#include <netinet/in.h>
#include <poll.h>
#include <string_view>
#include <sys/socket.h>
#include <system_error>
#include <unistd.h>

#include "dryad/files.hpp"

namespace boruta::dryad {
namespace {

constexpr std::size_t kPublicKeyBytes = std::size_t{16} * 1024;
constexpr int kProbeMs = 5000;

bool is_control(char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7F; }

bool names_key_type(std::string_view line) {
  // Options before the type are the owner's own affair; a comment line would let nobody in.
  return line.find("ssh-") != std::string_view::npos || line.find("ecdsa-sha2-") != std::string_view::npos;
}

union SocketAddress {
  sockaddr any;
  sockaddr_in v4;
  sockaddr_in6 v6;
};

/// Size of what was filled in; 0 if `address` is no IP literal.
socklen_t fill_address(const std::string& address, std::uint16_t port, SocketAddress& target) {
  std::memset(&target, 0, sizeof target);
  if (::inet_pton(AF_INET, address.c_str(), &target.v4.sin_addr) == 1) {
    target.v4.sin_family = AF_INET;
    target.v4.sin_port = htons(port);
    return sizeof target.v4;
  }
  if (::inet_pton(AF_INET6, address.c_str(), &target.v6.sin6_addr) == 1) {
    target.v6.sin6_family = AF_INET6;
    target.v6.sin6_port = htons(port);
    return sizeof target.v6;
  }
  return 0;
}

/// Empty if the server greeted as SSH does.
std::string greet(int fd, const SocketAddress& target, socklen_t size) {
  if (::connect(fd, &target.any, size) != 0 && errno != EINPROGRESS) return std::generic_category().message(errno);
  pollfd wait{fd, POLLOUT, 0};
  if (::poll(&wait, 1, kProbeMs) <= 0) return "no answer";
  int error = 0;
  socklen_t error_size = sizeof error;
  ::getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &error_size);
  if (error != 0) return std::generic_category().message(error);
  wait.events = POLLIN;
  if (::poll(&wait, 1, kProbeMs) <= 0) return "no SSH banner";
  char banner[4] = {};
  if (::recv(fd, banner, sizeof banner, 0) < 4 || std::string_view(banner, 4) != "SSH-") return "not an SSH server";
  return {};
}

}  // namespace

std::expected<std::string, std::string> authorized_keys_text(const std::vector<std::string>& public_keys) {
  std::string text;
  for (const auto& key : public_keys) {
    const bool fits = key.size() <= kPublicKeyBytes && std::ranges::none_of(key, is_control);
    if (!fits || key.starts_with('#') || !names_key_type(key)) {
      return std::unexpected("a public key must be one line like \"ssh-ed25519 AAAA… comment\"");
    }
    text += key + "\n";
  }
  return text;
}

std::vector<std::string> read_host_keys(const std::vector<std::string>& paths) {
  std::vector<std::string> keys;
  for (const auto& path : paths) {
    const auto content = read_file(path, kPublicKeyBytes);
    if (!content) continue;
    const std::string_view line = std::string_view(*content).substr(0, content->find('\n'));
    const auto type_end = line.find(' ');
    if (type_end == std::string_view::npos) continue;
    keys.emplace_back(line.substr(0, line.find(' ', type_end + 1)));
  }
  return keys;
}

std::expected<void, std::string> probe_ssh(const std::string& address, std::uint16_t port) {
  SocketAddress target{};
  const auto size = fill_address(address, port, target);
  if (size == 0) return std::unexpected(fmt::format("\"{}\" is not an IP address", address));
  const int fd = ::socket(target.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return std::unexpected(std::generic_category().message(errno));
  const std::string fault = greet(fd, target, size);
  ::close(fd);
  if (fault.empty()) return {};
  return std::unexpected(fmt::format("sshd does not answer at {} port {}: {}", address, port, fault));
}

}  // namespace boruta::dryad

#pragma once

#include <expected>
#include <filesystem>
#include <string>
#include <vector>

namespace boruta::app {

struct NewTls {
  std::filesystem::path directory;
  /// Names and IP addresses under which clients and agents reach the server. Empty: this machine's name, "localhost"
  /// and the loopback addresses.
  std::vector<std::string> hosts;
};

/// Makes a private authority (`ca.pem`, `ca.key`) unless `directory` has one, and a server certificate from it
/// (`server.pem`, `server.key`, which are replaced). Keys can be read by their owner alone. Returns the names that the
/// certificate is for. The error is for people. Blocks.
std::expected<std::vector<std::string>, std::string> init_tls(const NewTls& wanted);

}  // namespace boruta::app

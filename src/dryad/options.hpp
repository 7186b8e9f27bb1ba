#pragma once

#include <cstddef>
#include <expected>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "base/caps.hpp"
#include "base/host_port.hpp"
#include "dryad/faults.hpp"

namespace boruta::dryad {

struct SimulateOptions {
  std::size_t count = 0;
  /// The first eight digits of the workers' UUIDs.
  std::string uuid_prefix = "fa4e0000";
  Capabilities caps;
  /// What each worker tells of its sshd.
  std::string ssh_address;
  Faults faults;
};

struct EnrollOptions {
  HostPort server;
  /// The token comes on standard input; else from Options::token_file.
  bool token_stdin = false;
  /// Beside UUID.
  Capabilities caps;
  /// Of the job's account.
  std::vector<std::string> groups;
  std::string access = "account";
  std::string ssh_address;
  /// A config that is there is written anew.
  bool replace = false;
  /// The server is not asked.
  bool offline = false;
  bool start = true;
};

/// dryad's command line.
struct Options {
  std::filesystem::path config = "/etc/boruta/dryad.conf";
  /// These beat the config.
  std::optional<std::filesystem::path> token_file;
  std::optional<std::filesystem::path> ca_file;
  std::optional<std::filesystem::path> state_dir;
  std::optional<std::string> boruta;
  /// Only look whether everything is fine.
  bool check = false;
  /// Make this machine a worker.
  std::optional<EnrollOptions> enroll;
  std::optional<SimulateOptions> simulate;
};

/// Error: the exit code, after help, version or what is wrong was printed.
[[nodiscard]] std::expected<Options, int> parse_options(int argc, const char* const* argv);

}  // namespace boruta::dryad

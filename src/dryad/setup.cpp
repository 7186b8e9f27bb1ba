#include "dryad/setup.hpp"

#include <fmt/format.h>

#include <sys/stat.h>

#include "base/bearer_token.hpp"
#include "dryad/account_access.hpp"
#include "dryad/account_setup.hpp"
#include "dryad/files.hpp"
#include "dryad/private_access.hpp"

namespace boruta::dryad {
namespace {

constexpr std::size_t kTokenFileBytes = 4096;
constexpr std::size_t kCaFileBytes = std::size_t{1024} * 1024;

/// boruta-board is found, and finds this dryad. It lies beside dryad, wherever that was started from.
std::vector<std::string> session_environment(const Config& config) {
  std::vector<std::string> environment{fmt::format("BORUTA_BOARD_SOCKET={}", board_socket_of(config).native())};
  std::error_code error;
  const auto beside = std::filesystem::read_symlink("/proc/self/exe", error).parent_path();
  if (error || beside.native().find_first_of(" \t\n\"'\\%#$`") != std::string::npos) return environment;
  environment.push_back(
      fmt::format("PATH={}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", beside.native()));
  return environment;
}

}  // namespace

std::expected<Secret, std::string> token_in(std::string text, const std::string& source) {
  std::string token = text.substr(0, text.find_first_of("\r\n"));
  wipe(text);
  if (!is_token(token)) {
    return std::unexpected(fmt::format("{}: the first line must be a token, and nothing else", source));
  }
  return Secret(std::move(token));
}

std::expected<Secret, std::string> read_token(const std::filesystem::path& file, std::string& warning) {
  if (file.empty()) return Secret();
  auto text = read_file(file, kTokenFileBytes);
  if (!text) return std::unexpected("the token: " + text.error());
  struct stat info{};
  if (::stat(file.c_str(), &info) == 0 && (info.st_mode & (S_IRGRP | S_IROTH)) != 0) {
    warning = fmt::format("{}: others may read the token; chmod 600 it", file.native());
  }
  return token_in(*std::move(text), file.native());
}

std::unique_ptr<Access> make_access(const Config& config, const std::string& instance, KeySource& keys) {
  if (config.access == AccessMode::kPrivate) {
    return std::make_unique<PrivateAccess>(PrivateAccessOptions{.state_dir = config.state_dir,
                                                                .sshd = config.sshd,
                                                                .listen = listen_addresses(config),
                                                                .port = config.ssh.port.value_or(0),
                                                                .kill_limit = config.kill_limit,
                                                                .environment = session_environment(config)},
                                           keys);
  }
  return std::make_unique<AccountAccess>(account_options(config, instance), keys);
}

std::expected<GrpcOptions, std::string> make_grpc_options(const HostPort& boruta, Secret token,
                                                          const std::filesystem::path& ca_file) {
  GrpcOptions options;
  options.address = format_host_port(boruta.host, boruta.port.value_or(kBorutaPort));
  options.token = std::move(token);
  if (ca_file.empty()) return options;
  auto ca = read_file(ca_file, kCaFileBytes);
  if (!ca) return std::unexpected(ca.error());
  options.ca_pem = *std::move(ca);
  return options;
}

}  // namespace boruta::dryad

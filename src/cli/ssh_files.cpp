#include "cli/ssh_files.hpp"

#include <boost/asio/ip/address.hpp>
#include <fmt/format.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <utility>

#include "base/ascii.hpp"
#include "cli/quoting.hpp"

namespace boruta::cli {
namespace {

std::string reason() { return std::strerror(errno); }

/// A file that its owner alone can read; one that was there is replaced.
std::expected<void, std::string> write_private(const std::filesystem::path& path, std::string_view text) {
  ::unlink(path.c_str());
  const int file = ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (file < 0) return std::unexpected(fmt::format("{}: {}", path.native(), reason()));
  while (!text.empty()) {
    const auto count = ::write(file, text.data(), text.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) break;
    text.remove_prefix(static_cast<std::size_t>(count));
  }
  auto result = text.empty() ? std::expected<void, std::string>{}
                             : std::unexpected(fmt::format("{}: {}", path.native(), reason()));
  ::close(file);
  return result;
}

bool is_host_key(std::string_view key) {
  const auto space = key.find(' ');
  return space != std::string_view::npos && space > 0 && key.find_first_of("\r\n") == std::string_view::npos &&
         key.find_first_not_of(' ') == 0 && key.size() > space + 1 && !key.starts_with('#') && !key.starts_with('@');
}

SshTarget make_target(const client::AccessInfo& access, std::string alias, std::string_view server_host) {
  return {.alias = std::move(alias),
          .host = access_host(access, server_host),
          .port = access.port,
          .user = access.username,
          .folder = {},
          .has_key = !access.key.empty(),
          .own_key = process_environment()("BORUTA_SSH_KEY").value_or("")};
}

}  // namespace

std::string ssh_alias(std::string_view worker_name) {
  std::string alias;
  for (const char letter : worker_name) {
    const bool plain = is_alphanumeric(letter) || letter == '.' || letter == '_';
    alias.push_back(plain ? letter : '-');
  }
  // Not an option, and not nothing.
  if (alias.empty() || alias.front() == '-') alias.insert(0, "worker");
  return alias;
}

std::string render_ssh_config(const SshTarget& target) {
  const auto path = [&](const char* name) { return quote_ssh_config((target.folder / name).native()); };
  std::string text = fmt::format("Host {}\n", target.alias);
  const auto add = [&text](std::string_view key, std::string_view value) {
    text += fmt::format("  {} {}\n", key, value);
  };
  add("HostName", quote_ssh_config(target.host));
  add("Port", std::to_string(target.port));
  add("User", quote_ssh_config(target.user));
  if (target.has_key) {
    add("IdentityFile", path("key"));
    add("IdentitiesOnly", "yes");
    add("IdentityAgent", "none");
  } else if (!target.own_key.empty()) {
    add("IdentityFile", quote_ssh_config(target.own_key));
    add("IdentitiesOnly", "yes");
  }
  add("HostKeyAlias", target.alias);
  add("UserKnownHostsFile", path("known_hosts"));
  add("GlobalKnownHostsFile", "/dev/null");
  add("StrictHostKeyChecking", "yes");
  add("CheckHostIP", "no");
  add("UpdateHostKeys", "no");
  add("PreferredAuthentications", "publickey");
  add("BatchMode", "yes");
  add("ControlPath", "none");
  add("ConnectTimeout", "20");
  add("ServerAliveInterval", "15");
  add("ServerAliveCountMax", "4");
  add("LogLevel", "ERROR");
  return text;
}

std::string render_known_hosts(std::string_view alias, const std::vector<std::string>& host_keys) {
  std::string text;
  for (const auto& key : host_keys) {
    if (is_host_key(key)) text += fmt::format("{} {}\n", alias, key);
  }
  return text;
}

std::string access_host(const client::AccessInfo& access, std::string_view server_host) {
  boost::system::error_code error;
  const auto address = boost::asio::ip::make_address(access.ip, error);
  if (!error && address.is_unspecified()) return std::string(server_host);
  return access.zone.empty() ? access.ip : fmt::format("{}%{}", access.ip, access.zone);
}

std::expected<std::filesystem::path, std::string> kept_ssh_folder(const Environment& environment, RequestId id) {
  const auto name = fmt::format("request-{}", id.value);
  for (const auto* variable : {"XDG_RUNTIME_DIR", "XDG_CACHE_HOME"}) {
    const auto base = environment(variable);
    if (base && base->starts_with('/')) return std::filesystem::path(*base) / "boruta" / name;
  }
  const auto home = environment("HOME");
  if (!home) return std::unexpected("neither XDG_RUNTIME_DIR nor HOME says where to keep the files for ssh");
  return std::filesystem::path(*home) / ".cache" / "boruta" / name;
}

std::expected<SshFiles, std::string> SshFiles::make_temporary(const client::AccessInfo& access, std::string alias,
                                                              std::string_view server_host) {
  const char* base = std::getenv("TMPDIR");
  auto folder = fmt::format("{}/boruta-XXXXXX", base == nullptr || *base != '/' ? "/tmp" : base);
  if (::mkdtemp(folder.data()) == nullptr) return std::unexpected(fmt::format("{}: {}", folder, reason()));
  auto target = make_target(access, std::move(alias), server_host);
  target.folder = std::move(folder);
  SshFiles files(std::move(target), true);
  if (auto written = files.write(access); !written) return std::unexpected(std::move(written.error()));
  return files;
}

std::expected<SshFiles, std::string> SshFiles::make_in(const std::filesystem::path& folder,
                                                       const client::AccessInfo& access, std::string alias,
                                                       std::string_view server_host) {
  std::error_code error;
  std::filesystem::create_directories(folder.parent_path(), error);
  if (::mkdir(folder.c_str(), 0700) != 0 && errno != EEXIST) {
    return std::unexpected(fmt::format("{}: {}", folder.native(), reason()));
  }
  struct stat status{};
  if (::lstat(folder.c_str(), &status) != 0 || !S_ISDIR(status.st_mode) || status.st_uid != ::geteuid() ||
      ::chmod(folder.c_str(), 0700) != 0) {
    return std::unexpected(fmt::format("{} is not a folder of yours", folder.native()));
  }
  auto target = make_target(access, std::move(alias), server_host);
  target.folder = folder;
  SshFiles files(std::move(target), false);
  if (auto written = files.write(access); !written) return std::unexpected(std::move(written.error()));
  return files;
}

std::expected<void, std::string> SshFiles::write(const client::AccessInfo& access) const {
  const auto known_hosts = render_known_hosts(target_.alias, access.host_keys);
  if (known_hosts.empty()) {
    return std::unexpected("the server does not say by which host keys the worker is known, so ssh cannot trust it");
  }
  if (auto done = write_private(target_.folder / "known_hosts", known_hosts); !done) return done;
  if (!access.key.empty()) {
    std::string key(access.key.reveal());
    if (!key.ends_with('\n')) key.push_back('\n');  // or ssh will not read it
    auto done = write_private(target_.folder / "key", key);
    wipe(key);
    if (!done) return done;
  }
  return write_private(config_path(), config_text());
}

SshFiles::SshFiles(SshFiles&& other) noexcept
    : target_(std::move(other.target_)), temporary_(std::exchange(other.temporary_, false)) {}

SshFiles::~SshFiles() {
  if (!temporary_) return;
  std::error_code ignored;
  std::filesystem::remove_all(target_.folder, ignored);
}

}  // namespace boruta::cli

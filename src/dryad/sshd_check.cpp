#include "dryad/sshd_check.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <fnmatch.h>
#include <sstream>
#include <tuple>
#include <unistd.h>
#include <vector>

#include "dryad/access.hpp"
#include "dryad/files.hpp"
#include "dryad/subprocess.hpp"

namespace boruta::dryad {
namespace {

using Verdict = std::expected<void, std::string>;

constexpr std::chrono::seconds kSshdLimit{10};
constexpr const char* kSystemConfig = "/etc/ssh/sshd_config";

/// The words behind `key`, of all lines that begin with it.
std::vector<std::string> values_of(const std::string& settings, const std::string& key) {
  std::vector<std::string> values;
  std::istringstream lines(settings);
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line);
    std::string word;
    if (!(words >> word) || word != key) continue;
    while (words >> word) values.push_back(word);
  }
  return values;
}

/// Patterns like "ci-*", or "alice@10.0.0.*", of which only the name counts here.
bool names(const std::vector<std::string>& patterns, const std::string& user) {
  for (const auto& pattern : patterns) {
    if (::fnmatch(pattern.substr(0, pattern.find('@')).c_str(), user.c_str(), 0) == 0) return true;
  }
  return false;
}

/// A directory for as long as it is looked at.
struct TemporaryDir {
  std::filesystem::path path;
  TemporaryDir() {
    auto pattern = (std::filesystem::temp_directory_path() / "dryad-check-XXXXXX").native();
    if (::mkdtemp(pattern.data()) != nullptr) path = pattern;
  }
  TemporaryDir(const TemporaryDir&) = delete;
  TemporaryDir& operator=(const TemporaryDir&) = delete;
  ~TemporaryDir() {
    if (!path.empty()) std::ignore = remove_tree(path);
  }
};

/// sshd with a key and a config of the kind that access "private" gives it.
Verdict try_private_sshd(const Config& config) {
  const TemporaryDir dir;
  if (dir.path.empty()) return std::unexpected(errno_text(std::filesystem::temp_directory_path(), errno));
  const auto key = dir.path / "key";
  if (auto made = run_or_say_why({.argv = {"ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key}}); !made) {
    return std::unexpected(made.error() + ": install openssh-client");
  }
  const auto file = dir.path / "sshd_config";
  const auto text = fmt::format("HostKey {}\nUsePAM no\nStrictModes no\nSubsystem sftp internal-sftp\n", key.native());
  if (auto written = write_file_durably(file, text, 0600); !written) return written;
  const Program program{.argv = {config.sshd, "-t", "-f", file}, .limit = kSshdLimit};
  const auto result = run_program(program);
  if (!result) return std::unexpected(result.error() + ": install openssh-server, or set sshd");
  // Its directory, /run/sshd, is made when dryad starts.
  if (result->ok() || result->last_line.starts_with("Missing privilege separation directory")) return {};
  return std::unexpected(fmt::format("{}: install openssh-server anew, or set sshd", describe(program, *result)));
}

Verdict try_system_sshd(const Config& config) {
  const Program program{
      .argv = {config.sshd, "-T", "-C", fmt::format("user={},host=localhost,addr=127.0.0.1", config.user_name)},
      .keep_output = true,
      .limit = kSshdLimit};
  const auto result = run_program(program);
  if (!result) return std::unexpected(result.error() + ": install openssh-server, or set sshd to where it is");
  if (!result->ok()) {
    const bool stopped = result->last_line.starts_with("Missing privilege separation directory");
    return std::unexpected(
        fmt::format("{}: {}", describe(program, *result),
                    stopped ? "sshd does not run: systemctl enable --now ssh" : fmt::format("mend {}", kSystemConfig)));
  }
  if (auto fit = judge_sshd_settings(result->output, config.user_name, config.user_groups); !fit) {
    return std::unexpected(fmt::format("{}: change it in {} and reload sshd", fit.error(), kSystemConfig));
  }
  const auto port = config.ssh.port.value_or(kSshPort);
  if (auto answers = probe_ssh("127.0.0.1", port); !answers) {
    return std::unexpected(
        fmt::format("{}: systemctl enable --now ssh, or set the port of ssh_address to sshd's", answers.error()));
  }
  return {};
}

}  // namespace

Verdict judge_sshd_settings(const std::string& settings, const std::string& user, std::vector<std::string> groups) {
  if (values_of(settings, "pubkeyauthentication") != std::vector<std::string>{"yes"}) {
    return std::unexpected("sshd takes no keys: PubkeyAuthentication is not yes");
  }
  const auto files = values_of(settings, "authorizedkeysfile");
  const bool home = std::ranges::any_of(
      files, [](const auto& file) { return file == ".ssh/authorized_keys" || file == "%h/.ssh/authorized_keys"; });
  if (!home) {
    return std::unexpected(fmt::format("sshd looks for keys in {}, not in .ssh/authorized_keys: AuthorizedKeysFile",
                                       files.empty() ? "no file" : files.front()));
  }
  const auto allowed = values_of(settings, "allowusers");
  if (!allowed.empty() && !names(allowed, user)) {
    return std::unexpected(fmt::format("sshd does not let {} in: AllowUsers does not name it", user));
  }
  if (names(values_of(settings, "denyusers"), user)) {
    return std::unexpected(fmt::format("sshd does not let {} in: DenyUsers names it", user));
  }
  groups.push_back(user);
  const auto allowed_groups = values_of(settings, "allowgroups");
  const auto is_allowed = [&](const auto& group) { return names(allowed_groups, group); };
  if (!allowed_groups.empty() && std::ranges::none_of(groups, is_allowed)) {
    return std::unexpected(fmt::format("sshd does not let {0} in: AllowGroups does not name the group {0}", user));
  }
  return {};
}

Verdict check_sshd(const Config& config) {
  return config.access == AccessMode::kPrivate ? try_private_sshd(config) : try_system_sshd(config);
}

}  // namespace boruta::dryad

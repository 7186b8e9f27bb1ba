#include "dryad/private_access.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <csignal>
#include <shadow.h>
#include <sys/wait.h>
#include <thread>
#include <tuple>
#include <unistd.h>

#include "dryad/files.hpp"
#include "dryad/random_text.hpp"
#include "dryad/sshd_process.hpp"
#include "dryad/subprocess.hpp"
#include "dryad/users.hpp"

namespace boruta::dryad {
namespace {

constexpr std::size_t kSmallFile = std::size_t{64} * 1024;
constexpr std::size_t kMarkBytes = 16;
constexpr std::chrono::seconds kSshdStart{5};
constexpr std::chrono::seconds kSshdStop{2};
constexpr std::chrono::milliseconds kPoll{10};
constexpr std::string_view kMarkName = "BORUTA_JOB_MARK";

/// Every shell that reads one of these begins in the job's directory; sshd itself would begin in the account's home.
constexpr std::array<const char*, 3> kStartFiles{".bashrc", ".profile", ".zshenv"};
constexpr std::string_view kStartFile =
    "# Written by dryad: a session begins in the job's directory.\n"
    "if [ -n \"$SSH_CONNECTION\" ] && [ -z \"$BORUTA_JOB_ENTERED\" ]; then\n"
    "  export BORUTA_JOB_ENTERED=1\n"
    "  cd \"$HOME\"\n"
    "fi\n";

std::string content_of(const std::filesystem::path& path) { return read_file(path, kSmallFile).value_or(""); }

template <class Number>
Number number_in(const std::string& text) {
  Number number = 0;
  std::from_chars(text.data(), text.data() + text.size(), number);
  return number;
}

std::string last_line_in(const std::filesystem::path& path) {
  std::string text = content_of(path);
  while (!text.empty() && (text.back() == '\n' || text.back() == '\r')) text.pop_back();
  return text.substr(text.find_last_of('\n') + 1);
}

template <class Condition>
bool wait_until(std::chrono::milliseconds limit, Condition condition) {
  const auto deadline = std::chrono::steady_clock::now() + limit;
  while (!condition()) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    std::this_thread::sleep_for(kPoll);
  }
  return true;
}

/// sshd without PAM refuses keys, too, for an account whose password field begins like this.
bool is_locked(const std::string& user) {
  const spwd* entry = ::getspnam(user.c_str());
  return entry != nullptr && entry->sp_pwdp != nullptr && entry->sp_pwdp[0] == '!';
}

}  // namespace

PrivateAccess::PrivateAccess(PrivateAccessOptions options, KeySource& keys)
    : options_(std::move(options)),
      keys_(keys),
      dir_(options_.state_dir / "sshd"),
      config_(dir_ / "sshd_config"),
      authorized_keys_(dir_ / "authorized_keys"),
      host_key_(dir_ / "ssh_host_ed25519_key"),
      job_dir_(options_.state_dir / "job") {}

std::expected<void, std::string> PrivateAccess::check() {
  const auto& path = options_.state_dir.native();
  if (path.find_first_of(" \t\n\"'\\%#$`") != std::string::npos) {
    return std::unexpected(
        fmt::format("{}: the path of the state directory must be free of blanks and of \"'\\%#$`", path));
  }
  if (::access(options_.sshd.c_str(), X_OK) != 0) {
    return std::unexpected(errno_text(options_.sshd, errno) + "; install openssh-server, or set private.sshd");
  }
  if (!has_program("ssh-keygen")) return std::unexpected("ssh-keygen is not installed");
  const auto user = present_user();
  if (!user) return std::unexpected(user.error());
  if (refuses_logins(user->shell)) {
    return std::unexpected(
        fmt::format("{}, who runs dryad, has the shell {}, which ends every login: give another with chsh", user->name,
                    user->shell));
  }
  if (::geteuid() == 0 && is_locked(user->name)) {
    return std::unexpected(
        fmt::format("the account {0} is locked, so sshd refuses it: usermod -p '*' {0}", user->name));
  }
  return {};
}

std::expected<Endpoint, std::string> PrivateAccess::start() {
  if (auto made = make_files(); !made) return std::unexpected(made.error());
  const bool standing = !content_of(authorized_keys_).empty() && std::filesystem::is_directory(job_dir_);
  if (content_of(config_) != config_text()) {
    // Users of a job go on with the sshd that they know; without one, it takes up the new config.
    if (!standing) stop(false);
    if (auto written = write_file_durably(config_, config_text(), 0600); !written) {
      return std::unexpected(written.error());
    }
  }
  auto started = ensure_sshd();
  if (!started && !standing && options_.port == 0) {
    started = keep_port(true);
    if (started) started = write_file_durably(config_, config_text(), 0600);
    if (started) started = ensure_sshd();
  }
  if (!started) return std::unexpected(started.error());
  return Endpoint{.ssh_port = port_,
                  .local_address = probe_address(),
                  .host_keys = read_host_keys({host_key_.native() + ".pub"}),
                  .standing = standing};
}

std::expected<void, std::string> PrivateAccess::make_files() {
  if (auto made = make_directories(dir_, 0700); !made) return made;
  if (::geteuid() == 0) {
    if (auto made = make_directories("/run/sshd", 0755); !made) return made;
  }
  const auto mark_file = dir_ / "mark";
  mark_ = content_of(mark_file);
  if (mark_.size() != 2 * kMarkBytes) {
    mark_ = random_hex(kMarkBytes);
    if (auto written = write_file_durably(mark_file, mark_, 0600); !written) return written;
  }
  if (!std::filesystem::exists(host_key_)) {
    const Program keygen{.argv = {"ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "dryad", "-f", host_key_},
                         .environment = {}};
    if (auto made = run_or_say_why(keygen); !made) return made;
  }
  if (!std::filesystem::exists(authorized_keys_)) {
    if (auto written = write_file_durably(authorized_keys_, "", 0600); !written) return written;
  }
  return keep_port(false);
}

std::expected<void, std::string> PrivateAccess::keep_port(bool choose_anew) {
  const auto port_file = dir_ / "port";
  port_ = options_.port != 0 ? options_.port : number_in<std::uint16_t>(content_of(port_file));
  if (port_ != 0 && !choose_anew) return {};
  port_ = find_free_port();
  if (port_ == 0) return std::unexpected("no free TCP port for sshd");
  return write_file_durably(port_file, std::to_string(port_), 0600);
}

std::string PrivateAccess::config_text() const {
  std::string text = "# Written by dryad at every start.\n";
  for (const auto& address : options_.listen) text += fmt::format("ListenAddress {}\n", address);
  const auto user = present_user();
  return text + fmt::format(
                    "Port {port}\n"
                    "HostKey {dir}/ssh_host_ed25519_key\n"
                    "PidFile {dir}/sshd.pid\n"
                    "AuthorizedKeysFile {dir}/authorized_keys\n"
                    "AllowUsers {user}\n"
                    "UsePAM no\n"
                    "PasswordAuthentication no\n"
                    "KbdInteractiveAuthentication no\n"
                    "PermitRootLogin prohibit-password\n"
                    "StrictModes no\n"
                    "PermitUserRC no\n"
                    "PermitUserEnvironment no\n"
                    // Its sockets would stay in /tmp when the session is killed.
                    "AllowAgentForwarding no\n"
                    "X11Forwarding no\n"
                    "PrintMotd no\n"
                    "PrintLastLog no\n"
                    "LogLevel FATAL\n"
                    "Subsystem sftp internal-sftp -d {job}\n"
                    "SetEnv HOME={job} TMPDIR={job}/tmp {mark_name}={mark}{more}\n",
                    fmt::arg("port", port_), fmt::arg("dir", dir_.native()), fmt::arg("job", job_dir_.native()),
                    fmt::arg("user", user ? user->name : ""), fmt::arg("mark_name", kMarkName), fmt::arg("mark", mark_),
                    fmt::arg("more", fmt::format("{}{}", options_.environment.empty() ? "" : " ",
                                                 fmt::join(options_.environment, " "))));
}

pid_t PrivateAccess::running_sshd() const {
  const auto pid = number_in<pid_t>(content_of(dir_ / "sshd.pid"));
  if (pid <= 1) return 0;
  // Another process may have the number by now; ours names its config on its command line.
  const bool ours = command_line_of(pid).find("-f " + config_.native()) != std::string::npos;
  return ours ? pid : 0;
}

std::expected<void, std::string> PrivateAccess::ensure_sshd() {
  if (running_sshd() != 0) return {};
  return spawn_sshd();
}

std::expected<void, std::string> PrivateAccess::spawn_sshd() {
  const auto log = dir_ / "sshd.log";
  std::error_code ignored;
  std::filesystem::remove(dir_ / "sshd.pid", ignored);
  const auto pid = spawn_subreaper({options_.sshd, "-D", "-e", "-f", config_}, log);
  if (!pid) return std::unexpected(pid.error());
  bool ended = false;
  const bool answers = wait_until(kSshdStart, [&] {
    ended = ended || ::waitpid(*pid, nullptr, WNOHANG) == *pid;
    return ended || (running_sshd() == *pid && probe().has_value());
  });
  if (answers && !ended) return {};
  if (!ended) {
    ::kill(*pid, SIGKILL);
    ::waitpid(*pid, nullptr, 0);
  }
  const std::string reason = last_line_in(log);
  return std::unexpected(fmt::format("{} did not start{}{}", options_.sshd, reason.empty() ? "" : ": ", reason));
}

std::expected<Login, std::string> PrivateAccess::prepare() {
  if (auto ended = end_job(); !ended) return std::unexpected(ended.error());
  if (auto up = ensure_sshd(); !up) return std::unexpected(up.error());
  if (auto made = make_job_dir(); !made) return std::unexpected(made.error());
  const auto user = present_user();
  if (!user) return std::unexpected(user.error());
  auto key = keys_.take();
  if (auto written = write_file_durably(authorized_keys_, key.public_line + "\n", 0600); !written) {
    return std::unexpected(written.error());
  }
  return Login{.username = user->name, .private_key = std::move(key.private_pem)};
}

std::expected<void, std::string> PrivateAccess::make_job_dir() {
  if (auto made = make_directories(job_dir_, 0700); !made) return made;
  if (auto made = make_directories(job_dir_ / "tmp", 0700); !made) return made;
  for (const auto* name : kStartFiles) {
    if (auto written = write_file_durably(job_dir_ / name, kStartFile, 0600); !written) return written;
  }
  return {};
}

std::expected<void, std::string> PrivateAccess::grant(const std::vector<std::string>& public_keys) {
  if (public_keys.empty()) return {};
  const auto text = authorized_keys_text(public_keys);
  if (!text) return std::unexpected(text.error());
  return write_file_durably(authorized_keys_, *text, 0600);
}

std::expected<void, std::string> PrivateAccess::end_job() {
  // First nobody new gets in; who is about to is below sshd by now, and killed.
  if (auto closed = write_file_durably(authorized_keys_, "", 0600); !closed) return closed;
  if (auto killed = kill_until_gone([this] { return session_processes(); }, options_.kill_limit); !killed) {
    return killed;
  }
  return remove_tree(job_dir_);
}

Pids PrivateAccess::session_processes() const {
  Pids found = processes_with_environment(fmt::format("{}={}", kMarkName, mark_));
  if (const pid_t sshd = running_sshd(); sshd != 0) {
    const Pids below = descendants_of(sshd);
    found.insert(found.end(), below.begin(), below.end());
    std::erase(found, sshd);
  }
  std::ranges::sort(found);
  const auto repeated = std::ranges::unique(found);
  found.erase(repeated.begin(), repeated.end());
  std::erase(found, ::getpid());
  return found;
}

std::string PrivateAccess::probe_address() const {
  const auto& first = options_.listen.empty() ? "0.0.0.0" : options_.listen.front();
  if (first == "0.0.0.0") return "127.0.0.1";
  return first == "::" ? "::1" : first;
}

std::expected<void, std::string> PrivateAccess::probe() { return probe_ssh(probe_address(), port_); }

void PrivateAccess::stop(bool job_on) {
  if (job_on) return;
  // What can't be killed is left to the next start, which finds it by its mark.
  std::ignore = kill_until_gone([this] { return session_processes(); }, options_.kill_limit);
  const pid_t sshd = running_sshd();
  if (sshd == 0) return;
  ::kill(sshd, SIGTERM);
  const auto gone = [&] {
    ::waitpid(sshd, nullptr, WNOHANG);
    return running_sshd() != sshd;
  };
  if (!wait_until(kSshdStop, gone)) ::kill(sshd, SIGKILL);
}

}  // namespace boruta::dryad

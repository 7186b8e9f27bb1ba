#include "dryad/account_access.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <cerrno>
#include <fcntl.h>
#include <glob.h>
#include <sstream>
#include <sys/stat.h>
#include <tuple>
#include <unistd.h>

#include "base/assert.hpp"
#include "dryad/files.hpp"
#include "dryad/processes.hpp"
#include "dryad/remnants.hpp"
#include "dryad/subprocess.hpp"

namespace boruta::dryad {
namespace {

constexpr std::size_t kRecordBytes = 4096;

/// "NAME UID": uid 0 while the account is being made.
struct Record {
  std::string name;
  uid_t uid = 0;
};

Record read_record(const std::filesystem::path& path) {
  Record record;
  std::istringstream words(read_file(path, kRecordBytes).value_or(""));
  words >> record.name >> record.uid;
  return record;
}

}  // namespace

AccountAccess::AccountAccess(AccountAccessOptions options, KeySource& keys)
    : options_(std::move(options)), keys_(keys), record_(options_.state_dir / "account") {}

std::string AccountAccess::mark() const { return "Boruta job account " + options_.instance; }

std::expected<void, std::string> AccountAccess::check() {
  if (::geteuid() != 0) {
    return std::unexpected("access = \"account\" needs root; run dryad as root, or set access = \"private\"");
  }
  if (!is_user_name(options_.username)) {
    return std::unexpected(fmt::format("user.name = \"{}\" is not a name for an account", options_.username));
  }
  for (const auto* tool : {"useradd", "usermod", "userdel"}) {
    if (!has_program(tool)) return std::unexpected(fmt::format("{} is not installed", tool));
  }
  if (auto account = own_account(); !account) return std::unexpected(account.error());
  return {};
}

std::expected<std::optional<UserAccount>, std::string> AccountAccess::own_account() {
  auto found = find_user(options_.username);
  if (!found || !*found) return found;
  const auto& account = **found;
  if (!is_user_uid(account.uid)) {
    return std::unexpected(
        fmt::format("{} is an account of the system (uid {}), dryad won't touch it; choose another user.name",
                    account.name, account.uid));
  }
  const auto known = read_record(record_);
  const bool recorded = known.name == account.name && (known.uid == 0 || known.uid == account.uid);
  if (!recorded || account.comment != mark()) {
    return std::unexpected(
        fmt::format("the account {0} exists and was not made by this dryad; if nobody needs it, remove it (userdel -r "
                    "{0}), else choose another user.name",
                    account.name));
  }
  return found;
}

std::expected<void, std::string> AccountAccess::record(uid_t uid) {
  return write_file_durably(record_, fmt::format("{} {}\n", options_.username, uid), 0600);
}

std::optional<uid_t> AccountAccess::user_id() const {
  const auto uid = read_record(record_).uid;
  return uid == 0 ? std::nullopt : std::optional(uid);
}

std::expected<Endpoint, std::string> AccountAccess::start() {
  if (auto fit = check(); !fit) return std::unexpected(fit.error());
  const auto account = own_account();
  std::vector<std::string> key_files;
  glob_t matches{};
  if (::glob("/etc/ssh/ssh_host_*_key.pub", 0, nullptr, &matches) == 0) {
    key_files.assign(matches.gl_pathv, matches.gl_pathv + matches.gl_pathc);
  }
  ::globfree(&matches);
  return Endpoint{.ssh_port = options_.ssh_port,
                  .host_keys = read_host_keys(key_files),
                  .standing = account->has_value() && std::filesystem::exists((*account)->home + "/.ssh")};
}

std::expected<Login, std::string> AccountAccess::prepare() {
  if (auto ended = end_job(); !ended) return std::unexpected(ended.error());
  const auto account = add_account();
  if (!account) return std::unexpected(account.error());
  auto key = keys_.take();
  if (auto installed = install_keys(*account, key.public_line + "\n"); !installed) {
    return std::unexpected(installed.error());
  }
  return Login{.username = account->name, .private_key = std::move(key.private_pem)};
}

std::expected<UserAccount, std::string> AccountAccess::add_account() {
  // The record comes first: an account must never stand without one.
  if (auto recorded = record(0); !recorded) return std::unexpected(recorded.error());
  const bool bash = ::access("/bin/bash", X_OK) == 0;
  // "*" matches no password. useradd's own "!" would mean locked to an sshd without PAM, which then refuses keys too.
  Program useradd{.argv = {"useradd", "--create-home", "--home-dir", "/home/" + options_.username, "--user-group",
                           "--shell", bash ? "/bin/bash" : "/bin/sh", "--password", "*", "--comment", mark(),
                           // No uids beside its own: what runs under those would not be found.
                           "-K", "SUB_UID_COUNT=0", "-K", "SUB_GID_COUNT=0"},
                  .environment = {}};
  if (!options_.groups.empty()) {
    useradd.argv.insert(useradd.argv.end(), {"--groups", fmt::format("{}", fmt::join(options_.groups, ","))});
  }
  useradd.argv.push_back(options_.username);
  if (auto added = run_or_say_why(useradd); !added) return std::unexpected(added.error());
  const auto account = own_account();
  if (!account) return std::unexpected(account.error());
  if (!*account) return std::unexpected("useradd said nothing and made no account");
  if (auto recorded = record((*account)->uid); !recorded) return std::unexpected(recorded.error());
  if (::chmod((*account)->home.c_str(), 0700) != 0) return std::unexpected(errno_text((*account)->home, errno));
  return **account;
}

/// Root writes inside the user's home: never through a link that the user put there.
std::expected<void, std::string> AccountAccess::install_keys(const UserAccount& account, const std::string& text) {
  const std::filesystem::path ssh_dir = std::filesystem::path(account.home) / ".ssh";
  const int home = ::open(account.home.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (home < 0) return std::unexpected(errno_text(account.home, errno));
  ::mkdirat(home, ".ssh", 0700);
  const int dir = ::openat(home, ".ssh", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  ::close(home);
  if (dir < 0) return std::unexpected(errno_text(ssh_dir, errno));
  ::unlinkat(dir, "authorized_keys", 0);
  const int file = ::openat(dir, "authorized_keys", O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
  const bool written = file >= 0 && ::write(file, text.data(), text.size()) == static_cast<ssize_t>(text.size()) &&
                       ::fchown(file, account.uid, account.gid) == 0 && ::fchmod(file, 0600) == 0 &&
                       ::fsync(file) == 0 && ::fchown(dir, account.uid, account.gid) == 0 && ::fchmod(dir, 0700) == 0;
  const int error = errno;
  if (file >= 0) ::close(file);
  ::close(dir);
  if (!written) return std::unexpected(errno_text(ssh_dir / "authorized_keys", error));
  return {};
}

std::expected<void, std::string> AccountAccess::grant(const std::vector<std::string>& public_keys) {
  if (public_keys.empty()) return {};
  const auto text = authorized_keys_text(public_keys);
  if (!text) return std::unexpected(text.error());
  const auto account = own_account();
  if (!account) return std::unexpected(account.error());
  if (!*account) return std::unexpected(fmt::format("the account {} is gone", options_.username));
  return install_keys(**account, *text);
}

std::expected<void, std::string> AccountAccess::end_job() {
  const auto account = own_account();
  if (!account) return std::unexpected(account.error());
  if (!*account) return finish_removal();
  const UserAccount& user = **account;
  BORUTA_ASSERT(is_user_uid(user.uid) && user.comment == mark());
  // What is to be finished, should we be killed when the account is gone already.
  if (auto recorded = record(user.uid); !recorded) return recorded;
  lock_out(user);
  // Who is in goes first, and once more after the sessions, which may have started something.
  if (auto killed = kill_processes(user.uid); !killed) return killed;
  stop_sessions(user.name);
  if (auto killed = kill_processes(user.uid); !killed) return killed;
  if (auto removed = remove_home(user.home); !removed) return removed;
  if (auto removed = remove_remnants(user.name, user.uid, options_.state_dir); !removed) return removed;
  if (auto deleted = run_or_say_why({.argv = {"userdel", "--force", user.name}, .environment = {}}); !deleted) {
    return deleted;
  }
  return finish_removal();
}

/// Nobody can become the user any more: what a login or a job of cron slipped in between goes for good.
std::expected<void, std::string> AccountAccess::finish_removal() {
  const auto known = read_record(record_);
  if (known.name != options_.username || known.uid == 0) return {};
  const auto holder = find_user(known.uid);
  if (!holder) return std::unexpected(holder.error());
  // Another account has the number by now, and with it whatever it owns.
  if (is_user_uid(known.uid) && !*holder) {
    if (auto killed = kill_processes(known.uid); !killed) return killed;
    struct stat home{};
    const auto path = "/home/" + options_.username;
    if (::lstat(path.c_str(), &home) == 0 && home.st_uid == known.uid) {
      if (auto removed = remove_home(path); !removed) return removed;
    }
    if (auto removed = remove_remnants(known.name, known.uid, options_.state_dir); !removed) return removed;
  }
  std::error_code gone;
  std::filesystem::remove(record_, gone);
  return {};
}

/// No login, cron or at job begins from here on: sshd, and PAM for the others, refuse an account that has expired. A
/// tool that fails leaves the keys' removal, and the killing that follows.
void AccountAccess::lock_out(const UserAccount& account) {
  std::ignore = run_program({.argv = {"usermod", "--expiredate", "1", account.name}, .environment = {}});
  std::ignore = remove_tree(account.home + "/.ssh");
}

std::expected<void, std::string> AccountAccess::kill_processes(uid_t uid) {
  BORUTA_ASSERT(is_user_uid(uid));
  const auto find = [uid] {
    auto found = processes_of_user(uid);
    if (!found.empty()) {
      kill_user_at_once(uid);
      found = processes_of_user(uid);
    }
    return found;
  };
  return kill_until_gone(find, options_.kill_limit);
}

std::expected<void, std::string> AccountAccess::remove_home(const std::string& home) {
  if (home != "/home/" + options_.username) {
    return std::unexpected(fmt::format("{} has the home {}, which dryad did not give it", options_.username, home));
  }
  unmount_below(home);
  return remove_tree(home);
}

std::expected<void, std::string> AccountAccess::probe() { return probe_ssh(options_.probe_address, options_.ssh_port); }

}  // namespace boruta::dryad

#include "dryad/run_as.hpp"

#include <fmt/format.h>

#include <cerrno>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <system_error>
#include <unistd.h>

#include "dryad/files.hpp"
#include "dryad/instance.hpp"
#include "dryad/random_text.hpp"
#include "dryad/state.hpp"

namespace boruta::dryad {
namespace {

using Done = std::expected<void, std::string>;

constexpr std::size_t kNameBytes = 16;
constexpr mode_t kPrivate = 0700;
/// What an agent has in its directory.
constexpr const char* kBelongings[] = {"state.json", "console"};

/// The name that marks the accounts of this worker: the one that it had, or a new one.
Done keep_instance(const std::filesystem::path& state_dir) {
  const auto known = read_instance(state_dir);
  if (!known) return std::unexpected(known.error());
  if (*known) return {};
  const auto state = FileStateStore(state_dir / "state.json").load();
  if (!state) return std::unexpected(state.error());
  const auto name = *state ? (*state)->instance : random_hex(kNameBytes);
  return write_file_durably(instance_file(state_dir), name + "\n", 0600);
}

Done give(const std::filesystem::path& path, const UserAccount& account) {
  if (::lchown(path.c_str(), account.uid, account.gid) == 0) return {};
  return std::unexpected(errno_text(path, errno));
}

/// What lies in root's own directory is given away before it goes to where somebody else could change it.
Done move_belonging(const std::filesystem::path& from, const std::filesystem::path& to, const UserAccount& account) {
  std::error_code error;
  if (!std::filesystem::exists(from, error) || std::filesystem::exists(to, error)) return {};
  if (std::filesystem::is_directory(from, error)) {
    for (const auto& entry : std::filesystem::directory_iterator(from, error)) {
      if (auto given = give(entry.path(), account); !given) return given;
    }
  }
  if (auto given = give(from, account); !given) return given;
  std::filesystem::rename(from, to, error);
  if (error) return std::unexpected(errno_text(from, error.value()));
  return {};
}

Done make_agent_dir(const std::filesystem::path& dir, const UserAccount& account) {
  if (auto made = make_directories(dir, kPrivate); !made) return made;
  struct stat info{};
  if (::lstat(dir.c_str(), &info) != 0) return std::unexpected(errno_text(dir, errno));
  if (info.st_uid == account.uid) return {};
  if (info.st_uid == 0) return give(dir, account);
  return std::unexpected(fmt::format("{0} belongs to uid {1}, and run_as is {2} (uid {3}): chown -R {2} {0}",
                                     dir.native(), info.st_uid, account.name, account.uid));
}

/// With it whoever takes us over could type into the shell of the root that started us. Ctrl-C reaches us all the same.
/// One that is ours alone may stay: nobody reads it after us.
void leave_terminal() {
  if (::getsid(0) == ::getpid()) return;
  const runtime::Descriptor terminal(::open("/dev/tty", O_RDWR | O_NOCTTY | O_CLOEXEC));
  if (terminal.valid()) ::ioctl(terminal.get(), TIOCNOTTY);
}

/// Only root may; without the right to, it is of no use either, since no program adds to what we have.
void drop_bounding_set() {
  for (unsigned long capability = 0; ::prctl(PR_CAPBSET_READ, capability, 0, 0, 0) >= 0; ++capability) {
    ::prctl(PR_CAPBSET_DROP, capability, 0, 0, 0);
  }
}

/// Also those that a change of the user id leaves: what programs would inherit.
bool drop_capabilities() {
  __user_cap_header_struct header{.version = _LINUX_CAPABILITY_VERSION_3, .pid = 0};
  const __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = {};
  return ::syscall(SYS_capset, &header, none) == 0;
}

}  // namespace

std::expected<UserAccount, std::string> agent_account(const Config& config) {
  auto found = find_user(config.run_as);
  if (!found) return std::unexpected(fmt::format("run_as = \"{}\": {}", config.run_as, found.error()));
  if (!*found) {
    return std::unexpected(fmt::format(
        "run_as = \"{0}\": there is no such account: systemd-sysusers makes it if dryad was installed, else "
        "useradd --system --user-group --no-create-home --shell /usr/sbin/nologin {0}",
        config.run_as));
  }
  if ((*found)->uid == 0 || (*found)->gid == 0) {
    return std::unexpected(fmt::format(
        "run_as = \"{}\": it has the rights of root (uid {}, gid {}); choose an account of the system without any",
        config.run_as, (*found)->uid, (*found)->gid));
  }
  return **std::move(found);
}

std::filesystem::path agent_dir(const Config& config) {
  return config.access == AccessMode::kAccount ? config.state_dir / "agent" : config.state_dir;
}

Done hand_over(const Config& config, const UserAccount& account) {
  const auto dir = agent_dir(config);
  if (auto kept = keep_instance(config.state_dir); !kept) return kept;
  if (auto made = make_agent_dir(dir, account); !made) return made;
  for (const auto* name : kBelongings) {
    if (auto moved = move_belonging(config.state_dir / name, dir / name, account); !moved) return moved;
  }
  return {};
}

Done check_config_owner(const std::filesystem::path& file) {
  struct stat info{};
  if (::stat(file.c_str(), &info) != 0) return std::unexpected(errno_text(file, errno));
  if (info.st_uid == 0 && (info.st_mode & (S_IWGRP | S_IWOTH)) == 0) return {};
  return std::unexpected(fmt::format(
      "{0} says what root does, and others than root can change it: chown root {0} && chmod go-w {0}", file.native()));
}

Done give_up_root(const UserAccount& account) {
  leave_terminal();
  drop_bounding_set();
  const bool gone = ::prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) == 0 && ::setgroups(0, nullptr) == 0 &&
                    ::setresgid(account.gid, account.gid, account.gid) == 0 &&
                    ::setresuid(account.uid, account.uid, account.uid) == 0 && drop_capabilities() &&
                    ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && ::prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) == 0;
  if (!gone) return std::unexpected("can't give up root: " + std::generic_category().message(errno));
  if (::setresuid(0, 0, 0) == 0) return std::unexpected("can't give up root: it comes back");
  return {};
}

std::expected<std::unique_ptr<RootLink>, std::string> part_with_root(const Options& options, const Config& config) {
  if (::geteuid() != 0) {
    return std::unexpected("access = \"account\" needs root; run dryad as root, or set access = \"private\"");
  }
  if (auto owned = check_config_owner(options.config); !owned) return std::unexpected(owned.error());
  const auto account = agent_account(config);
  if (!account) return std::unexpected(account.error());
  if (auto handed = hand_over(config, *account); !handed) return std::unexpected(handed.error());
  auto link = RootLink::start(options.config, config.state_dir);
  if (!link) return link;
  // Held as the place where we are, it can be used whatever lies above it.
  const auto dir = agent_dir(config);
  if (::chdir(dir.c_str()) != 0) return std::unexpected(errno_text(dir, errno));
  if (auto done = give_up_root(*account); !done) return std::unexpected(done.error());
  return link;
}

}  // namespace boruta::dryad

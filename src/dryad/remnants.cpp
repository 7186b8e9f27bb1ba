#include "dryad/remnants.hpp"

#include <fmt/format.h>

#include <cerrno>
#include <chrono>
#include <fstream>
#include <set>
#include <sstream>
#include <sys/ipc.h>
#include <sys/mount.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/stat.h>
#include <tuple>
#include <unistd.h>
#include <utility>
#include <vector>

#include "base/assert.hpp"
#include "dryad/files.hpp"
#include "dryad/subprocess.hpp"
#include "dryad/users.hpp"

namespace boruta::dryad {
namespace {

/// Where every user may leave files, by themselves or through cron, at and mail, on the systems that we know.
constexpr const char* kSharedDirs[] = {"/tmp",       "/var/tmp",      "/dev/shm",        "/dev/mqueue",
                                       "/run/lock",  "/var/lock",     "/var/spool/cron", "/var/mail",
                                       "/var/crash", "/var/spool/at", "/var/spool/mail", "/var/spool/atjobs"};
/// Files that are the account's by their name, whoever owns them.
constexpr const char* kNamedFiles[] = {"/var/spool/cron/crontabs/", "/var/spool/cron/tabs/",
                                       "/var/spool/cron/",          "/var/mail/",
                                       "/var/spool/mail/",          "/var/lib/systemd/linger/"};
constexpr Duration kToolLimit = std::chrono::seconds(2);

struct Mount {
  std::string point;
  std::string type;
  /// Of the file system itself: FUSE tells whose it is.
  std::string options;
};

/// "\040" and its like, as the kernel writes blanks in paths.
std::string unescape(const std::string& text) {
  constexpr std::size_t kDigits = 3;
  std::string plain;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\\' && i + kDigits < text.size()) {
      plain.push_back(static_cast<char>(std::stoi(text.substr(i + 1, kDigits), nullptr, 8)));
      i += kDigits;
    } else {
      plain.push_back(text[i]);
    }
  }
  return plain;
}

/// Outermost first.
std::vector<Mount> list_mounts() {
  std::ifstream table("/proc/self/mountinfo");
  std::vector<Mount> mounts;
  for (std::string line; std::getline(table, line);) {
    std::istringstream words(line);
    std::string skipped;
    Mount mount;
    words >> skipped >> skipped >> skipped >> skipped >> mount.point;
    while (words >> skipped && skipped != "-") {
    }
    words >> mount.type >> skipped >> mount.options;
    mount.point = unescape(mount.point);
    mounts.push_back(std::move(mount));
  }
  return mounts;
}

/// Without following a link: the user chose the place.
template <class Wanted>
void unmount_if(Wanted wanted) {
  const auto mounts = list_mounts();
  for (auto mount = mounts.rbegin(); mount != mounts.rend(); ++mount) {
    if (wanted(*mount)) ::umount2(mount->point.c_str(), MNT_DETACH | UMOUNT_NOFOLLOW);
  }
}

void unmount_fuse_of(uid_t uid) {
  const auto owner = fmt::format(",user_id={},", uid);
  unmount_if([&](const Mount& mount) {
    return mount.type.starts_with("fuse") && fmt::format(",{},", mount.options).find(owner) != std::string::npos;
  });
}

/// System V objects outlive processes. `file` of /proc/sysvipc has a head line; its second column is the id, and
/// `uid_column` counts from 0, followed at two by the creator's.
template <class Remove>
void remove_ipc(const char* file, std::size_t uid_column, uid_t uid, Remove remove) {
  constexpr std::size_t kToCreator = 2;
  std::ifstream table(file);
  std::string line;
  std::getline(table, line);
  const auto text = std::to_string(uid);
  while (std::getline(table, line)) {
    std::istringstream words(line);
    std::vector<std::string> columns;
    for (std::string word; words >> word;) columns.push_back(word);
    if (columns.size() <= uid_column + kToCreator) continue;
    if (columns[uid_column] == text || columns[uid_column + kToCreator] == text) remove(std::stoi(columns[1]));
  }
}

void remove_system_v_of(uid_t uid) {
  remove_ipc("/proc/sysvipc/shm", 7, uid, [](int id) { ::shmctl(id, IPC_RMID, nullptr); });
  remove_ipc("/proc/sysvipc/msg", 7, uid, [](int id) { ::msgctl(id, IPC_RMID, nullptr); });
  remove_ipc("/proc/sysvipc/sem", 4, uid, [](int id) { ::semctl(id, 0, IPC_RMID); });
}

/// Message queues are there also where nothing shows them: they are then looked at through a mount of our own.
std::expected<void, std::string> remove_message_queues_of(uid_t uid, const std::filesystem::path& scratch) {
  for (const auto& mount : list_mounts()) {
    if (mount.type == "mqueue") return remove_owned(mount.point, uid);
  }
  const auto point = scratch / "mqueue";
  if (auto made = make_directories(point, 0700); !made) return made;
  std::expected<void, std::string> removed;
  // Fails where the kernel has no message queues, or we are not allowed to mount: a container without the right to.
  if (::mount("none", point.c_str(), "mqueue", MS_NOSUID | MS_NODEV | MS_NOEXEC, nullptr) == 0) {
    removed = remove_owned(point, uid);
    ::umount2(point.c_str(), MNT_DETACH);
  }
  ::rmdir(point.c_str());
  return removed;
}

/// The shared directories and all tmpfs, each once, links of the system's own resolved.
std::set<std::string> shared_places() {
  std::set<std::string> places;
  for (const auto* dir : kSharedDirs) {
    std::error_code gone;
    const auto real = std::filesystem::canonical(dir, gone);
    if (!gone) places.insert(real.native());
  }
  for (const auto& mount : list_mounts()) {
    if (mount.type == "tmpfs") places.insert(mount.point);
  }
  return places;
}

/// The directory that a login brought about, which is a mount of its own where systemd runs.
void remove_runtime_dir(uid_t uid) {
  const auto dir = fmt::format("/run/user/{}", uid);
  ::umount2(dir.c_str(), MNT_DETACH | UMOUNT_NOFOLLOW);
  std::ignore = remove_tree(dir);
}

}  // namespace

void stop_sessions(const std::string& name) {
  // Without systemd as init, loginctl would only wait for a bus that is not there.
  if (::access("/run/systemd/system", F_OK) != 0 || !has_program("loginctl")) return;
  for (const auto* what : {"disable-linger", "terminate-user"}) {
    std::ignore = run_program({.argv = {"loginctl", what, name}, .environment = {}, .limit = kToolLimit});
  }
}

void unmount_below(const std::string& dir) {
  unmount_if([&](const Mount& mount) { return mount.point.starts_with(dir + "/"); });
}

std::expected<void, std::string> remove_remnants(const std::string& name, uid_t uid,
                                                 const std::filesystem::path& scratch) {
  BORUTA_ASSERT(is_user_uid(uid) && is_user_name(name));
  std::expected<void, std::string> outcome;
  const auto note = [&outcome](std::expected<void, std::string> done) {
    if (outcome && !done) outcome = std::move(done);
  };
  for (const auto* dir : kNamedFiles) {
    const auto file = dir + name;
    if (::unlink(file.c_str()) != 0 && errno != ENOENT && errno != ENOTDIR && errno != EISDIR) {
      note(std::unexpected(errno_text(file, errno)));
    }
  }
  unmount_fuse_of(uid);
  remove_runtime_dir(uid);
  remove_system_v_of(uid);
  note(remove_message_queues_of(uid, scratch));
  for (const auto& place : shared_places()) note(remove_owned(place, uid));
  return outcome;
}

}  // namespace boruta::dryad

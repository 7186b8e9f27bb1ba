// Removal of what a user left. The user may have done their worst: links, deep nesting, unreadable directories.
#include <fmt/format.h>

#include <cerrno>
#include <cstring>
#include <dirent.h>
#include <fcntl.h>
#include <optional>
#include <sys/stat.h>
#include <unistd.h>
#include <vector>

#include "dryad/files.hpp"
#include "runtime/descriptor.hpp"

namespace boruta::dryad {
namespace {

/// A directory deeper than this is moved up to the top and removed from there, so that neither open files nor the
/// stack run out.
constexpr int kDepth = 64;
/// Directories that are moved up at most; each takes kDepth levels off a branch.
constexpr unsigned kMoves = 100'000;

int open_directory(int parent, const char* name) {
  return ::openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

/// Gives itself the right to, where it is denied.
int open_or_unlock(int parent, const char* name) {
  const int fd = open_directory(parent, name);
  if (fd >= 0 || errno != EACCES || ::fchmodat(parent, name, 0700, AT_SYMLINK_NOFOLLOW) != 0) return fd;
  return open_directory(parent, name);
}

/// Removes below one directory, either everything or what one user owns.
class Remover {
 public:
  Remover(std::filesystem::path top, int top_fd, std::optional<uid_t> owner)
      : top_(std::move(top)), top_fd_(top_fd), owner_(owner) {}

  std::expected<void, std::string> run() {
    clear(top_fd_, 0);
    while (!moved_.empty()) {
      const auto name = std::move(moved_.back());
      moved_.pop_back();
      remove_entry(top_fd_, name.c_str(), 0);
    }
    if (!error_.empty()) return std::unexpected(error_);
    return {};
  }

 private:
  [[nodiscard]] bool goes(const struct stat& info) const { return !owner_ || info.st_uid == *owner_; }

  void note(const char* name, int error) {
    if (error_.empty()) error_ = fmt::format("below {}: {}", top_.native(), errno_text(name, error));
  }

  void clear(int fd, int depth) {
    for (const auto& name : names_in(fd)) remove_entry(fd, name.c_str(), depth);
  }

  /// All names at once: removing while reading a directory may skip entries.
  std::vector<std::string> names_in(int fd) {
    std::vector<std::string> names;
    const int copy = ::openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR* stream = copy < 0 ? nullptr : ::fdopendir(copy);
    if (stream == nullptr) {
      note(".", errno);
      if (copy >= 0) ::close(copy);
      return names;
    }
    while (const dirent* entry = ::readdir(stream)) {
      if (std::strcmp(entry->d_name, ".") != 0 && std::strcmp(entry->d_name, "..") != 0) {
        names.emplace_back(entry->d_name);
      }
    }
    ::closedir(stream);
    return names;
  }

  void remove_entry(int parent, const char* name, int depth) {
    struct stat info{};
    if (::fstatat(parent, name, &info, AT_SYMLINK_NOFOLLOW) != 0) {
      if (errno != ENOENT) note(name, errno);
      return;
    }
    const bool directory = S_ISDIR(info.st_mode);
    if (directory && !enter(parent, name, info, depth)) return;
    if (!goes(info)) return;
    if (::unlinkat(parent, name, directory ? AT_REMOVEDIR : 0) == 0 || errno == ENOENT) return;
    const int error = errno;
    const bool holds_others = owner_ && (error == ENOTEMPTY || error == EEXIST);
    if (holds_others && give_to_root(parent, name)) return;
    note(name, error);
  }

  /// Looks again at what it holds: whoever owns the directory above may have put something else in its place.
  bool give_to_root(int parent, const char* name) const {
    const runtime::Descriptor dir(open_directory(parent, name));
    struct stat info{};
    return dir.valid() && ::fstat(dir.get(), &info) == 0 && goes(info) && ::fchown(dir.get(), 0, 0) == 0;
  }

  /// Clears the directory. False: it was moved up, or must be left alone.
  bool enter(int parent, const char* name, const struct stat& info, int depth) {
    struct stat above{};
    if (::fstat(parent, &above) != 0 || above.st_dev != info.st_dev) {
      // A mount point: what is on it belongs to someone else, unless all must go.
      if (!owner_) note(name, EBUSY);
      return false;
    }
    // Not the owner's, and closed to all but its own: the owner has never been inside.
    if (!goes(info) && (info.st_mode & (S_IXGRP | S_IXOTH)) == 0) return false;
    if (depth >= kDepth) {
      if (goes(info)) move_up(parent, name);
      return false;
    }
    const runtime::Descriptor dir(open_or_unlock(parent, name));
    struct stat opened{};
    if (!dir.valid() || ::fstat(dir.get(), &opened) != 0) {
      const bool went = errno == ENOENT || errno == ENOTDIR || errno == ELOOP;
      if (!went) note(name, errno);
      return false;
    }
    // Whoever owns the directory above has put another in its place.
    if (opened.st_dev != info.st_dev || opened.st_ino != info.st_ino) return false;
    // Without this, an entry of a read-only directory of our own could not be removed.
    if (goes(info) && (info.st_mode & S_IRWXU) != S_IRWXU) ::fchmod(dir.get(), 0700);
    clear(dir.get(), depth + 1);
    return true;
  }

  void move_up(int parent, const char* name) {
    while (moves_ < kMoves) {
      auto target = fmt::format(".boruta-removing-{}", moves_++);
      if (::renameat2(parent, name, top_fd_, target.c_str(), RENAME_NOREPLACE) == 0) {
        moved_.push_back(std::move(target));
        return;
      }
      // Somebody was so kind as to take the name first.
      if (errno != EEXIST) break;
    }
    note(name, errno);
  }

  std::filesystem::path top_;
  int top_fd_;
  std::optional<uid_t> owner_;
  std::string error_;
  /// Below the top, waiting to be removed.
  std::vector<std::string> moved_;
  unsigned moves_ = 0;
};

std::expected<void, std::string> clear_directory(const std::filesystem::path& dir, std::optional<uid_t> owner) {
  const runtime::Descriptor top(open_or_unlock(AT_FDCWD, dir.c_str()));
  if (!top.valid() && errno == ENOENT) return {};
  if (!top.valid()) return std::unexpected(errno_text(dir, errno));
  if (!owner) ::fchmod(top.get(), 0700);
  return Remover(dir, top.get(), owner).run();
}

}  // namespace

std::expected<void, std::string> remove_tree(const std::filesystem::path& path) {
  struct stat info{};
  if (::lstat(path.c_str(), &info) != 0) {
    if (errno == ENOENT) return {};
    return std::unexpected(errno_text(path, errno));
  }
  if (S_ISDIR(info.st_mode)) {
    if (auto cleared = clear_directory(path, std::nullopt); !cleared) return cleared;
  }
  if ((S_ISDIR(info.st_mode) ? ::rmdir(path.c_str()) : ::unlink(path.c_str())) != 0) {
    return std::unexpected(errno_text(path, errno));
  }
  return {};
}

std::expected<void, std::string> remove_owned(const std::filesystem::path& dir, uid_t owner) {
  return clear_directory(dir, owner);
}

}  // namespace boruta::dryad

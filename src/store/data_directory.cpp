#include "store/data_directory.hpp"

#include <fmt/format.h>

#include <array>
#include <cerrno>
#include <fcntl.h>
#include <string>
#include <string_view>
#include <sys/file.h>
#include <sys/stat.h>
#include <system_error>
#include <unistd.h>
#include <utility>

namespace boruta::store {
namespace {

constexpr mode_t kDirectoryMode = 0700;
constexpr mode_t kFileMode = 0600;

std::unexpected<StoreError> failed(const std::filesystem::path& path, std::string_view doing) {
  const auto reason = std::generic_category().message(errno);
  return std::unexpected(StoreError{.code = StoreErrorCode::kBusy,
                                    .message = fmt::format("{}: cannot {} it: {}", path.string(), doing, reason)});
}

/// Makes the name durable that was just put into `directory`.
bool sync_directory(const std::filesystem::path& directory) {
  const int handle = ::open(directory.empty() ? "." : directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (handle < 0) return false;
  const bool synced = ::fsync(handle) == 0;
  ::close(handle);
  return synced;
}

std::expected<void, StoreError> make_directory(const std::filesystem::path& path) {
  if (::mkdir(path.c_str(), kDirectoryMode) == 0) {
    if (!sync_directory(path.parent_path())) return failed(path, "make");
    return {};
  }
  if (errno != EEXIST) return failed(path, "make");
  std::error_code error;
  if (!std::filesystem::is_directory(path, error)) {
    errno = ENOTDIR;
    return failed(path, "use");
  }
  return {};
}

/// SQLite gives its files the mode that this one has.
std::expected<void, StoreError> make_private(const std::filesystem::path& file) {
  const int handle = ::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, kFileMode);
  if (handle < 0) return failed(file, "open");
  const bool changed = ::fchmod(handle, kFileMode) == 0;
  const auto outcome = changed ? std::expected<void, StoreError>{} : failed(file, "protect");
  ::close(handle);
  return outcome;
}

StoreError held_by_another(const std::filesystem::path& path, int lock) {
  std::array<char, 32> text{};
  const auto size = ::pread(lock, text.data(), text.size(), 0);
  std::string_view holder(text.data(), size > 0 ? static_cast<std::size_t>(size) : 0);
  holder = holder.substr(0, holder.find('\n'));
  return {.code = StoreErrorCode::kFenced,
          .message = fmt::format("the data directory {} is in use by another borutad (pid {}): stop it first, or give "
                                 "this one a directory of its own",
                                 path.string(), holder.empty() ? "unknown" : holder)};
}

}  // namespace

std::expected<DataDirectory, StoreError> DataDirectory::open(const std::filesystem::path& path) {
  if (auto made = make_directory(path); !made) return std::unexpected(made.error());
  const auto lock_file = path / "lock";
  const int lock = ::open(lock_file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, kFileMode);
  if (lock < 0) return failed(lock_file, "open");
  DataDirectory directory(path, lock);
  if (::flock(lock, LOCK_EX | LOCK_NB) != 0) {
    if (errno == EWOULDBLOCK) return std::unexpected(held_by_another(path, lock));
    return failed(lock_file, "lock");
  }
  const std::string pid = fmt::format("{}\n", ::getpid());
  if (::ftruncate(lock, 0) != 0 || ::pwrite(lock, pid.data(), pid.size(), 0) != static_cast<ssize_t>(pid.size())) {
    return failed(lock_file, "write");
  }
  if (auto guarded = make_private(directory.database_file()); !guarded) return std::unexpected(guarded.error());
  return directory;
}

DataDirectory::DataDirectory(DataDirectory&& other) noexcept
    : path_(std::move(other.path_)), lock_(std::exchange(other.lock_, -1)) {}

DataDirectory& DataDirectory::operator=(DataDirectory&& other) noexcept {
  std::swap(path_, other.path_);
  std::swap(lock_, other.lock_);
  return *this;
}

DataDirectory::~DataDirectory() {
  if (lock_ >= 0) ::close(lock_);
}

}  // namespace boruta::store

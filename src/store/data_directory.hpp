#pragma once

#include <expected>
#include <filesystem>
#include <memory>

#include "store/journal.hpp"

namespace boruta::store {

/// A server's data directory, held by this process alone for as long as the object lives.
/// The lock goes with the process, however it ends; the lock file stays.
class DataDirectory {
 public:
  /// Makes `path` (0700) if it is not there, locks it, and sees to it that nobody but the owner can read the database.
  /// kFenced: another process holds it, and the message names it. kBusy: it cannot be made or written to.
  static std::expected<DataDirectory, StoreError> open(const std::filesystem::path& path);

  DataDirectory(DataDirectory&& other) noexcept;
  DataDirectory& operator=(DataDirectory&& other) noexcept;
  DataDirectory(const DataDirectory&) = delete;
  DataDirectory& operator=(const DataDirectory&) = delete;
  ~DataDirectory();

  [[nodiscard]] std::filesystem::path database_file() const { return path_ / "boruta.db"; }

 private:
  DataDirectory(std::filesystem::path path, int lock) : path_(std::move(path)), lock_(lock) {}

  std::filesystem::path path_;
  int lock_ = -1;
};

}  // namespace boruta::store

#include "store/sqlite_backup.hpp"

#include <fmt/format.h>

#include <cerrno>
#include <fcntl.h>
#include <string>
#include <system_error>
#include <unistd.h>
#include <utility>

#include "store/data_directory.hpp"
#include "store/sqlite_schema.hpp"

namespace boruta::store {
namespace {

/// 256 KiB: a writer waits for one slice at most.
constexpr int kPagesPerStep = 64;

/// A file that is synced before anybody relies on it needs neither a log nor syncs of its own.
constexpr auto kUnguarded = "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF";

/// The copy says of itself that it has a log, as its source does; after this it is one file without one. The keys'
/// pages are overwritten, and what they were stays in memory.
constexpr auto kComplete =
    "PRAGMA journal_mode = MEMORY; PRAGMA synchronous = OFF;"
    "PRAGMA secure_delete = ON; DELETE FROM keys";

std::expected<void, StoreError> make_empty(const std::filesystem::path& file) {
  ::unlink(file.c_str());
  const int handle = ::open(file.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (handle < 0) {
    const auto reason = std::generic_category().message(errno);
    return std::unexpected(StoreError{.code = StoreErrorCode::kBusy,
                                      .message = fmt::format("{}: cannot make it: {}", file.string(), reason)});
  }
  ::close(handle);
  return {};
}

}  // namespace

std::expected<std::unique_ptr<Backup>, StoreError> SqliteBackup::begin(Database& source,
                                                                       const std::filesystem::path& file) {
  if (auto made = make_empty(file); !made) return std::unexpected(made.error());
  auto copy = Database::open(file);
  if (!copy) return std::unexpected(copy.error());
  std::unique_ptr<SqliteBackup> backup(new SqliteBackup(source, std::move(*copy)));
  // The first page is there before any other, with the header that says that all have checksums.
  const int reserved = source.reserved_bytes();
  if (reserved > 0) backup->copy_.reserve_bytes(reserved);
  const auto* first_page = reserved > 0 ? "; PRAGMA user_version = 1" : "";
  if (auto done = backup->copy_.execute("configure", fmt::format("{}{}", kUnguarded, first_page)); !done) {
    return std::unexpected(done.error());
  }
  backup->copying_.reset(sqlite3_backup_init(backup->copy_.connection(), "main", source.connection(), "main"));
  if (!backup->copying_) return std::unexpected(backup->copy_.failure("begin a backup"));
  return backup;
}

SqliteBackup::~SqliteBackup() {
  if (!complete_) ::unlink(copy_.file().c_str());
}

std::expected<bool, StoreError> SqliteBackup::step() {
  const int code = sqlite3_backup_step(copying_.get(), kPagesPerStep);
  if (code == SQLITE_OK) return false;
  if (code == SQLITE_DONE) {
    if (auto done = complete(); !done) return std::unexpected(done.error());
    return true;
  }
  copying_.reset();  // tells the copy's connection what went wrong
  const bool damaged = code == SQLITE_IOERR_DATA || code == SQLITE_CORRUPT;
  return std::unexpected(damaged ? source_->damaged_page() : copy_.failure("write a backup"));
}

std::expected<void, StoreError> SqliteBackup::complete() {
  copying_.reset();
  // A connection of its own finds the file as it is, and not as it was when it was empty.
  auto copy = Database::open(copy_.file());
  if (!copy) return std::unexpected(copy.error());
  copy_ = std::move(*copy);
  if (auto done = copy_.execute("take the keys out", kComplete); !done) return done;
  complete_ = true;
  return {};
}

std::expected<void, StoreError> copy_journal(const std::filesystem::path& directory,
                                             const std::filesystem::path& file) {
  const auto held = DataDirectory::open(directory);
  if (!held) return std::unexpected(held.error());
  auto database = Database::open(held->database_file());
  if (!database) return std::unexpected(database.error());
  if (const auto version = schema_version(*database); !version) return std::unexpected(version.error());
  auto backup = SqliteBackup::begin(*database, file);
  if (!backup) return std::unexpected(backup.error());
  while (true) {
    const auto complete = (*backup)->step();
    if (!complete) return std::unexpected(complete.error());
    if (*complete) return {};
  }
}

}  // namespace boruta::store

#pragma once

#include <sqlite3.h>

#include <expected>
#include <filesystem>
#include <memory>

#include "store/journal.hpp"
#include "store/sqlite_database.hpp"

namespace boruta::store {

/// A copy of a SQLite journal. What the journal's connection writes meanwhile goes into the copy by itself, so a copy
/// never begins anew, however much is written.
class SqliteBackup final : public Backup {
 public:
  /// `source` must outlive the backup and stay where it is.
  static std::expected<std::unique_ptr<Backup>, StoreError> begin(Database& source, const std::filesystem::path& file);

  SqliteBackup(const SqliteBackup&) = delete;
  SqliteBackup& operator=(const SqliteBackup&) = delete;
  ~SqliteBackup() override;

  std::expected<bool, StoreError> step() override;

 private:
  struct Finish {
    void operator()(sqlite3_backup* backup) const { sqlite3_backup_finish(backup); }
  };

  SqliteBackup(Database& source, Database copy) : source_(&source), copy_(std::move(copy)) {}
  std::expected<void, StoreError> complete();

  Database* source_;
  Database copy_;
  /// Destroyed before the connection that it writes to.
  std::unique_ptr<sqlite3_backup, Finish> copying_;
  bool complete_ = false;
};

/// Copies the journal in `directory`, which must be there, to `file` while no server runs: as `Journal::begin_backup`,
/// and whole. Changes nothing in the journal, also when its tables are of an older version. Blocks.
/// kFenced: a server runs. kCorrupt: the journal cannot be read, or is another program's. kBusy: `file` cannot be made.
[[nodiscard]] std::expected<void, StoreError> copy_journal(const std::filesystem::path& directory,
                                                           const std::filesystem::path& file);

}  // namespace boruta::store

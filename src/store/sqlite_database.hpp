#pragma once

#include <sqlite3.h>

#include <concepts>
#include <cstdint>
#include <expected>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>

#include "store/journal.hpp"

namespace boruta::store {

/// A prepared statement, kept as long as its database. Values are bound from 1 and read from 0 on, as SQLite counts.
/// A value that cannot be bound (out of memory) makes the next `step` fail.
class Statement {
 public:
  Statement() = default;
  explicit Statement(sqlite3_stmt* statement) : statement_(statement) {}

  void bind_null(int index);
  void bind(int index, std::int64_t value);
  /// `text` must live until `reset`.
  void bind_text(int index, std::string_view text);
  /// Takes a copy.
  void bind_text_copy(int index, std::string_view text);
  /// `bytes` must live until `reset`.
  void bind_blob(int index, std::span<const std::uint8_t> bytes);

  /// SQLITE_ROW, SQLITE_DONE or an error.
  [[nodiscard]] int step();
  /// Must follow the last `step` before values are bound anew.
  void reset();
  /// Steps once and resets. Whether it ended without an error; rows are not looked at.
  [[nodiscard]] bool run();

  [[nodiscard]] bool is_null(int column) const;
  [[nodiscard]] std::int64_t integer(int column) const;
  /// Lives until the next `step` or `reset`.
  [[nodiscard]] std::string_view text(int column) const;
  [[nodiscard]] std::span<const std::uint8_t> blob(int column) const;

 private:
  struct Finalize {
    void operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }
  };

  std::unique_ptr<sqlite3_stmt, Finalize> statement_;
  int bind_result_ = SQLITE_OK;
};

/// One connection to one file.
class Database {
 public:
  /// Opens the file without looking into it; the first look takes it for this connection alone. kBusy: that cannot be
  /// done now.
  static std::expected<Database, StoreError> open(const std::filesystem::path& file);

  [[nodiscard]] std::expected<void, StoreError> execute(std::string_view doing, const std::string& sql);
  [[nodiscard]] std::expected<std::int64_t, StoreError> number(std::string_view sql);
  /// Bytes at the end of each page that are set aside.
  [[nodiscard]] int reserved_bytes() const;
  /// Sets them aside in a file that is empty, or by the next VACUUM.
  void reserve_bytes(int count);
  [[nodiscard]] std::expected<Statement, StoreError> prepare(std::string_view sql);
  /// Commits what `body` did, or takes it back if `body` or the commit fails; after a failed commit it may be there all
  /// the same. `doing` says what it is.
  template <class Body>
    requires std::same_as<std::invoke_result_t<Body>, std::expected<void, StoreError>>
  [[nodiscard]] std::expected<void, StoreError> transact(std::string_view doing, Body body) {
    auto done = execute(doing, "BEGIN IMMEDIATE");
    if (!done) return done;
    done = body();
    if (done) done = execute(doing, "COMMIT");
    // Some failures have rolled back already, and of one that cannot be the next transaction hears.
    if (!done && in_transaction()) {
      const auto rolled_back = execute(doing, "ROLLBACK");
      static_cast<void>(rolled_back);
    }
    return done;
  }

  /// What went wrong in the last call, for one that changed nothing: `doing` says what it was.
  [[nodiscard]] StoreError failure(std::string_view doing) const;
  /// For a page whose checksum is wrong.
  [[nodiscard]] StoreError damaged_page() const;
  /// For data that cannot be understood; `what` names it.
  [[nodiscard]] StoreError corrupt(std::string_view what) const;

  /// For calls of SQLite that this class has no name for.
  [[nodiscard]] sqlite3* connection() const { return connection_.get(); }
  [[nodiscard]] const std::filesystem::path& file() const { return file_; }
  /// SQLITE_FULL, SQLITE_IOERR, …: of the last call.
  [[nodiscard]] int last_primary_code() const;
  [[nodiscard]] bool in_transaction() const { return sqlite3_get_autocommit(connection_.get()) == 0; }
  /// Of the last statement that changed any.
  [[nodiscard]] std::int64_t changed_rows() const { return sqlite3_changes64(connection_.get()); }
  [[nodiscard]] std::int64_t last_row() const { return sqlite3_last_insert_rowid(connection_.get()); }

 private:
  struct Close {
    void operator()(sqlite3* connection) const { sqlite3_close_v2(connection); }
  };

  explicit Database(std::filesystem::path file) : file_(std::move(file)) {}

  std::filesystem::path file_;
  std::unique_ptr<sqlite3, Close> connection_;
};

}  // namespace boruta::store

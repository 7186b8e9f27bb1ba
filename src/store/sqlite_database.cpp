#include "store/sqlite_database.hpp"

#include <fmt/format.h>

#include <utility>

#include "store/checksum_vfs.hpp"

namespace boruta::store {
namespace {

constexpr int kPrimaryCodeMask = 0xFF;

StoreErrorCode meaning_of(int extended_code) {
  if (extended_code == SQLITE_IOERR_DATA) return StoreErrorCode::kCorrupt;
  switch (extended_code & kPrimaryCodeMask) {
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
    case SQLITE_FORMAT:
    case SQLITE_MISMATCH:
      return StoreErrorCode::kCorrupt;
    default:
      return StoreErrorCode::kBusy;
  }
}

}  // namespace

void Statement::bind_null(int index) { bind_result_ |= sqlite3_bind_null(statement_.get(), index); }

void Statement::bind(int index, std::int64_t value) {
  bind_result_ |= sqlite3_bind_int64(statement_.get(), index, value);
}

void Statement::bind_text(int index, std::string_view text) {
  // An empty view may point nowhere, which SQLite would take for NULL.
  const char* data = text.empty() ? "" : text.data();
  bind_result_ |= sqlite3_bind_text64(statement_.get(), index, data, text.size(), SQLITE_STATIC, SQLITE_UTF8);
}

void Statement::bind_text_copy(int index, std::string_view text) {
  // NOLINTNEXTLINE(performance-no-int-to-ptr): SQLite's own constant
  bind_result_ |= sqlite3_bind_text64(statement_.get(), index, text.data(), text.size(), SQLITE_TRANSIENT, SQLITE_UTF8);
}

void Statement::bind_blob(int index, std::span<const std::uint8_t> bytes) {
  bind_result_ |= sqlite3_bind_blob64(statement_.get(), index, bytes.data(), bytes.size(), SQLITE_STATIC);
}

int Statement::step() { return bind_result_ == SQLITE_OK ? sqlite3_step(statement_.get()) : SQLITE_NOMEM; }

void Statement::reset() {
  sqlite3_reset(statement_.get());
  bind_result_ = SQLITE_OK;
}

bool Statement::run() {
  const int code = step();
  reset();
  return code == SQLITE_DONE || code == SQLITE_ROW;
}

bool Statement::is_null(int column) const { return sqlite3_column_type(statement_.get(), column) == SQLITE_NULL; }

std::int64_t Statement::integer(int column) const { return sqlite3_column_int64(statement_.get(), column); }

std::string_view Statement::text(int column) const {
  const auto* data = sqlite3_column_text(statement_.get(), column);
  const auto size = static_cast<std::size_t>(sqlite3_column_bytes(statement_.get(), column));
  return data == nullptr ? std::string_view{} : std::string_view(reinterpret_cast<const char*>(data), size);
}

std::span<const std::uint8_t> Statement::blob(int column) const {
  const auto* data = static_cast<const std::uint8_t*>(sqlite3_column_blob(statement_.get(), column));
  return {data, static_cast<std::size_t>(sqlite3_column_bytes(statement_.get(), column))};
}

std::expected<Database, StoreError> Database::open(const std::filesystem::path& file) {
  Database database(file);
  sqlite3* connection = nullptr;
  constexpr int kFlags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
  const int code = sqlite3_open_v2(file.c_str(), &connection, kFlags, checksum_vfs());
  database.connection_.reset(connection);
  if (code != SQLITE_OK) return std::unexpected(database.failure("open"));
  // A log that one connection alone uses needs no shared memory. Does not look into the file.
  if (auto alone = database.execute("open", "PRAGMA locking_mode = EXCLUSIVE"); !alone) {
    return std::unexpected(alone.error());
  }
  return database;
}

std::expected<void, StoreError> Database::execute(std::string_view doing, const std::string& sql) {
  const int code = sqlite3_exec(connection_.get(), sql.c_str(), nullptr, nullptr, nullptr);
  if (code != SQLITE_OK) return std::unexpected(failure(doing));
  return {};
}

std::expected<std::int64_t, StoreError> Database::number(std::string_view sql) {
  auto statement = prepare(sql);
  if (!statement) return std::unexpected(statement.error());
  if (statement->step() != SQLITE_ROW) return std::unexpected(failure(sql));
  return statement->integer(0);
}

std::expected<Statement, StoreError> Database::prepare(std::string_view sql) {
  sqlite3_stmt* statement = nullptr;
  const int code = sqlite3_prepare_v3(connection_.get(), sql.data(), static_cast<int>(sql.size()),
                                      SQLITE_PREPARE_PERSISTENT, &statement, nullptr);
  if (code != SQLITE_OK) return std::unexpected(failure(sql));
  return Statement(statement);
}

int Database::reserved_bytes() const {
  int count = -1;  // asks
  sqlite3_file_control(connection_.get(), "main", SQLITE_FCNTL_RESERVE_BYTES, &count);
  return count;
}

void Database::reserve_bytes(int count) {
  sqlite3_file_control(connection_.get(), "main", SQLITE_FCNTL_RESERVE_BYTES, &count);
}

int Database::last_primary_code() const { return sqlite3_errcode(connection_.get()) & kPrimaryCodeMask; }

StoreError Database::failure(std::string_view doing) const {
  const int code = sqlite3_extended_errcode(connection_.get());
  const auto meaning = meaning_of(code);
  if (code == SQLITE_IOERR_DATA) return damaged_page();
  const std::string_view what = sqlite3_errmsg(connection_.get());
  if (meaning == StoreErrorCode::kCorrupt) return corrupt(what);
  return {.code = meaning, .message = fmt::format("{}: {}: {}", file_.string(), doing, what)};
}

StoreError Database::damaged_page() const {
  return corrupt("a page of it is not what was written, its checksum is wrong");
}

StoreError Database::corrupt(std::string_view what) const {
  return {.code = StoreErrorCode::kCorrupt,
          .message = fmt::format("{} cannot be read: {}. Restore it from a backup, or move it and its -wal file away "
                                 "to start with an empty farm",
                                 file_.string(), what)};
}

}  // namespace boruta::store

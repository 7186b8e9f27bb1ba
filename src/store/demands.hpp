#pragma once

#include <cstddef>
#include <cstdint>
#include <expected>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>

#include "base/requirements.hpp"
#include "store/journal.hpp"
#include "store/sqlite_database.hpp"

namespace boruta::store {

/// The table of what requests ask for, each demand stored once.
class DemandTable {
 public:
  /// Keeps a pointer to `database`, which must stay where it is.
  static std::expected<DemandTable, StoreError> prepare(Database& database);

  /// The row of `demand`, written by this call if there is none yet. Nothing: SQLite failed.
  [[nodiscard]] std::optional<std::int64_t> id_of(const Demand& demand);

  /// Must follow a rollback: rows that `id_of` wrote are gone.
  void forget_ids() { ids_.clear(); }

  /// Reads all rows at once, for those who ask for most of them.
  [[nodiscard]] std::expected<void, StoreError> load();
  /// Null: there is no such row, or it is wrong. Until `unload` or `release` equal demands are one object, if they are
  /// few.
  [[nodiscard]] SharedDemand find(std::int64_t id);
  /// Frees what `load` read, and deletes the rows of what nobody has taken by `find`: no request asks for that any
  /// more.
  [[nodiscard]] std::expected<void, StoreError> unload();
  /// Frees what `find` read.
  void release() { loaded_.clear(); }

 private:
  explicit DemandTable(Database& database) : database_(&database) {}

  Database* database_;
  Statement insert_;
  Statement select_;
  Statement select_by_id_;
  Statement delete_;
  /// By capabilities and requirements as JSON, one behind the other: those used of late.
  std::unordered_map<std::string, std::int64_t> ids_;
  std::unordered_map<std::int64_t, SharedDemand> loaded_;
};

}  // namespace boruta::store

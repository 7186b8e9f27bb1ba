#pragma once

#include <cstddef>
#include <cstdint>
#include <expected>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>

#include "base/caps.hpp"
#include "store/journal.hpp"
#include "store/sqlite_database.hpp"

namespace boruta::store {

/// The table of capabilities that requests ask for, each set stored once.
class CapabilitySets {
 public:
  /// Keeps a pointer to `database`, which must stay where it is.
  static std::expected<CapabilitySets, StoreError> prepare(Database& database);

  /// The row of `caps`, written by this call if there is none yet. Nothing: SQLite failed.
  [[nodiscard]] std::optional<std::int64_t> id_of(const Capabilities& caps);

  /// Must follow a rollback: rows that `id_of` wrote are gone.
  void forget_ids() { ids_.clear(); }

  /// Reads all sets, for `find`.
  [[nodiscard]] std::expected<void, StoreError> load();
  /// Null: there is no such row among those loaded. Equal capabilities are one object.
  [[nodiscard]] std::shared_ptr<const Capabilities> find(std::int64_t id) const;
  /// Frees what `load` read.
  void unload() { loaded_.clear(); }

 private:
  explicit CapabilitySets(Database& database) : database_(&database) {}

  Database* database_;
  Statement insert_;
  Statement select_;
  /// By the set as JSON: those used of late.
  std::unordered_map<std::string, std::int64_t> ids_;
  std::unordered_map<std::int64_t, std::shared_ptr<const Capabilities>> loaded_;
};

}  // namespace boruta::store

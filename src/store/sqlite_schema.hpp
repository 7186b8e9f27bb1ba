#pragma once

#include <cstdint>
#include <expected>

#include "store/journal.hpp"
#include "store/sqlite_database.hpp"

namespace boruta::store {

/// Stands in the file's header: "Boru".
inline constexpr std::int64_t kApplicationId = 0x426F7275;

/// Makes `database` ours alone and ready for use: sets how SQLite works on it, and brings the tables to the newest
/// version, each step in a transaction of its own. An empty file gets all of them.
/// kFenced: another program uses the file. kCorrupt: it is damaged, a newer Boruta wrote it, or it is some other
/// program's; nothing was changed in it.
[[nodiscard]] std::expected<void, StoreError> set_up(Database& database);

/// The version of `database`'s tables, 0 for an empty file. kCorrupt: as `set_up` says.
[[nodiscard]] std::expected<std::int64_t, StoreError> schema_version(Database& database);

}  // namespace boruta::store

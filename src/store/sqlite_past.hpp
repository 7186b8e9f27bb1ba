#pragma once

#include <cstddef>
#include <expected>
#include <memory>
#include <optional>

#include "store/journal.hpp"
#include "store/sqlite_database.hpp"

namespace boruta::store {

/// What a database keeps of its past: the states of checkpoints, and how much of the events.
class SqlitePast {
 public:
  /// Keeps a pointer to `database`, which must stay where it is. `last`: the newest event.
  static std::expected<SqlitePast, StoreError> prepare(Database& database, EventSeq last);

  /// Within the transaction of its event. False: SQLite failed.
  [[nodiscard]] bool put_checkpoint(const farm::Event& event, const farm::Rows& state);
  [[nodiscard]] std::expected<std::optional<farm::Rows>, StoreError> read_checkpoint(EventSeq seq);

  /// As Journal::tidy.
  [[nodiscard]] std::expected<Tidied, StoreError> tidy(Instant until, std::size_t most);

 private:
  explicit SqlitePast(Database& database) : database_(&database) {}

  /// Deletes events before `end`, which is behind `first_`, and their checkpoints.
  [[nodiscard]] std::expected<void, StoreError> forget_before(EventSeq end);
  /// Whether there is more to give back.
  [[nodiscard]] std::expected<bool, StoreError> shrink(std::size_t most);

  Database* database_;
  Statement put_;
  Statement select_;
  Statement delete_events_;
  Statement delete_checkpoints_;
  /// The oldest event that is kept.
  EventSeq first_;
};

}  // namespace boruta::store

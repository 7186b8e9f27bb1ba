#pragma once

#include <cstddef>
#include <expected>
#include <optional>

#include "store/journal.hpp"
#include "store/sqlite_checkpoints.hpp"
#include "store/sqlite_database.hpp"

namespace boruta::store {

/// What a database keeps of its past: checkpoints, and how much of the events.
class SqlitePast {
 public:
  /// Keeps pointers to `database` and `demands`, which must stay where they are. `last`: the newest event.
  static std::expected<SqlitePast, StoreError> prepare(Database& database, DemandTable& demands, EventSeq last);

  /// As Checkpoints::follow.
  [[nodiscard]] bool follow(const EventBatch& batch) { return checkpoints_.follow(batch); }
  /// As Journal::read_checkpoint.
  [[nodiscard]] std::expected<std::optional<farm::Rows>, StoreError> read_checkpoint() {
    return checkpoints_.read_newest();
  }
  /// As Journal::tidy. `last`: the newest event.
  [[nodiscard]] std::expected<Tidied, StoreError> tidy(const TidyOrder& order, EventSeq last, std::size_t most);

 private:
  SqlitePast(Database& database, Checkpoints checkpoints)
      : database_(&database), checkpoints_(std::move(checkpoints)) {}

  /// Does the first of these that there is to do, and says whether there is more.
  [[nodiscard]] std::expected<bool, StoreError> tidy_some(const TidyOrder& order, EventSeq last, std::size_t most);
  [[nodiscard]] std::expected<bool, StoreError> is_checkpoint_due(Instant since, EventSeq last);
  /// Deletes at most `most` events that lie before the checkpoint; whether there was one.
  [[nodiscard]] std::expected<bool, StoreError> forget(Instant until, std::size_t most);
  /// Whether there is more to give back.
  [[nodiscard]] std::expected<bool, StoreError> shrink(std::size_t most);

  Database* database_;
  Checkpoints checkpoints_;
  Statement delete_events_;
  /// The oldest event that is kept.
  EventSeq first_;
};

}  // namespace boruta::store

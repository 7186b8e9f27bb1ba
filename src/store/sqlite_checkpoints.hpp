#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <optional>
#include <variant>
#include <vector>

#include "store/demands.hpp"
#include "store/journal.hpp"
#include "store/sqlite_database.hpp"

namespace boruta::store {

/// A database's checkpoints: copies of the rows that later events can still change. One is made a few rows at a time,
/// table by table, while batches go on; each of these is written to the copy as well as to the tables, wherever the
/// copying has got to. So, when the last table has been gone through, the copy equals the tables as they then are
/// (a fuzzy checkpoint, as databases call it, that is brought up to date while it is made).
class Checkpoints {
 public:
  /// Keeps pointers to both, which must stay where they are. What an earlier process did not complete is dropped.
  static std::expected<Checkpoints, StoreError> prepare(Database& database, DemandTable& demands);

  /// Within the transaction of `batch`. False: SQLite failed.
  [[nodiscard]] bool follow(const EventBatch& batch);

  [[nodiscard]] bool under_way() const { return making_.has_value(); }
  /// Goes through at most `most` rows, in a transaction of its own; begins a checkpoint if none is under way. If it is
  /// complete by that, it was written at `now` and stands for all up to `last`. An error gives it up.
  [[nodiscard]] std::expected<void, StoreError> advance(Instant now, EventSeq last, std::size_t most);

  /// Within a transaction: checkpoints that stand for less than all before `end` are no more. False: SQLite failed.
  [[nodiscard]] bool drop_before(EventSeq end);
  /// Deletes at most `most` rows of what was dropped or given up. Whether there may be more.
  [[nodiscard]] std::expected<bool, StoreError> clear(std::size_t most);

  /// The newest that is complete.
  [[nodiscard]] std::expected<std::optional<farm::Rows>, StoreError> read_newest();

 private:
  /// The table that is gone through, and of it the row that comes next: only its key counts.
  using Place = std::variant<farm::User, farm::LimitedGroup, farm::Token, farm::Request, farm::Worker, farm::Creation,
                             farm::UserKey>;

  struct Making {
    std::int64_t id = 0;
    Place next;
  };

  Checkpoints(Database& database, DemandTable& demands) : database_(&database), demands_(&demands) {}

  [[nodiscard]] std::expected<std::int64_t, StoreError> begin();
  /// Where to go on; nothing: this was the last.
  template <class Row>
  [[nodiscard]] std::expected<std::optional<Place>, StoreError> copy_from(const Row& first, std::size_t most);
  [[nodiscard]] std::expected<void, StoreError> take_job(farm::Request& request);
  [[nodiscard]] std::expected<void, StoreError> complete(Instant now, EventSeq last);

  template <class Row>
  [[nodiscard]] bool put(const Row& row);
  /// With its job. One that has ended is in no copy.
  [[nodiscard]] bool put(const farm::Request& request);
  template <class Row>
  [[nodiscard]] bool put_all(const std::vector<Row>& rows);
  /// The row with the key of `row`.
  template <class Row>
  [[nodiscard]] bool erase(const Row& row);
  [[nodiscard]] bool erase_request(RequestId id);

  template <class Row>
  [[nodiscard]] std::expected<void, StoreError> read(std::int64_t id, std::vector<Row>& rows);
  [[nodiscard]] std::expected<void, StoreError> read_all(std::int64_t id, farm::Rows& rows);

  Database* database_;
  DemandTable* demands_;
  Statement put_;
  Statement erase_;
  Statement complete_;
  Statement drop_;
  Statement clear_;
  Statement select_job_;
  /// The rows of a table from a key on, by its place.
  std::array<Statement, std::variant_size_v<Place>> selects_;
  std::optional<Making> making_;
};

}  // namespace boruta::store

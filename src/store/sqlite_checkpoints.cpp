#include "store/sqlite_checkpoints.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include "store/row_codec.hpp"
#include "store/sqlite_rows.hpp"

namespace boruta::store {
namespace {

constexpr std::string_view kMaking = "make a checkpoint";

std::int64_t number_of(EventSeq seq) { return static_cast<std::int64_t>(seq.value); }
std::int64_t number_of(std::size_t count) { return static_cast<std::int64_t>(count); }

/// Binds a row's key alone, its first column.
class KeyBinder {
 public:
  KeyBinder(Statement& statement, int index) : statement_(statement), index_(index) {}

  template <class Value>
  void operator()(std::string_view name, const Value& value) {
    if (!std::exchange(bound_, true)) RowBinder(statement_, 0, index_)(name, value);
  }

 private:
  Statement& statement_;
  int index_;
  bool bound_ = false;
};

template <class Row>
void bind_key(Statement& statement, int index, const Row& row) {
  KeyBinder key(statement, index);
  Columns<Row>::each(key, row);
}

/// The first row of the table that follows, in the order of the alternatives.
template <class Place, std::size_t Index = 0>
std::optional<Place> table_behind(std::size_t index) {
  if constexpr (Index + 1 < std::variant_size_v<Place>) {
    return index == Index ? std::optional<Place>(std::in_place, std::in_place_index<Index + 1>)
                          : table_behind<Place, Index + 1>(index);
  } else {
    return std::nullopt;
  }
}

template <class Row>
std::string select_from_sql() {
  const Row row{};
  ColumnNames columns;
  Columns<Row>::each(columns, row);
  using Table = Columns<Row>;
  return fmt::format("SELECT {} FROM {} WHERE {} >= ? ORDER BY {} LIMIT ?", columns.names(), Table::kTable, Table::kKey,
                     Table::kKey);
}

template <class Place, std::size_t... Index>
std::array<std::string, sizeof...(Index)> select_from_sqls(std::index_sequence<Index...> /*all*/) {
  return {select_from_sql<std::variant_alternative_t<Index, Place>>()...};
}

}  // namespace

std::expected<Checkpoints, StoreError> Checkpoints::prepare(Database& database, DemandTable& demands) {
  Checkpoints checkpoints(database, demands);
  std::vector<std::pair<Statement*, std::string>> wanted{
      {&checkpoints.put_, "INSERT OR REPLACE INTO checkpoint_rows (checkpoint, kind, key, row) VALUES (?, ?, ?, ?)"},
      {&checkpoints.erase_, "DELETE FROM checkpoint_rows WHERE checkpoint = ? AND kind = ? AND key = ?"},
      {&checkpoints.complete_,
       "UPDATE checkpoints SET seq = ?2, at_ns = ?3, last_request = max("
       "(SELECT coalesce(max(id), 0) FROM requests), (SELECT coalesce(max(last_request), 0) FROM forgotten)), "
       "forgotten_until_ns = (SELECT until_ns FROM forgotten) WHERE id = ?1"},
      {&checkpoints.drop_, "UPDATE checkpoints SET seq = NULL WHERE seq < ?"},
      {&checkpoints.clear_,
       "DELETE FROM checkpoint_rows WHERE checkpoint = ?1 AND (kind, key) IN "
       "(SELECT kind, key FROM checkpoint_rows WHERE checkpoint = ?1 LIMIT ?2)"},
      {&checkpoints.select_job_, select_from_sql<StoredJob>()},
  };
  auto sqls = select_from_sqls<Place>(std::make_index_sequence<std::variant_size_v<Place>>{});
  for (std::size_t table = 0; table < sqls.size(); ++table) {
    wanted.emplace_back(&checkpoints.selects_.at(table), std::move(sqls.at(table)));
  }
  for (const auto& [statement, sql] : wanted) {
    auto prepared = database.prepare(sql);
    if (!prepared) return std::unexpected(prepared.error());
    *statement = std::move(*prepared);
  }
  return checkpoints;
}

bool Checkpoints::follow(const EventBatch& batch) {
  if (!making_) return true;
  for (const auto& uuid : batch.deleted_workers) {
    farm::Worker worker;
    worker.uuid = uuid;
    if (!erase(worker)) return false;
  }
  for (const auto request : batch.deleted_creations) {
    if (!erase(farm::Creation{.request = request})) return false;
  }
  for (const auto request : batch.deleted_requests) {
    if (!erase_request(request)) return false;
  }
  return put_all(batch.users) && put_all(batch.groups) && put_all(batch.tokens) && put_all(batch.requests) &&
         put_all(batch.workers) && put_all(batch.creations) && put_all(batch.user_keys);
}

std::expected<void, StoreError> Checkpoints::advance(Instant now, EventSeq last, std::size_t most) {
  std::optional<Place> next;
  auto done = database_->transact(kMaking, [&]() -> std::expected<void, StoreError> {
    if (!making_) {
      const auto id = begin();
      if (!id) return std::unexpected(id.error());
      making_ = Making{.id = *id, .next = {}};
    }
    auto copied = std::visit([&](const auto& first) { return copy_from(first, most); }, making_->next);
    if (!copied) return std::unexpected(copied.error());
    next = std::move(*copied);
    return next ? std::expected<void, StoreError>{} : complete(now, last);
  });
  if (done && next) {
    making_->next = std::move(*next);
  } else {
    making_.reset();
    demands_->release();
  }
  return done;
}

bool Checkpoints::drop_before(EventSeq end) {
  drop_.bind(1, number_of(end));
  return drop_.run();
}

std::expected<bool, StoreError> Checkpoints::clear(std::size_t most) {
  const auto id = database_->number(fmt::format(
      "SELECT coalesce(min(id), 0) FROM checkpoints WHERE seq IS NULL AND id <> {}", making_ ? making_->id : 0));
  if (!id) return std::unexpected(id.error());
  if (*id == 0) return false;
  const auto done = database_->transact("clear a checkpoint", [&]() -> std::expected<void, StoreError> {
    clear_.bind(1, *id);
    clear_.bind(2, number_of(most));
    if (!clear_.run()) return std::unexpected(database_->failure("clear a checkpoint"));
    if (database_->changed_rows() > 0) return {};
    return database_->execute("clear a checkpoint", fmt::format("DELETE FROM checkpoints WHERE id = {}", *id));
  });
  if (!done) return std::unexpected(done.error());
  return true;
}

std::expected<std::int64_t, StoreError> Checkpoints::begin() {
  const auto id = database_->number("SELECT coalesce(max(id), 0) + 1 FROM checkpoints");
  if (!id) return id;
  const auto done = database_->execute(kMaking, fmt::format("INSERT INTO checkpoints (id) VALUES ({})", *id));
  if (!done) return std::unexpected(done.error());
  return id;
}

template <class Row>
std::expected<std::optional<Checkpoints::Place>, StoreError> Checkpoints::copy_from(const Row& first,
                                                                                    std::size_t most) {
  auto& rows = selects_.at(making_->next.index());
  bind_key(rows, 1, first);
  // One more than is copied tells where to go on.
  rows.bind(2, number_of(most + 1));
  std::optional<Place> next = table_behind<Place>(making_->next.index());
  std::expected<void, StoreError> done;
  int code = rows.step();
  for (std::size_t count = 0; code == SQLITE_ROW && done; code = rows.step(), ++count) {
    Row row{};
    RowReader reader(rows, *demands_);
    Columns<Row>::each(reader, row);
    if (!reader.wrong_column().empty()) {
      done = std::unexpected(
          database_->corrupt(fmt::format("column {} of {} is wrong", reader.wrong_column(), Columns<Row>::kTable)));
    } else if (count == most) {
      next = std::move(row);
    } else {
      if constexpr (std::is_same_v<Row, farm::Request>) done = take_job(row);
      if (done && !put(row)) done = std::unexpected(database_->failure(kMaking));
    }
  }
  if (done && code != SQLITE_DONE) done = std::unexpected(database_->failure(kMaking));
  rows.reset();
  if (!done) return std::unexpected(done.error());
  return next;
}

std::expected<void, StoreError> Checkpoints::take_job(farm::Request& request) {
  if (farm::is_terminal(request.state)) return {};
  bind_key(select_job_, 1, StoredJob{.request = request.id, .job = {}});
  select_job_.bind(2, 1);
  const int code = select_job_.step();
  std::expected<void, StoreError> done;
  if (code == SQLITE_ROW) {
    StoredJob stored;
    RowReader reader(select_job_, *demands_);
    Columns<StoredJob>::each(reader, stored);
    if (stored.request == request.id) request.job = stored.job;
    if (!reader.wrong_column().empty()) {
      done = std::unexpected(database_->corrupt(
          fmt::format("column {} of the job of request {} is wrong", reader.wrong_column(), request.id.value)));
    }
  } else if (code != SQLITE_DONE) {
    done = std::unexpected(database_->failure(kMaking));
  }
  select_job_.reset();
  return done;
}

std::expected<void, StoreError> Checkpoints::complete(Instant now, EventSeq last) {
  complete_.bind(1, making_->id);
  complete_.bind(2, number_of(last));
  complete_.bind(3, now.time_since_epoch().count());
  if (!complete_.run()) return std::unexpected(database_->failure(kMaking));
  return {};
}

template <class Row>
bool Checkpoints::put(const Row& row) {
  const auto json = encode_row(row);
  put_.bind(1, making_->id);
  put_.bind_text(2, Columns<Row>::kTable);
  bind_key(put_, 3, row);
  put_.bind_text(4, json);
  return put_.run();
}

bool Checkpoints::put(const farm::Request& request) {
  if (farm::is_terminal(request.state)) return erase_request(request.id);
  if (!put<farm::Request>(request)) return false;
  return !request.job || put(StoredJob{.request = request.id, .job = *request.job});
}

template <class Row>
bool Checkpoints::put_all(const std::vector<Row>& rows) {
  return std::ranges::all_of(rows, [this](const Row& row) { return put(row); });
}

template <class Row>
bool Checkpoints::erase(const Row& row) {
  erase_.bind(1, making_->id);
  erase_.bind_text(2, Columns<Row>::kTable);
  bind_key(erase_, 3, row);
  return erase_.run();
}

bool Checkpoints::erase_request(RequestId id) {
  farm::Request request;
  request.id = id;
  return erase(request) && erase(StoredJob{.request = id, .job = {}});
}

std::expected<std::optional<farm::Rows>, StoreError> Checkpoints::read_newest() {
  auto newest = database_->prepare(
      "SELECT id, seq, last_request, forgotten_until_ns FROM checkpoints WHERE seq IS NOT NULL "
      "ORDER BY seq DESC LIMIT 1");
  if (!newest) return std::unexpected(newest.error());
  const int code = newest->step();
  if (code == SQLITE_DONE) return std::nullopt;
  if (code != SQLITE_ROW) return std::unexpected(database_->failure("read a checkpoint"));
  farm::Rows rows;
  rows.last_event = EventSeq{static_cast<std::uint64_t>(newest->integer(1))};
  rows.last_request = RequestId{static_cast<std::uint64_t>(newest->integer(2))};
  if (!newest->is_null(3)) rows.forgotten_until = Instant(Duration(newest->integer(3)));
  if (auto done = read_all(newest->integer(0), rows); !done) return std::unexpected(done.error());
  return rows;
}

std::expected<void, StoreError> Checkpoints::read_all(std::int64_t id, farm::Rows& rows) {
  std::vector<StoredJob> jobs;
  const auto read_each = [&](auto&... tables) {
    std::expected<void, StoreError> done;
    static_cast<void>(((done = read(id, tables)).has_value() && ...));
    return done;
  };
  auto done = read_each(rows.users, rows.groups, rows.tokens, rows.requests, jobs, rows.workers, rows.creations,
                        rows.user_keys);
  if (!done) return done;
  JobGiver giver(rows.requests);
  for (const auto& job : jobs) {
    if (giver.give(job)) continue;
    return std::unexpected(
        database_->corrupt(fmt::format("a checkpoint's job of request {} has no request", job.request.value)));
  }
  return {};
}

template <class Row>
std::expected<void, StoreError> Checkpoints::read(std::int64_t id, std::vector<Row>& rows) {
  auto stored = database_->prepare("SELECT row FROM checkpoint_rows WHERE checkpoint = ? AND kind = ? ORDER BY key");
  if (!stored) return std::unexpected(stored.error());
  stored->bind(1, id);
  stored->bind_text(2, Columns<Row>::kTable);
  int code = stored->step();
  for (; code == SQLITE_ROW; code = stored->step()) {
    auto row = decode_row<Row>(stored->text(0));
    if (!row) {
      return std::unexpected(database_->corrupt(
          fmt::format("row {} of {} in its checkpoint cannot be understood", rows.size() + 1, Columns<Row>::kTable)));
    }
    rows.push_back(std::move(*row));
  }
  if (code != SQLITE_DONE) return std::unexpected(database_->failure("read a checkpoint"));
  return {};
}

}  // namespace boruta::store

#include "store/sqlite_journal.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/assert.hpp"
#include "store/data_directory.hpp"
#include "store/demands.hpp"
#include "store/event_codec.hpp"
#include "store/sqlite_backup.hpp"
#include "store/sqlite_database.hpp"
#include "store/sqlite_past.hpp"
#include "store/sqlite_rows.hpp"
#include "store/sqlite_schema.hpp"

namespace boruta::store {
namespace {

template <class Row>
struct Table {
  Statement put;
  std::string select = select_sql<Row>();
};

/// All that append and read need, prepared once.
struct Statements {
  Statement begin;
  Statement commit;
  Statement rollback;
  Statement put_event;
  Table<farm::User> users;
  Table<farm::LimitedGroup> groups;
  Table<farm::Token> tokens;
  Table<farm::Request> requests;
  Table<StoredJob> jobs;
  Table<farm::Worker> workers;
  Table<farm::Creation> creations;
  Table<farm::UserKey> user_keys;
  Table<StoredKey> keys;
  Statement delete_request;
  Statement delete_job;
  Statement put_forgotten;
  Statement delete_worker;
  Statement delete_creation;
  Statement delete_key;
  Statement read_all;
  Statement read_request;
  Statement read_worker;
  Statement read_both;
};

std::expected<Statements, StoreError> prepare_all(Database& database) {
  Statements all;
  const std::string read = "SELECT seq, at_ns, actor, type, body FROM events WHERE seq > ?1 {} ORDER BY seq LIMIT ?2";
  const std::vector<std::pair<Statement*, std::string>> wanted{
      {&all.begin, "BEGIN IMMEDIATE"},
      {&all.commit, "COMMIT"},
      {&all.rollback, "ROLLBACK"},
      {&all.put_event,
       "INSERT INTO events (seq, at_ns, actor, type, request_id, worker, body) VALUES (?, ?, ?, ?, ?, ?, ?)"},
      {&all.users.put, put_sql<farm::User>()},
      {&all.groups.put, put_sql<farm::LimitedGroup>()},
      {&all.tokens.put, put_sql<farm::Token>()},
      {&all.requests.put, put_sql<farm::Request>()},
      {&all.jobs.put, put_sql<StoredJob>()},
      {&all.workers.put, put_sql<farm::Worker>()},
      {&all.creations.put, put_sql<farm::Creation>()},
      {&all.user_keys.put, put_sql<farm::UserKey>()},
      {&all.keys.put, put_sql<StoredKey>()},
      {&all.delete_request, "DELETE FROM requests WHERE id = ?"},
      {&all.delete_job, "DELETE FROM jobs WHERE request_id = ?"},
      {&all.put_forgotten, "INSERT OR REPLACE INTO forgotten (id, last_request, until_ns) VALUES (1, ?, ?)"},
      {&all.delete_worker, "DELETE FROM workers WHERE uuid = ?"},
      {&all.delete_creation, "DELETE FROM creations WHERE request_id = ?"},
      {&all.delete_key, "DELETE FROM keys WHERE worker = ?"},
      {&all.read_all, fmt::format(fmt::runtime(read), "")},
      {&all.read_request, fmt::format(fmt::runtime(read), "AND request_id = ?3")},
      {&all.read_worker, fmt::format(fmt::runtime(read), "AND worker = ?4")},
      {&all.read_both, fmt::format(fmt::runtime(read), "AND request_id = ?3 AND worker = ?4")},
  };
  for (const auto& [statement, sql] : wanted) {
    auto prepared = database.prepare(sql);
    if (!prepared) return std::unexpected(prepared.error());
    *statement = std::move(*prepared);
  }
  return all;
}

class SqliteJournal final : public Journal {
 public:
  static std::expected<std::unique_ptr<Journal>, StoreError> open(const std::filesystem::path& directory);

  SqliteJournal(const SqliteJournal&) = delete;
  SqliteJournal& operator=(const SqliteJournal&) = delete;
  ~SqliteJournal() override;

  std::expected<Loaded, StoreError> load() override;
  std::expected<void, StoreError> append(const EventBatch& batch) override;
  std::expected<farm::Events, StoreError> read(const EventQuery& query) override;
  std::expected<std::optional<farm::Rows>, StoreError> read_checkpoint() override { return past_->read_checkpoint(); }
  std::expected<Tidied, StoreError> tidy(const TidyOrder& order, std::size_t most) override {
    return past_->tidy(order, last_seq_, most);
  }
  std::expected<void, StoreError> scrub() override;
  std::expected<std::unique_ptr<Backup>, StoreError> begin_backup(const std::filesystem::path& file) override {
    return SqliteBackup::begin(database_, file);
  }
  [[nodiscard]] EventSeq last_seq() const override { return last_seq_; }

 private:
  SqliteJournal(DataDirectory directory, Database database)
      : directory_(std::move(directory)), database_(std::move(database)) {}

  std::expected<void, StoreError> prepare();

  bool write(const EventBatch& batch);
  bool write_event(const farm::Event& event);
  bool write_request(const farm::Request& request);
  bool erase_requests(const EventBatch& batch);
  template <class Row>
  static bool write_row(Table<Row>& table, const Row& row, std::int64_t demand_id = 0);
  template <class Row>
  static bool write_rows(Table<Row>& table, const std::vector<Row>& rows);
  static bool erase(Statement& statement, const WorkerUuid& worker);
  static bool erase(Statement& statement, RequestId request);

  StoreError take_back(std::string_view doing);
  StoreError after_failed_commit();

  template <class Row, class Take>
  std::expected<void, StoreError> load_table(const Table<Row>& table, Take take);
  std::expected<void, StoreError> load_requests(std::vector<farm::Request>& requests);
  std::expected<void, StoreError> load_forgotten(farm::Rows& rows);
  Statement& select_for(const EventQuery& query);
  std::expected<farm::Event, StoreError> event_of(const Statement& row) const;

  // The order of destruction matters: the lock goes last.
  DataDirectory directory_;
  Database database_;
  std::optional<DemandTable> demands_;
  std::optional<SqlitePast> past_;
  Statements statements_;
  EventSeq last_seq_;
};

std::expected<std::unique_ptr<Journal>, StoreError> SqliteJournal::open(const std::filesystem::path& directory) {
  auto held = DataDirectory::open(directory);
  if (!held) return std::unexpected(held.error());
  auto database = Database::open(held->database_file());
  if (!database) return std::unexpected(database.error());
  if (auto ready = set_up(*database); !ready) return std::unexpected(ready.error());
  std::unique_ptr<SqliteJournal> journal(new SqliteJournal(std::move(*held), std::move(*database)));
  if (auto prepared = journal->prepare(); !prepared) return std::unexpected(prepared.error());
  return journal;
}

std::expected<void, StoreError> SqliteJournal::prepare() {
  auto demands = DemandTable::prepare(database_);
  if (!demands) return std::unexpected(demands.error());
  demands_.emplace(std::move(*demands));
  auto statements = prepare_all(database_);
  if (!statements) return std::unexpected(statements.error());
  statements_ = std::move(*statements);
  const auto last = database_.number("SELECT coalesce(max(seq), 0) FROM events");
  if (!last) return std::unexpected(last.error());
  last_seq_ = EventSeq{static_cast<std::uint64_t>(*last)};
  auto past = SqlitePast::prepare(database_, *demands_, last_seq_);
  if (!past) return std::unexpected(past.error());
  past_.emplace(std::move(*past));
  return {};
}

SqliteJournal::~SqliteJournal() {
  // Leaves nothing of deleted keys in the log. If it cannot be done now, the next start empties the log.
  const auto emptied = scrub();
  static_cast<void>(emptied);
}

/// In the file they are zeros since they were deleted; what the log shows of them goes when it is emptied into the file
/// and cut off.
std::expected<void, StoreError> SqliteJournal::scrub() {
  const auto busy = database_.number("PRAGMA wal_checkpoint(TRUNCATE)");
  if (!busy) return std::unexpected(busy.error());
  if (*busy != 0) {
    return std::unexpected(StoreError{.code = StoreErrorCode::kBusy, .message = "the log is in use, it stays"});
  }
  return {};
}

std::expected<void, StoreError> SqliteJournal::append(const EventBatch& batch) {
  BORUTA_ASSERT(batch.first_seq.value == last_seq_.value + 1);
  if (!statements_.begin.run()) return std::unexpected(database_.failure("begin a transaction"));
  if (!write(batch)) return std::unexpected(take_back("write"));
  if (!statements_.commit.run()) return std::unexpected(after_failed_commit());
  last_seq_ = batch.last_seq();
  return {};
}

bool SqliteJournal::write(const EventBatch& batch) {
  auto expected = batch.first_seq;
  for (const auto& event : batch.events) {
    BORUTA_ASSERT(event.seq == expected);
    ++expected.value;
    if (!write_event(event)) return false;
  }
  for (const auto& worker : batch.deleted_workers) {
    if (!erase(statements_.delete_worker, worker)) return false;
  }
  for (const auto& worker : batch.deleted_keys) {
    if (!erase(statements_.delete_key, worker)) return false;
  }
  for (const auto request : batch.deleted_creations) {
    if (!erase(statements_.delete_creation, request)) return false;
  }
  if (!erase_requests(batch)) return false;
  for (const auto& request : batch.requests) {
    if (!write_request(request)) return false;
  }
  return write_rows(statements_.users, batch.users) && write_rows(statements_.groups, batch.groups) &&
         write_rows(statements_.tokens, batch.tokens) && write_rows(statements_.workers, batch.workers) &&
         write_rows(statements_.creations, batch.creations) && write_rows(statements_.user_keys, batch.user_keys) &&
         write_rows(statements_.keys, batch.put_keys) && past_->follow(batch);
}

bool SqliteJournal::write_event(const farm::Event& event) {
  auto& put = statements_.put_event;
  const auto encoded = encode_event_body(event.body);
  const auto actor = encode_actor(event.actor);
  const auto request = farm::request_of(event.body);
  const auto worker = farm::worker_of(event.body);
  int index = 0;
  put.bind(++index, static_cast<std::int64_t>(event.seq.value));
  put.bind(++index, event.at.time_since_epoch().count());
  put.bind_text(++index, actor);
  put.bind_text(++index, encoded.type);
  if (request) {
    put.bind(++index, static_cast<std::int64_t>(request->value));
  } else {
    put.bind_null(++index);
  }
  if (worker) {
    put.bind_blob(++index, worker->bytes());
  } else {
    put.bind_null(++index);
  }
  put.bind_text(++index, encoded.json);
  return put.run();
}

bool SqliteJournal::erase_requests(const EventBatch& batch) {
  for (const auto request : batch.deleted_requests) {
    if (!erase(statements_.delete_request, request) || !erase(statements_.delete_job, request)) return false;
  }
  if (!batch.forgotten) return true;
  auto& put = statements_.put_forgotten;
  put.bind(1, static_cast<std::int64_t>(batch.forgotten->last_request.value));
  put.bind(2, batch.forgotten->until.time_since_epoch().count());
  return put.run();
}

bool SqliteJournal::write_request(const farm::Request& request) {
  const auto demand_id = demands_->id_of(*request.demand);
  if (!demand_id || !write_row(statements_.requests, request, *demand_id)) return false;
  return !request.job || write_row(statements_.jobs, StoredJob{.request = request.id, .job = *request.job});
}

template <class Row>
bool SqliteJournal::write_row(Table<Row>& table, const Row& row, std::int64_t demand_id) {
  RowBinder binder(table.put, demand_id);
  Columns<Row>::each(binder, row);
  return table.put.run();
}

template <class Row>
bool SqliteJournal::write_rows(Table<Row>& table, const std::vector<Row>& rows) {
  for (const auto& row : rows) {
    if (!write_row(table, row)) return false;
  }
  return true;
}

bool SqliteJournal::erase(Statement& statement, const WorkerUuid& worker) {
  statement.bind_blob(1, worker.bytes());
  return statement.run();
}

bool SqliteJournal::erase(Statement& statement, RequestId request) {
  statement.bind(1, static_cast<std::int64_t>(request.value));
  return statement.run();
}

/// After a failure before COMMIT: nothing of the batch is in the log's committed part.
StoreError SqliteJournal::take_back(std::string_view doing) {
  auto error = database_.failure(doing);
  demands_->forget_ids();
  // Some failures have rolled back already.
  if (database_.in_transaction() && !statements_.rollback.run() && database_.in_transaction()) {
    error.code = StoreErrorCode::kUnknown;
    error.message += "; the transaction could not be taken back";
  }
  return error;
}

/// COMMIT writes to the log and syncs it. When the disk is full it stops before the end of the transaction is written,
/// and when busy before anything is. Any other failure may have come later: then a restart could find the transaction
/// whole in the log, and only it can tell.
StoreError SqliteJournal::after_failed_commit() {
  const int code = database_.last_primary_code();
  auto error = take_back("commit");
  if (code != SQLITE_FULL && code != SQLITE_BUSY) error.code = StoreErrorCode::kUnknown;
  return error;
}

std::expected<Loaded, StoreError> SqliteJournal::load() {
  Loaded loaded;
  loaded.rows.last_event = last_seq_;
  const auto into = [](auto& rows) {
    return [&rows](auto&& row) { rows.push_back(std::forward<decltype(row)>(row)); };
  };
  if (auto done = load_table(statements_.users, into(loaded.rows.users)); !done) return std::unexpected(done.error());
  if (auto done = load_table(statements_.groups, into(loaded.rows.groups)); !done) return std::unexpected(done.error());
  if (auto done = load_table(statements_.tokens, into(loaded.rows.tokens)); !done) return std::unexpected(done.error());
  if (auto done = load_table(statements_.workers, into(loaded.rows.workers)); !done) {
    return std::unexpected(done.error());
  }
  if (auto done = load_table(statements_.creations, into(loaded.rows.creations)); !done) {
    return std::unexpected(done.error());
  }
  if (auto done = load_table(statements_.user_keys, into(loaded.rows.user_keys)); !done) {
    return std::unexpected(done.error());
  }
  if (auto done = load_table(statements_.keys, into(loaded.keys)); !done) return std::unexpected(done.error());
  if (auto done = load_requests(loaded.rows.requests); !done) return std::unexpected(done.error());
  if (auto done = load_forgotten(loaded.rows); !done) return std::unexpected(done.error());
  if (last_seq_.value > 0) {
    const auto at = database_.number("SELECT at_ns FROM events ORDER BY seq DESC LIMIT 1");
    if (!at) return std::unexpected(at.error());
    loaded.last_event_at = Instant(Duration(*at));
  }
  return loaded;
}

template <class Row, class Take>
std::expected<void, StoreError> SqliteJournal::load_table(const Table<Row>& table, Take take) {
  auto rows = database_.prepare(table.select);
  if (!rows) return std::unexpected(rows.error());
  int code = rows->step();
  for (std::size_t number = 1; code == SQLITE_ROW; code = rows->step(), ++number) {
    Row row{};
    RowReader reader(*rows, *demands_);
    Columns<Row>::each(reader, row);
    if (!reader.wrong_column().empty()) {
      return std::unexpected(database_.corrupt(
          fmt::format("column {} of row {} of {} is wrong", reader.wrong_column(), number, Columns<Row>::kTable)));
    }
    take(std::move(row));
  }
  if (code != SQLITE_DONE) return std::unexpected(database_.failure(table.select));
  return {};
}

std::expected<void, StoreError> SqliteJournal::load_requests(std::vector<farm::Request>& requests) {
  if (auto done = demands_->load(); !done) return done;
  const auto count = database_.number("SELECT count(*) FROM requests");
  if (!count) return std::unexpected(count.error());
  requests.reserve(static_cast<std::size_t>(*count));
  auto done =
      load_table(statements_.requests, [&requests](farm::Request&& row) { requests.push_back(std::move(row)); });
  if (!done) return done;
  if (done = demands_->unload(); !done) return done;

  JobGiver jobs(requests);
  std::optional<RequestId> orphan;
  done = load_table(statements_.jobs, [&](const StoredJob& stored) {
    if (!jobs.give(stored)) orphan = stored.request;
  });
  if (done && orphan) {
    return std::unexpected(database_.corrupt(fmt::format("the job of request {} has no request", orphan->value)));
  }
  return done;
}

std::expected<void, StoreError> SqliteJournal::load_forgotten(farm::Rows& rows) {
  auto row = database_.prepare("SELECT last_request, until_ns FROM forgotten");
  if (!row) return std::unexpected(row.error());
  const int code = row->step();
  if (code != SQLITE_ROW && code != SQLITE_DONE) return std::unexpected(database_.failure("load what is forgotten"));
  if (!rows.requests.empty()) rows.last_request = rows.requests.back().id;
  if (code == SQLITE_DONE) return {};
  rows.last_request = std::max(rows.last_request, RequestId{static_cast<std::uint64_t>(row->integer(0))});
  rows.forgotten_until = Instant(Duration(row->integer(1)));
  return {};
}

Statement& SqliteJournal::select_for(const EventQuery& query) {
  if (query.request && query.worker) return statements_.read_both;
  if (query.request) return statements_.read_request;
  return query.worker ? statements_.read_worker : statements_.read_all;
}

std::expected<farm::Events, StoreError> SqliteJournal::read(const EventQuery& query) {
  farm::Events events;
  if (query.after >= last_seq_) return events;
  constexpr auto kMost = static_cast<std::size_t>(std::numeric_limits<std::int64_t>::max());
  auto& rows = select_for(query);
  rows.bind(1, static_cast<std::int64_t>(query.after.value));
  rows.bind(2, static_cast<std::int64_t>(std::min(query.limit, kMost)));
  if (query.request) rows.bind(3, static_cast<std::int64_t>(query.request->value));
  if (query.worker) rows.bind_blob(4, query.worker->bytes());
  int code = rows.step();
  std::optional<StoreError> error;
  for (; code == SQLITE_ROW && !error; code = rows.step()) {
    auto event = event_of(rows);
    if (event) {
      events.push_back(std::move(*event));
    } else {
      error = event.error();
    }
  }
  if (!error && code != SQLITE_DONE) error = database_.failure("read events");
  rows.reset();
  if (error) return std::unexpected(std::move(*error));
  return events;
}

std::expected<farm::Event, StoreError> SqliteJournal::event_of(const Statement& row) const {
  const EventSeq seq{static_cast<std::uint64_t>(row.integer(0))};
  auto actor = decode_actor(row.text(2));
  if (!actor) return std::unexpected(database_.corrupt(fmt::format("event {}: {}", seq.value, actor.error())));
  auto body = decode_event_body(row.text(3), row.text(4));
  if (!body) return std::unexpected(database_.corrupt(fmt::format("event {}: {}", seq.value, body.error())));
  return farm::Event{
      .seq = seq, .at = Instant(Duration(row.integer(1))), .actor = std::move(*actor), .body = std::move(*body)};
}

}  // namespace

std::expected<std::unique_ptr<Journal>, StoreError> make_sqlite_journal(const std::filesystem::path& directory) {
  return SqliteJournal::open(directory);
}

}  // namespace boruta::store

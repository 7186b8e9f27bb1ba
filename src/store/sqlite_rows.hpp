#pragma once

#include <fmt/format.h>

#include <concepts>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "farm/types.hpp"
#include "store/demands.hpp"
#include "store/journal.hpp"
#include "store/sqlite_database.hpp"

/// Which column holds which member. A table lists its columns once, in `Columns<Row>::each`, and the same list makes
/// the SQL, binds and reads the rows. Lists and registrations are columns of JSON.
namespace boruta::store {

/// A request's job, in a table of its own.
struct StoredJob {
  RequestId request;
  farm::Job job;
};

/// `kTable`, `kKey` (the column that orders the rows) and `each(column, row)`.
template <class Row>
struct Columns;

void each_ceiling_column(auto& column, auto& ceilings) {
  column("ceiling_priority", ceilings.priority);
  column("ceiling_running", ceilings.running);
  column("ceiling_waiting", ceilings.waiting);
}

template <>
struct Columns<farm::User> {
  static constexpr std::string_view kTable = "users";
  static constexpr std::string_view kKey = "id";

  static void each(auto& column, auto& user) {
    column("id", user.id);
    column("name", user.name);
    column("role", user.role);
    column("groups", user.groups);
    each_ceiling_column(column, user.ceilings);
    column("deleted", user.deleted);
  }
};

template <>
struct Columns<farm::LimitedGroup> {
  static constexpr std::string_view kTable = "limited_groups";
  static constexpr std::string_view kKey = "name";

  static void each(auto& column, auto& group) {
    column("name", group.name);
    each_ceiling_column(column, group.ceilings);
  }
};

template <>
struct Columns<farm::Token> {
  static constexpr std::string_view kTable = "tokens";
  static constexpr std::string_view kKey = "id";

  static void each(auto& column, auto& token) {
    column("id", token.id);
    column("hash", token.hash);
    column("name", token.name);
    column("role", token.role);
    column("user_id", token.user);
    column("created_ns", token.created);
    column("expires_ns", token.expires);
    column("reusable", token.reusable);
    column("bound_worker", token.bound);
    column("revoked", token.revoked);
    column("max_workers", token.max_workers);
    column("workers", token.workers);
    column("in_service", token.in_service);
    column("last_used_ns", token.last_used);
  }
};

template <>
struct Columns<farm::UserKey> {
  static constexpr std::string_view kTable = "user_keys";
  static constexpr std::string_view kKey = "id";

  static void each(auto& column, auto& key) {
    column("id", key.id);
    column("user_id", key.user);
    column("name", key.name);
    column("public_key", key.public_key);
    column("fingerprint", key.fingerprint);
    column("created_ns", key.created);
    column("removed", key.removed);
  }
};

template <>
struct Columns<farm::Creation> {
  static constexpr std::string_view kTable = "creations";
  static constexpr std::string_view kKey = "request_id";

  static void each(auto& column, auto& creation) {
    column("request_id", creation.request);
    column("owner_id", creation.owner);
    column("key", creation.key);
    column("body_hash", creation.body_hash);
    column("at_ns", creation.at);
  }
};

/// Without the job.
template <>
struct Columns<farm::Request> {
  static constexpr std::string_view kTable = "requests";
  static constexpr std::string_view kKey = "id";

  static void each(auto& column, auto& request) {
    column("id", request.id);
    column("owner_id", request.owner);
    column("priority", request.priority);
    column("state", request.state);
    column("was_servable", request.was_servable);
    column("demand_id", request.demand);
    column("valid_after_ns", request.valid_after.at);
    column("valid_after_offset_minutes", request.valid_after.offset_minutes);
    column("deadline_ns", request.deadline.at);
    column("deadline_offset_minutes", request.deadline.offset_minutes);
    column("created_ns", request.created);
    column("changed_ns", request.changed);
    column("lease_ns", request.lease);
    column("claim_within_ns", request.claim_within);
    column("reason", request.reason);
    column("last_event", request.last_event);
  }
};

template <>
struct Columns<StoredJob> {
  static constexpr std::string_view kTable = "jobs";
  static constexpr std::string_view kKey = "request_id";

  static void each(auto& column, auto& stored) {
    column("request_id", stored.request);
    column("worker", stored.job.worker);
    column("started_ns", stored.job.started);
    column("timeout_ns", stored.job.timeout);
    column("timeout_max_ns", stored.job.timeout_max);
    column("claim_by_ns", stored.job.claim_by);
    column("paused_since_ns", stored.job.paused_since);
    column("pause_used_ns", stored.job.pause_used);
    column("tunnel_port", stored.job.tunnel_port);
    column("granted", stored.job.granted);
    column("overdue", stored.job.overdue);
    column("own_keys", stored.job.own_keys);
  }
};

template <>
struct Columns<farm::Worker> {
  static constexpr std::string_view kTable = "workers";
  static constexpr std::string_view kKey = "uuid";

  static void each(auto& column, auto& worker) {
    column("uuid", worker.uuid);
    column("state", worker.state);
    column("generation", worker.generation);
    column("registration", worker.registration);
    column("groups", worker.groups);
    column("instance", worker.instance);
    column("connected", worker.connected);
    column("lost", worker.lost);
    column("dirty", worker.dirty);
    column("untold", worker.untold);
    column("needs_full_check", worker.needs_full_check);
    column("draining", worker.draining);
    column("drain_reason", worker.drain_reason);
    column("drain_by", worker.drain_by);
    column("pending", worker.pending);
    column("respond_by_ns", worker.respond_by);
    column("lost_at_ns", worker.lost_at);
    column("job_request_id", worker.job);
    column("username", worker.username);
    column("key_fingerprint", worker.key_fingerprint);
    column("changed_ns", worker.changed);
    column("reason", worker.reason);
    column("changed_by", worker.changed_by);
    column("idle_since", worker.idle_since);
    column("last_event", worker.last_event);
  }
};

template <>
struct Columns<StoredKey> {
  static constexpr std::string_view kTable = "keys";
  static constexpr std::string_view kKey = "worker";

  static void each(auto& column, auto& key) {
    column("worker", key.worker);
    column("pem", key.pem);
  }
};

/// Binds the members of a row to a statement, in the order of the columns. The row must live until `reset`.
class RowBinder {
 public:
  /// `demand_id` stands for the request's demand in its table; the first member is bound at `first`.
  explicit RowBinder(Statement& statement, std::int64_t demand_id = 0, int first = 1)
      : statement_(&statement), demand_id_(demand_id), index_(first) {}

  template <class Value>
  void operator()(std::string_view /*name*/, const Value& value) {
    put(index_++, value);
  }

 private:
  template <std::integral Number>
  void put(int index, Number value) {
    statement_->bind(index, static_cast<std::int64_t>(value));
  }
  template <class Tag>
  void put(int index, NumericId<Tag> id) {
    put(index, id.value);
  }
  template <class Enum>
    requires std::is_enum_v<Enum>
  void put(int index, Enum value) {
    statement_->bind_text(index, to_string(value));
  }
  template <class Value>
  void put(int index, const std::optional<Value>& value) {
    if (value) {
      put(index, *value);
    } else {
      statement_->bind_null(index);
    }
  }
  void put(int index, farm::Priority priority) { put(index, priority.value); }
  void put(int index, Duration duration) { put(index, duration.count()); }
  void put(int index, Instant instant) { put(index, instant.time_since_epoch()); }
  void put(int index, const WorkerUuid& uuid) { statement_->bind_blob(index, uuid.bytes()); }
  void put(int index, const std::string& text) { statement_->bind_text(index, text); }
  void put(int index, const Secret& secret);
  void put(int index, const Groups& groups);
  void put(int index, const std::vector<WorkerUuid>& workers);
  void put(int index, const farm::Registration& registration);
  void put(int index, const SharedDemand& /*demand*/) { put(index, demand_id_); }

  Statement* statement_;
  std::int64_t demand_id_;
  int index_;
};

/// Reads the members of a row from a statement that stands on one, in the order of the columns.
class RowReader {
 public:
  RowReader(const Statement& statement, DemandTable& demands) : statement_(&statement), demands_(&demands) {}

  template <class Value>
  void operator()(std::string_view name, Value& value) {
    if (!get(index_++, value) && wrong_column_.empty()) wrong_column_ = name;
  }

  /// The first column whose value cannot be understood; empty: none.
  [[nodiscard]] std::string_view wrong_column() const { return wrong_column_; }

 private:
  template <std::integral Number>
  bool get(int column, Number& number) {
    const auto value = statement_->integer(column);
    if constexpr (std::is_same_v<Number, std::uint64_t>) {
      number = static_cast<std::uint64_t>(value);  // ids beyond the signed range are kept as negative numbers
      return true;
    } else {
      number = static_cast<Number>(value);
      return static_cast<std::int64_t>(number) == value;
    }
  }
  template <class Tag>
  bool get(int column, NumericId<Tag>& id) {
    return get(column, id.value);
  }
  template <class Value>
  bool get(int column, std::optional<Value>& value) {
    if (statement_->is_null(column)) return true;
    return get(column, value.emplace());
  }
  bool get(int column, farm::Priority& priority) { return get(column, priority.value); }
  bool get(int column, Duration& duration) {
    duration = Duration(statement_->integer(column));
    return true;
  }
  bool get(int column, Instant& instant) {
    instant = Instant(Duration(statement_->integer(column)));
    return true;
  }
  bool get(int column, std::string& text) {
    text = statement_->text(column);
    return true;
  }
  bool get(int column, farm::RequestState& state);
  bool get(int column, farm::WorkerState& state);
  bool get(int column, farm::Role& role);
  bool get(int column, WorkerUuid& uuid);
  bool get(int column, Secret& secret);
  bool get(int column, Groups& groups);
  bool get(int column, std::vector<WorkerUuid>& workers);
  bool get(int column, farm::Registration& registration);
  bool get(int column, SharedDemand& demand);

  const Statement* statement_;
  DemandTable* demands_;
  int index_ = 0;
  std::string_view wrong_column_;
};

/// Gives requests their jobs. Both come in the order of their keys, so one pass over each is enough.
class JobGiver {
 public:
  explicit JobGiver(std::vector<farm::Request>& requests) : next_(requests.begin()), end_(requests.end()) {}

  /// False: there is no such request.
  [[nodiscard]] bool give(const StoredJob& stored) {
    while (next_ != end_ && next_->id < stored.request) ++next_;
    if (next_ == end_ || next_->id != stored.request) return false;
    next_->job = stored.job;
    return true;
  }

 private:
  std::vector<farm::Request>::iterator next_;
  std::vector<farm::Request>::iterator end_;
};

/// The names of a table's columns, as SQL lists them.
class ColumnNames {
 public:
  template <class Value>
  void operator()(std::string_view name, const Value& /*value*/) {
    names_ += names_.empty() ? "" : ", ";
    marks_ += marks_.empty() ? "?" : ", ?";
    names_ += name;
  }

  [[nodiscard]] const std::string& names() const { return names_; }
  [[nodiscard]] const std::string& marks() const { return marks_; }

 private:
  std::string names_;
  std::string marks_;
};

/// "INSERT OR REPLACE INTO users (id, …) VALUES (?, …)".
template <class Row>
std::string put_sql() {
  const Row row{};
  ColumnNames columns;
  Columns<Row>::each(columns, row);
  return fmt::format("INSERT OR REPLACE INTO {} ({}) VALUES ({})", Columns<Row>::kTable, columns.names(),
                     columns.marks());
}

/// "SELECT id, … FROM users ORDER BY id".
template <class Row>
std::string select_sql() {
  const Row row{};
  ColumnNames columns;
  Columns<Row>::each(columns, row);
  return fmt::format("SELECT {} FROM {} ORDER BY {}", columns.names(), Columns<Row>::kTable, Columns<Row>::kKey);
}

}  // namespace boruta::store

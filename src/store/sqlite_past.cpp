#include "store/sqlite_past.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "store/state_codec.hpp"

namespace boruta::store {
namespace {

/// As long as less than this part of a file is empty it stays as large as it is: what comes next goes there.
constexpr std::int64_t kEmptyPart = 4;
/// Of a small file nothing is worth giving back.
constexpr std::int64_t kFewPages = 1'024;

std::int64_t number_of(EventSeq seq) { return static_cast<std::int64_t>(seq.value); }

}  // namespace

std::expected<SqlitePast, StoreError> SqlitePast::prepare(Database& database, EventSeq last) {
  SqlitePast past(database);
  const std::vector<std::pair<Statement*, std::string_view>> wanted{
      {&past.put_, "INSERT INTO checkpoints (seq, at_ns, state) VALUES (?, ?, ?)"},
      {&past.select_, "SELECT state FROM checkpoints WHERE seq = ?"},
      {&past.delete_events_, "DELETE FROM events WHERE seq < ?"},
      {&past.delete_checkpoints_, "DELETE FROM checkpoints WHERE seq < ?"},
  };
  for (const auto& [statement, sql] : wanted) {
    auto prepared = database.prepare(sql);
    if (!prepared) return std::unexpected(prepared.error());
    *statement = std::move(*prepared);
  }
  const auto first = database.number(fmt::format("SELECT coalesce(min(seq), {}) FROM events", last.value + 1));
  if (!first) return std::unexpected(first.error());
  past.first_ = EventSeq{static_cast<std::uint64_t>(*first)};
  return past;
}

bool SqlitePast::put_checkpoint(const farm::Event& event, const farm::Rows& state) {
  const auto text = encode_state(state);
  put_.bind(1, number_of(event.seq));
  put_.bind(2, event.at.time_since_epoch().count());
  put_.bind_text(3, text);
  return put_.run();
}

std::expected<std::optional<farm::Rows>, StoreError> SqlitePast::read_checkpoint(EventSeq seq) {
  select_.bind(1, number_of(seq));
  const int code = select_.step();
  std::expected<std::optional<farm::Rows>, StoreError> found;
  if (code == SQLITE_ROW) {
    auto state = decode_state(select_.text(0));
    if (state) {
      found = std::move(*state);
    } else {
      found = std::unexpected(database_->corrupt(fmt::format("event {}: {}", seq.value, state.error())));
    }
  } else if (code != SQLITE_DONE) {
    found = std::unexpected(database_->failure("read a checkpoint"));
  }
  select_.reset();
  return found;
}

std::expected<Tidied, StoreError> SqlitePast::tidy(Instant until, std::size_t most) {
  const auto horizon = database_->number(
      fmt::format("SELECT coalesce(max(seq), 0) FROM checkpoints WHERE at_ns <= {}", until.time_since_epoch().count()));
  if (!horizon) return std::unexpected(horizon.error());
  const EventSeq wanted{static_cast<std::uint64_t>(*horizon)};
  Tidied tidied;
  if (first_ < wanted) {
    const EventSeq end{std::min<std::uint64_t>(wanted.value, first_.value + most)};
    if (auto done = forget_before(end); !done) return std::unexpected(done.error());
    tidied.more = true;
  } else {
    const auto more = shrink(most);
    if (!more) return std::unexpected(more.error());
    tidied.more = *more;
  }
  const auto newest = database_->number("SELECT coalesce(max(at_ns), 0) FROM checkpoints");
  if (!newest) return std::unexpected(newest.error());
  if (*newest != 0) tidied.checkpoint_at = Instant(Duration(*newest));
  tidied.first = first_;
  return tidied;
}

std::expected<void, StoreError> SqlitePast::forget_before(EventSeq end) {
  delete_events_.bind(1, number_of(end));
  delete_checkpoints_.bind(1, number_of(end));
  auto done = database_->execute("forget events", "BEGIN IMMEDIATE");
  if (!done) return done;
  if (!delete_events_.run() || !delete_checkpoints_.run()) {
    done = std::unexpected(database_->failure("forget events"));
  } else {
    done = database_->execute("forget events", "COMMIT");
  }
  if (done) {
    first_ = end;
  } else if (database_->in_transaction()) {
    // Whether or not it went is of no account: the next call begins where the file then is.
    const auto rolled_back = database_->execute("forget events", "ROLLBACK");
    static_cast<void>(rolled_back);
  }
  return done;
}

std::expected<bool, StoreError> SqlitePast::shrink(std::size_t most) {
  const auto pages = database_->number("PRAGMA page_count");
  if (!pages) return std::unexpected(pages.error());
  const auto empty = database_->number("PRAGMA freelist_count");
  if (!empty) return std::unexpected(empty.error());
  const auto surplus = *empty - std::max(kFewPages, *pages / kEmptyPart);
  if (surplus <= 0) return false;
  const auto some = std::min<std::int64_t>(surplus, static_cast<std::int64_t>(most));
  if (auto done = database_->execute("shrink", fmt::format("PRAGMA incremental_vacuum({})", some)); !done) {
    return std::unexpected(done.error());
  }
  return true;
}

}  // namespace boruta::store

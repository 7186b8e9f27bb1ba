#include "store/sqlite_past.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <utility>

namespace boruta::store {
namespace {

/// As long as less than this part of a file is empty it stays as large as it is: what comes next goes there.
constexpr std::int64_t kEmptyPart = 4;
/// Of a small file nothing is worth giving back.
constexpr std::int64_t kFewPages = 1'024;

std::int64_t number_of(EventSeq seq) { return static_cast<std::int64_t>(seq.value); }

}  // namespace

std::expected<SqlitePast, StoreError> SqlitePast::prepare(Database& database, DemandTable& demands, EventSeq last) {
  auto checkpoints = Checkpoints::prepare(database, demands);
  if (!checkpoints) return std::unexpected(checkpoints.error());
  SqlitePast past(database, std::move(*checkpoints));
  auto delete_events = database.prepare("DELETE FROM events WHERE seq < ?");
  if (!delete_events) return std::unexpected(delete_events.error());
  past.delete_events_ = std::move(*delete_events);
  const auto first = database.number(fmt::format("SELECT coalesce(min(seq), {}) FROM events", last.value + 1));
  if (!first) return std::unexpected(first.error());
  past.first_ = EventSeq{static_cast<std::uint64_t>(*first)};
  return past;
}

std::expected<Tidied, StoreError> SqlitePast::tidy(const TidyOrder& order, EventSeq last, std::size_t most) {
  const auto more = tidy_some(order, last, most);
  if (!more) return std::unexpected(more.error());
  return Tidied{.more = *more, .first = first_};
}

std::expected<bool, StoreError> SqlitePast::tidy_some(const TidyOrder& order, EventSeq last, std::size_t most) {
  if (auto cleared = checkpoints_.clear(most); !cleared || *cleared) return cleared;
  const auto due = checkpoints_.under_way() ? true : is_checkpoint_due(order.checkpoint_since, last);
  if (!due) return due;
  if (*due) {
    const auto advanced = checkpoints_.advance(order.now, last, most);
    if (!advanced) return std::unexpected(advanced.error());
    return true;
  }
  if (auto forgotten = forget(order.forget_until, most); !forgotten || *forgotten) return forgotten;
  return shrink(most);
}

std::expected<bool, StoreError> SqlitePast::is_checkpoint_due(Instant since, EventSeq last) {
  if (since == Instant::min()) return false;
  const auto recent = database_->number(fmt::format("SELECT count(*) FROM checkpoints WHERE at_ns >= {} OR seq = {}",
                                                    since.time_since_epoch().count(), number_of(last)));
  if (!recent) return std::unexpected(recent.error());
  return *recent == 0;
}

std::expected<bool, StoreError> SqlitePast::forget(Instant until, std::size_t most) {
  const auto horizon = database_->number(
      fmt::format("SELECT coalesce(max(seq), 0) FROM checkpoints WHERE at_ns <= {}", until.time_since_epoch().count()));
  if (!horizon) return std::unexpected(horizon.error());
  const EventSeq wanted{static_cast<std::uint64_t>(*horizon)};
  if (first_ >= wanted) return false;
  const EventSeq end{std::min<std::uint64_t>(wanted.value, first_.value + most)};
  const auto done = database_->transact("forget events", [&]() -> std::expected<void, StoreError> {
    delete_events_.bind(1, number_of(end));
    if (delete_events_.run() && checkpoints_.drop_before(end)) return {};
    return std::unexpected(database_->failure("forget events"));
  });
  if (!done) return std::unexpected(done.error());
  first_ = end;
  return true;
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

#include "store/memory_journal.hpp"

#include <algorithm>
#include <utility>

#include "base/assert.hpp"

namespace boruta::store {
namespace {

auto key_of(const farm::User& user) { return user.id; }
auto key_of(const farm::LimitedGroup& group) { return group.name; }
auto key_of(const farm::Token& token) { return token.id; }
auto key_of(const farm::Request& request) { return request.id; }
auto key_of(const farm::Worker& worker) { return worker.uuid; }
auto key_of(const farm::Creation& creation) { return creation.request; }
auto key_of(const farm::UserKey& key) { return key.id; }
auto key_of(const StoredKey& key) { return key.worker; }

template <class Key, class Row>
void put(std::map<Key, Row>& table, const std::vector<Row>& rows) {
  for (const auto& row : rows) table.insert_or_assign(key_of(row), row);
}

template <class Key, class Row>
std::vector<Row> rows_of(const std::map<Key, Row>& table) {
  std::vector<Row> rows;
  rows.reserve(table.size());
  for (const auto& [key, row] : table) rows.push_back(row);
  return rows;
}

bool matches(const farm::Event& event, const EventQuery& query) {
  return (!query.request || farm::request_of(event.body) == query.request) &&
         (!query.worker || farm::worker_of(event.body) == query.worker);
}

}  // namespace

MemoryJournal::MemoryJournal(const Loaded& start, farm::Events history)
    : events_(std::move(history)),
      last_seq_(start.rows.last_event),
      last_event_at_(start.last_event_at),
      last_request_(start.rows.last_request),
      forgotten_until_(start.rows.forgotten_until) {
  BORUTA_ASSERT(events_.empty() || events_.back().seq == last_seq_);
  put(users_, start.rows.users);
  put(groups_, start.rows.groups);
  put(tokens_, start.rows.tokens);
  put(requests_, start.rows.requests);
  put(workers_, start.rows.workers);
  put(creations_, start.rows.creations);
  put(user_keys_, start.rows.user_keys);
  put(keys_, start.keys);
}

std::expected<Loaded, StoreError> MemoryJournal::load() {
  return Loaded{
      .rows = {.users = rows_of(users_),
               .groups = rows_of(groups_),
               .tokens = rows_of(tokens_),
               .requests = rows_of(requests_),
               .workers = rows_of(workers_),
               .creations = rows_of(creations_),
               .user_keys = rows_of(user_keys_),
               .last_event = last_seq_,
               .last_request = requests_.empty() ? last_request_ : std::max(last_request_, requests_.rbegin()->first),
               .forgotten_until = forgotten_until_},
      .keys = rows_of(keys_),
      .last_event_at = last_event_at_};
}

std::expected<void, StoreError> MemoryJournal::append(const EventBatch& batch) {
  BORUTA_ASSERT(batch.first_seq.value == last_seq_.value + 1);
  for (const auto& event : batch.events) {
    ++last_seq_.value;
    BORUTA_ASSERT(event.seq == last_seq_);
    last_event_at_ = event.at;
    events_.push_back(event);
  }
  for (const auto& request : batch.deleted_requests) requests_.erase(request);
  if (batch.forgotten) {
    last_request_ = batch.forgotten->last_request;
    forgotten_until_ = batch.forgotten->until;
  }
  for (const auto& worker : batch.deleted_workers) workers_.erase(worker);
  for (const auto& request : batch.deleted_creations) creations_.erase(request);
  for (const auto& worker : batch.deleted_keys) keys_.erase(worker);
  put(users_, batch.users);
  put(groups_, batch.groups);
  put(tokens_, batch.tokens);
  put(requests_, batch.requests);
  put(workers_, batch.workers);
  put(creations_, batch.creations);
  put(user_keys_, batch.user_keys);
  put(keys_, batch.put_keys);
  return {};
}

std::expected<farm::Events, StoreError> MemoryJournal::read(const EventQuery& query) {
  farm::Events found;
  auto event = std::ranges::upper_bound(events_, query.after, {}, &farm::Event::seq);
  for (; event != events_.end() && found.size() < query.limit; ++event) {
    if (matches(*event, query)) found.push_back(*event);
  }
  return found;
}

std::expected<std::optional<farm::Rows>, StoreError> MemoryJournal::read_checkpoint() {
  return checkpoints_.empty() ? std::nullopt : std::optional(checkpoints_.rbegin()->second.rows);
}

void MemoryJournal::make_checkpoint(Instant now) {
  auto rows = load()->rows;
  std::erase_if(rows.requests, [](const farm::Request& request) { return farm::is_terminal(request.state); });
  checkpoints_[last_seq_] = {.at = now, .rows = std::move(rows)};
}

std::expected<Tidied, StoreError> MemoryJournal::tidy(const TidyOrder& order, std::size_t most) {
  const bool due = checkpoints_.empty() ? order.checkpoint_since > Instant::min()
                                        : checkpoints_.rbegin()->second.at < order.checkpoint_since &&
                                              checkpoints_.rbegin()->first < last_seq_;
  if (due) make_checkpoint(order.now);
  EventSeq horizon;
  for (const auto& [seq, checkpoint] : checkpoints_) {
    if (checkpoint.at <= order.forget_until) horizon = seq;
  }
  const auto kept = std::ranges::lower_bound(events_, horizon, {}, &farm::Event::seq);
  const auto forgotten = std::min(kept - events_.begin(), static_cast<std::ptrdiff_t>(most));
  events_.erase(events_.begin(), events_.begin() + forgotten);
  const EventSeq first{last_seq_.value + 1 - events_.size()};
  std::erase_if(checkpoints_, [first](const auto& entry) { return entry.first < first; });
  return Tidied{.more = first < horizon, .first = first};
}

std::expected<std::unique_ptr<Backup>, StoreError> MemoryJournal::begin_backup(const std::filesystem::path& /*file*/) {
  return std::unexpected(
      StoreError{.code = StoreErrorCode::kBusy, .message = "a journal in memory has no file that could be copied"});
}

}  // namespace boruta::store

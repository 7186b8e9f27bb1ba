#pragma once

#include <map>
#include <optional>

#include "store/journal.hpp"

namespace boruta::store {

/// Keeps everything in memory, for tests and trials. To restart a server on it, hand it to the next one: `load` gives
/// what was appended so far.
class MemoryJournal final : public Journal {
 public:
  MemoryJournal() = default;
  /// Begins with `start`, as if `history` had led there.
  explicit MemoryJournal(const Loaded& start, farm::Events history = {});

  std::expected<Loaded, StoreError> load() override;
  std::expected<void, StoreError> append(const EventBatch& batch) override;
  std::expected<farm::Events, StoreError> read(const EventQuery& query) override;
  std::expected<std::optional<farm::Rows>, StoreError> read_checkpoint() override;
  /// A checkpoint is made at once.
  std::expected<Tidied, StoreError> tidy(const TidyOrder& order, std::size_t most) override;
  /// Memory forgets at once.
  std::expected<void, StoreError> scrub() override { return {}; }
  /// There is no file to copy: kBusy.
  std::expected<std::unique_ptr<Backup>, StoreError> begin_backup(const std::filesystem::path& file) override;
  [[nodiscard]] EventSeq last_seq() const override { return last_seq_; }

  [[nodiscard]] const std::map<RequestId, farm::Request>& requests() const { return requests_; }

 private:
  struct StoredCheckpoint {
    Instant at{};
    farm::Rows rows;
  };

  void make_checkpoint(Instant now);

  farm::Events events_;
  std::map<EventSeq, StoredCheckpoint> checkpoints_;
  std::map<UserId, farm::User> users_;
  std::map<std::string, farm::LimitedGroup> groups_;
  std::map<TokenId, farm::Token> tokens_;
  std::map<RequestId, farm::Creation> creations_;
  std::map<farm::UserKeyId, farm::UserKey> user_keys_;
  std::map<RequestId, farm::Request> requests_;
  std::map<WorkerUuid, farm::Worker> workers_;
  std::map<WorkerUuid, StoredKey> keys_;
  EventSeq last_seq_;
  std::optional<Instant> last_event_at_;
  RequestId last_request_;
  std::optional<Instant> forgotten_until_;
};

}  // namespace boruta::store

#pragma once

#include <cstddef>
#include <cstdint>
#include <expected>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/secret.hpp"
#include "farm/events.hpp"
#include "farm/rows.hpp"

namespace boruta::store {

enum class StoreErrorCode : std::uint8_t {
  kBusy,     ///< nothing was written; retry unchanged (also disk full)
  kFenced,   ///< another server owns the journal: the process must exit
  kUnknown,  ///< the outcome is unknown: the process must exit, a restart loads what was committed
  kCorrupt,  ///< what is stored cannot be read; `message` says what to do
};

struct StoreError {
  StoreErrorCode code = StoreErrorCode::kUnknown;
  std::string message;
};

/// A worker's private key, by the worker it opens. Kept nowhere else on disk.
struct StoredKey {
  WorkerUuid worker;
  Secret pem;
};

/// What rows of requests that are there no more would tell: see farm::Rows.
struct Forgotten {
  RequestId last_request;
  Instant until{};
};

/// One transaction: events, the rows as they are after them, and the keys that came and went.
struct EventBatch {
  EventSeq first_seq;
  farm::Events events;
  std::vector<farm::User> users;
  std::vector<farm::LimitedGroup> groups;
  std::vector<farm::Token> tokens;
  std::vector<farm::Request> requests;
  /// Their jobs go with them.
  std::vector<RequestId> deleted_requests;
  /// Where requests were deleted.
  std::optional<Forgotten> forgotten;
  std::vector<farm::Worker> workers;
  std::vector<WorkerUuid> deleted_workers;
  std::vector<farm::Creation> creations;
  std::vector<RequestId> deleted_creations;
  std::vector<farm::UserKey> user_keys;
  std::vector<StoredKey> put_keys;
  std::vector<WorkerUuid> deleted_keys;

  [[nodiscard]] EventSeq last_seq() const { return EventSeq{first_seq.value + events.size() - 1}; }
  [[nodiscard]] bool empty() const { return events.empty(); }
};

/// Appends `later` to `batch`, so that both become one transaction. A list may then hold a row more than once, and the
/// last one counts; what one puts and the other deletes is only in the list of the later. Takes as long as `later` is
/// long (but for keys and deletions), so that any number of batches can be gathered.
/// REQUIRES: later.first_seq == batch.last_seq() + 1, or batch is empty.
void merge(EventBatch& batch, EventBatch&& later);

struct Loaded {
  farm::Rows rows;
  std::vector<StoredKey> keys;
  /// Wall time of the newest event; nothing in a new store.
  std::optional<Instant> last_event_at;
};

struct EventQuery {
  /// Only events after this one.
  EventSeq after;
  std::optional<RequestId> request;
  std::optional<WorkerUuid> worker;
  std::size_t limit = 1'000;
};

/// What a journal is to do about its past; unless told otherwise, nothing.
struct TidyOrder {
  Instant now{};
  /// A checkpoint is made if the newest was written before this, and something happened since.
  Instant checkpoint_since = Instant::min();
  /// Events go that lie before the newest checkpoint written at this instant or earlier.
  Instant forget_until = Instant::min();
};

/// How far a journal has got with its past.
struct Tidied {
  /// There is more to do: call again, when others had their turn.
  bool more = false;
  /// The oldest event that is kept; of an empty journal the first that will be.
  EventSeq first;
};

/// A copy of a journal in the making, slice by slice; batches may be appended in between.
/// Threads: as its journal, which must outlive it. Destroyed before it is complete, it removes its file.
class Backup {
 public:
  virtual ~Backup() = default;

  /// Copies one more slice, which blocks for about as long as a commit. Whether the copy is complete: it then has all
  /// that was appended before this call, but for private keys. An error ends it.
  virtual std::expected<bool, StoreError> step() = 0;
};

/// Where the farm's events and rows are kept.
/// Threads: one at a time; all calls may block on the disk.
class Journal {
 public:
  virtual ~Journal() = default;

  /// What is durable. Once, before the first append.
  virtual std::expected<Loaded, StoreError> load() = 0;

  /// Appends `batch` in one transaction. On success it survives power loss. Deletes first, then puts in order.
  /// REQUIRES: batch.first_seq == last_seq() + 1.
  virtual std::expected<void, StoreError> append(const EventBatch& batch) = 0;

  /// Events in order of their sequence, at most `query.limit`.
  virtual std::expected<farm::Events, StoreError> read(const EventQuery& query) = 0;

  /// The newest checkpoint: the rows as they were after the event `last_event`, but for requests that had ended by
  /// then, whose rows change no more. Nothing: there is none.
  virtual std::expected<std::optional<farm::Rows>, StoreError> read_checkpoint() = 0;

  /// One slice of what a journal does to stay small, in a transaction of its own: makes a checkpoint, forgets events,
  /// oldest first, as `order` says, then gives room back to the file system, if much of the file is empty. Of rows,
  /// events, pages and the like at most `most` each; batches may be appended between slices. After an error a
  /// checkpoint that was being made begins anew.
  virtual std::expected<Tidied, StoreError> tidy(const TidyOrder& order, std::size_t most) = 0;

  /// Leaves no byte of deleted keys in the journal's files. Takes as long as writing what was appended of late once
  /// more. kBusy: it could not be done now.
  virtual std::expected<void, StoreError> scrub() = 0;

  /// Begins a copy at `file` (0600), replacing what is there; one at a time. Complete, it is a single file that is a
  /// journal of its own, without private keys and not yet synced. kBusy: `file` cannot be made, or a journal of this
  /// kind has no file.
  virtual std::expected<std::unique_ptr<Backup>, StoreError> begin_backup(const std::filesystem::path& file) = 0;

  [[nodiscard]] virtual EventSeq last_seq() const = 0;
};

}  // namespace boruta::store

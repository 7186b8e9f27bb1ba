#pragma once

#include <expected>
#include <filesystem>
#include <functional>
#include <memory>

#include "runtime/task.hpp"
#include "store/journal.hpp"

namespace boruta::server {

/// Makes batches durable, in the order in which they come, several in one transaction when they come fast.
class Committer {
 public:
  /// Everything up to `durable` is. Called on the executor that the committer was made with.
  using OnDurable = std::function<void(EventSeq durable)>;

  virtual ~Committer() = default;

  /// Before the first submit.
  virtual void start(OnDurable on_durable) = 0;
  /// REQUIRES: batches come in the order of their sequence, without gaps.
  virtual void submit(store::EventBatch batch) = 0;
  /// The store cannot be written at present: changes are refused meanwhile.
  [[nodiscard]] virtual bool stalled() const = 0;
  /// Durable events.
  virtual Task<std::expected<farm::Events, store::StoreError>> read(store::EventQuery query) = 0;
  /// One slice of `Journal::tidy`, between two transactions.
  virtual Task<std::expected<store::Tidied, store::StoreError>> tidy(store::TidyOrder order) = 0;
  /// Returns when everything submitted is durable.
  virtual void stop() = 0;
};

/// A committer over files that can be copied while it works.
class StoreThread : public Committer {
 public:
  /// Copies the journal to `file` as `Journal::begin_backup` says. The copy has all that was durable before the call;
  /// meanwhile no transaction waits longer than for a slice of it. kBusy: `file` cannot be written, another backup is
  /// being made, or the server stops.
  virtual Task<std::expected<void, store::StoreError>> backup(std::filesystem::path file) = 0;
  /// Gives up the backup in hand and refuses further ones, so that whoever waits is answered.
  virtual void stop_backups() = 0;
};

/// A thread of its own that owns `journal`: takes all that waits whenever it is free. A write that is known not to
/// have happened is retried for `patience`, then the process exits; it exits at once when the outcome is unknown.
[[nodiscard]] std::unique_ptr<StoreThread> make_commit_thread(std::unique_ptr<store::Journal> journal,
                                                              asio::any_io_executor executor, Duration patience);

}  // namespace boruta::server

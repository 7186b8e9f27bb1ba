#include <boost/asio/async_result.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <optional>
#include <thread>

#include "base/assert.hpp"
#include "runtime/log.hpp"
#include "server/committer.hpp"

namespace boruta::server {
namespace {

/// Of sysexits.h: an error on doing I/O.
constexpr int kExitStore = 74;
constexpr std::chrono::milliseconds kRetryAfter{100};
/// A server that stops does not wait for the disk any longer than this.
constexpr std::chrono::seconds kPatienceOnStop{1};
/// A deleted key leaves the store's files when nothing was written for so long, lest a writer has to wait for it, and
/// in any case after kScrubWithin.
constexpr std::chrono::milliseconds kScrubWhenQuiet{100};
constexpr std::chrono::milliseconds kScrubWithin{2'000};

/// What is done to keep the store small takes about this long at a time, from the fewest rows, events or pages on.
constexpr std::chrono::milliseconds kTidySlice{4};
constexpr std::size_t kLeastTidied = 16;
constexpr std::size_t kMostTidied = 1'024;

using SteadyClock = std::chrono::steady_clock;
using ReadResult = std::expected<farm::Events, store::StoreError>;
using TidyResult = std::expected<store::Tidied, store::StoreError>;
using BackupResult = std::expected<void, store::StoreError>;

constexpr std::string_view kShutdown = "the server is shutting down";

BackupResult no_backup(std::string_view why) {
  return std::unexpected(store::StoreError{.code = store::StoreErrorCode::kBusy, .message = std::string(why)});
}

class CommitThread final : public StoreThread {
 public:
  CommitThread(std::unique_ptr<store::Journal> journal, asio::any_io_executor executor, Duration patience)
      : journal_(std::move(journal)), executor_(std::move(executor)), patience_(patience) {}
  ~CommitThread() override { stop(); }

  void start(OnDurable on_durable) override {
    on_durable_ = std::move(on_durable);
    thread_ = std::thread([this] { run(); });
  }

  void submit(store::EventBatch batch) override {
    const std::scoped_lock lock(mutex_);
    store::merge(waiting_, std::move(batch));
    wake_.notify_one();
  }

  [[nodiscard]] bool stalled() const override { return stalled_.load(); }

  Task<ReadResult> read(store::EventQuery query) override {
    auto initiate = [this, query](auto handler) {
      auto resume = resumption<ReadResult>(std::move(handler));
      const std::scoped_lock lock(mutex_);
      others_.reads.push_back(Read{.query = query, .resume = std::move(resume)});
      wake_.notify_one();
    };
    co_return co_await asio::async_initiate<const asio::use_awaitable_t<>, void(ReadResult)>(initiate,
                                                                                             asio::use_awaitable);
  }

  Task<TidyResult> tidy(store::TidyOrder order) override {
    auto initiate = [this, order](auto handler) {
      auto resume = resumption<TidyResult>(std::move(handler));
      const std::scoped_lock lock(mutex_);
      others_.tidies.push_back(Tidying{.order = order, .resume = std::move(resume)});
      wake_.notify_one();
    };
    co_return co_await asio::async_initiate<const asio::use_awaitable_t<>, void(TidyResult)>(initiate,
                                                                                             asio::use_awaitable);
  }

  Task<BackupResult> backup(std::filesystem::path file) override {
    auto initiate = [this, &file](auto handler) {
      auto resume = resumption<BackupResult>(std::move(handler));
      const std::scoped_lock lock(mutex_);
      others_.backups.push_back(BackupOrder{.file = std::move(file), .resume = std::move(resume)});
      wake_.notify_one();
    };
    co_return co_await asio::async_initiate<const asio::use_awaitable_t<>, void(BackupResult)>(initiate,
                                                                                               asio::use_awaitable);
  }

  void stop_backups() override {
    const std::scoped_lock lock(mutex_);
    backups_stopped_ = true;
    wake_.notify_one();
  }

  void stop() override {
    {
      const std::scoped_lock lock(mutex_);
      stopping_ = true;
      stop_by_ = SteadyClock::now() + kPatienceOnStop;
      wake_.notify_one();
    }
    if (thread_.joinable()) thread_.join();
  }

 private:
  struct Read {
    store::EventQuery query;
    std::move_only_function<void(ReadResult)> resume;
  };

  struct Tidying {
    store::TidyOrder order;
    std::move_only_function<void(TidyResult)> resume;
  };

  struct BackupOrder {
    std::filesystem::path file;
    std::move_only_function<void(BackupResult)> resume;
  };

  /// All that waits but batches.
  struct Others {
    std::deque<Read> reads;
    std::deque<Tidying> tidies;
    std::deque<BackupOrder> backups;

    [[nodiscard]] bool empty() const { return reads.empty() && tidies.empty() && backups.empty(); }
  };

  /// Hands a result of this thread to `handler` on the executor.
  template <class Result, class Handler>
  auto resumption(Handler handler) {
    return [handler = std::move(handler), executor = executor_](Result result) mutable {
      asio::post(executor,
                 [handler = std::move(handler), result = std::move(result)]() mutable { handler(std::move(result)); });
    };
  }

  void run() {
    // A server that died may have left something.
    scrub_by_ = SteadyClock::now();
    std::unique_lock lock(mutex_);
    while (wait_for_work(lock)) {
      auto batch = std::exchange(waiting_, {});
      auto others = std::exchange(others_, {});
      lock.unlock();
      if (!batch.empty()) commit(batch);
      if (!batch.deleted_keys.empty() && !scrub_by_) scrub_by_ = SteadyClock::now() + kScrubWithin;
      serve(others);
      if (scrub_by_ && SteadyClock::now() >= *scrub_by_) scrub();
      // Whoever submits the next one does not wait until this one is freed.
      batch = {};
      lock.lock();
    }
    if (copying_) end_backup(no_backup(kShutdown));
  }

  void serve(Others& others) {
    for (auto& read : others.reads) read.resume(journal_->read(read.query));
    for (auto& tidying : others.tidies) tidying.resume(tidy_slice(tidying.order));
    for (auto& order : others.backups) begin_backup(std::move(order));
    if (copying_) continue_backup();
  }

  /// False when there is none and there will be none: a backup in hand is given up for a stop. Uses the quiet to scrub.
  bool wait_for_work(std::unique_lock<std::mutex>& lock) {
    if (copying_ && !stopping_) return true;
    const auto has_work = [this] { return stopping_ || has_orders(); };
    while (scrub_by_ && !wake_.wait_for(lock, scrub_failed_ ? kScrubWithin : kScrubWhenQuiet, has_work)) {
      lock.unlock();
      scrub();
      lock.lock();
    }
    wake_.wait(lock, has_work);
    return has_orders();
  }

  [[nodiscard]] bool has_orders() const { return !waiting_.empty() || !others_.empty(); }

  /// The next slice is larger or smaller, by how long this one took.
  TidyResult tidy_slice(const store::TidyOrder& order) {
    const auto begun = SteadyClock::now();
    auto tidied = journal_->tidy(order, tidied_at_once_);
    const auto took = SteadyClock::now() - begun;
    if (took > kTidySlice) tidied_at_once_ = std::max(tidied_at_once_ / 2, kLeastTidied);
    if (took < kTidySlice / 2) tidied_at_once_ = std::min(tidied_at_once_ * 2, kMostTidied);
    return tidied;
  }

  void begin_backup(BackupOrder order) {
    if (backups_stopped_) {
      order.resume(no_backup(kShutdown));
      return;
    }
    if (copying_) {
      order.resume(no_backup("another backup is being made: try again when it is done"));
      return;
    }
    auto begun = journal_->begin_backup(order.file);
    if (!begun) {
      order.resume(std::unexpected(begun.error()));
      return;
    }
    copying_ = std::move(*begun);
    order_ = std::move(order);
  }

  void continue_backup() {
    if (backups_stopped_) {
      end_backup(no_backup(kShutdown));
      return;
    }
    const auto complete = copying_->step();
    if (!complete) {
      end_backup(std::unexpected(complete.error()));
    } else if (*complete) {
      end_backup({});
    }
  }

  void end_backup(BackupResult result) {
    copying_.reset();
    order_.resume(std::move(result));
    order_ = {};
  }

  void scrub() {
    scrub_by_.reset();
    const auto scrubbed = journal_->scrub();
    const bool failed_before = std::exchange(scrub_failed_, !scrubbed);
    if (scrubbed) return;
    if (!failed_before) {
      runtime::log_warning("deleted keys are still in the store's log, they will be tried again",
                           {{"error", scrubbed.error().message}});
    }
    scrub_by_ = SteadyClock::now() + kScrubWithin;
  }

  void commit(const store::EventBatch& batch) {
    const auto give_up = SteadyClock::now() + patience_;
    while (true) {
      const auto result = journal_->append(batch);
      if (result) break;
      if (result.error().code != store::StoreErrorCode::kBusy || !is_patient(give_up)) {
        runtime::log_error("the store cannot be written, the server exits; what was acknowledged is there",
                           {{"error", result.error().message}});
        std::_Exit(kExitStore);
      }
      if (!stalled_.exchange(true)) {
        runtime::log_error("the store cannot be written, changes are refused until it can",
                           {{"error", result.error().message}});
      }
      pause();
    }
    if (stalled_.exchange(false)) runtime::log_info("the store can be written again");
    asio::post(executor_, [this, durable = batch.last_seq()] { on_durable_(durable); });
  }

  /// Between two attempts at a batch. Nobody else waits for it meanwhile: what is durable can still be read.
  void pause() {
    std::unique_lock lock(mutex_);
    const auto until = SteadyClock::now() + kRetryAfter;
    do {
      auto others = std::exchange(others_, {});
      lock.unlock();
      serve(others);
      lock.lock();
      wake_.wait_until(lock, until, [this] { return !others_.empty(); });
      // However many ask, the next attempt is not late.
    } while (SteadyClock::now() < until);
  }

  bool is_patient(SteadyClock::time_point give_up) {
    const std::scoped_lock lock(mutex_);
    return SteadyClock::now() < (stopping_ ? std::min(give_up, stop_by_) : give_up);
  }

  std::unique_ptr<store::Journal> journal_;
  asio::any_io_executor executor_;
  Duration patience_;
  OnDurable on_durable_;
  std::mutex mutex_;
  std::condition_variable wake_;
  /// Everything that waits, as one transaction.
  store::EventBatch waiting_;
  Others others_;
  bool stopping_ = false;
  /// Once it stops.
  SteadyClock::time_point stop_by_;
  std::atomic<bool> backups_stopped_{false};
  /// Keys were deleted since the last scrub: by when the next must be. Thread: the store's.
  std::optional<SteadyClock::time_point> scrub_by_;
  /// Rows, events and pages in one slice. Thread: the store's.
  std::size_t tidied_at_once_ = kLeastTidied;
  /// The backup that is being made, and who waits for it. Thread: the store's.
  std::unique_ptr<store::Backup> copying_;
  BackupOrder order_;
  /// The last scrub could not: the next waits longer, and the log has it once. Thread: the store's.
  bool scrub_failed_ = false;
  std::atomic<bool> stalled_{false};
  std::thread thread_;
};

}  // namespace

std::unique_ptr<StoreThread> make_commit_thread(std::unique_ptr<store::Journal> journal, asio::any_io_executor executor,
                                                Duration patience) {
  return std::make_unique<CommitThread>(std::move(journal), std::move(executor), patience);
}

}  // namespace boruta::server

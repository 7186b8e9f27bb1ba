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

using SteadyClock = std::chrono::steady_clock;
using ReadResult = std::expected<farm::Events, store::StoreError>;

class CommitThread final : public Committer {
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
      auto resume = [handler = std::move(handler), executor = executor_](ReadResult result) mutable {
        asio::post(executor, [handler = std::move(handler), result = std::move(result)]() mutable {
          handler(std::move(result));
        });
      };
      const std::scoped_lock lock(mutex_);
      reads_.push_back(Read{.query = query, .resume = std::move(resume)});
      wake_.notify_one();
    };
    co_return co_await asio::async_initiate<const asio::use_awaitable_t<>, void(ReadResult)>(initiate,
                                                                                             asio::use_awaitable);
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

  void run() {
    // A server that died may have left something.
    scrub_by_ = SteadyClock::now();
    std::unique_lock lock(mutex_);
    while (wait_for_work(lock)) {
      auto batch = std::exchange(waiting_, {});
      auto reads = std::exchange(reads_, {});
      lock.unlock();
      if (!batch.empty()) commit(batch);
      if (!batch.deleted_keys.empty() && !scrub_by_) scrub_by_ = SteadyClock::now() + kScrubWithin;
      for (auto& read : reads) read.resume(journal_->read(read.query));
      if (scrub_by_ && SteadyClock::now() >= *scrub_by_) scrub();
      lock.lock();
    }
  }

  /// False when there is none and there will be none. Uses the quiet to scrub.
  bool wait_for_work(std::unique_lock<std::mutex>& lock) {
    const auto has_work = [this] { return stopping_ || !waiting_.empty() || !reads_.empty(); };
    while (scrub_by_ && !wake_.wait_for(lock, scrub_failed_ ? kScrubWithin : kScrubWhenQuiet, has_work)) {
      lock.unlock();
      scrub();
      lock.lock();
    }
    wake_.wait(lock, has_work);
    return !waiting_.empty() || !reads_.empty();
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
      std::this_thread::sleep_for(kRetryAfter);
    }
    if (stalled_.exchange(false)) runtime::log_info("the store can be written again");
    asio::post(executor_, [this, durable = batch.last_seq()] { on_durable_(durable); });
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
  std::deque<Read> reads_;
  bool stopping_ = false;
  /// Once it stops.
  SteadyClock::time_point stop_by_;
  /// Keys were deleted since the last scrub: by when the next must be. Thread: the store's.
  std::optional<SteadyClock::time_point> scrub_by_;
  /// The last scrub could not: the next waits longer, and the log has it once. Thread: the store's.
  bool scrub_failed_ = false;
  std::atomic<bool> stalled_{false};
  std::thread thread_;
};

}  // namespace

std::unique_ptr<Committer> make_commit_thread(std::unique_ptr<store::Journal> journal, asio::any_io_executor executor,
                                              Duration patience) {
  return std::make_unique<CommitThread>(std::move(journal), std::move(executor), patience);
}

}  // namespace boruta::server

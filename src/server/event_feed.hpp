#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <expected>

#include "base/limits.hpp"
#include "server/coordinator.hpp"

namespace boruta::server {

/// Why a reader gets no more events.
enum class FeedEnd : std::uint8_t {
  kFellBehind,  ///< by more than limits::kSubscriberBacklog
  kForgotten,   ///< what comes next is kept no longer
  kStopped,     ///< the server stops, or its store cannot be read
};

/// The farm's durable events as they come, for any number of readers: all share one short memory of what is newest,
/// and who resumes further back reads the journal until they have caught up.
/// Threads: the coordinator's strand; readers live where they like. Outlives its readers.
class EventFeed final : public Listener {
 public:
  /// Before the coordinator runs; becomes its listener.
  explicit EventFeed(Coordinator* coordinator);

  void on_durable(const farm::Events& events, const farm::Touched& touched) override;

  [[nodiscard]] EventSeq newest() const { return newest_; }
  /// The oldest that the journal keeps.
  [[nodiscard]] EventSeq oldest() const { return oldest_; }
  void set_oldest(EventSeq oldest) { oldest_ = oldest; }

  /// One reader's place, used by one coroutine at a time.
  class Reader {
   public:
    Reader(EventFeed* feed, EventSeq after) : feed_(*feed), after_(after) {}
    Reader(const Reader&) = delete;
    Reader& operator=(const Reader&) = delete;
    ~Reader();

    /// The next events, in order and without a gap; none when none came within `patience`. Obeys cancellation.
    Task<std::expected<farm::Events, FeedEnd>> next(Duration patience);

   private:
    Task<std::expected<farm::Events, FeedEnd>> next_on_strand(Duration patience);

    EventFeed& feed_;
    EventSeq after_;
    bool joined_ = false;
    /// Reads from memory: it has caught up once, and must keep up.
    bool live_ = false;
  };

 private:
  /// Events that are remembered and lie behind `after`, at most a page.
  [[nodiscard]] farm::Events recall(EventSeq after) const;
  [[nodiscard]] bool remembers(EventSeq after) const;

  Coordinator& coordinator_;
  EventSeq newest_;
  EventSeq oldest_{1};
  std::atomic<std::size_t> readers_ = 0;
  /// The newest events without a gap, as long as there are readers.
  std::deque<farm::Event> memory_;
  runtime::Signal changed_;
};

}  // namespace boruta::server

#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <utility>
#include <vector>

#include "runtime/clock.hpp"

namespace boruta::sim {

/// The simulation's time and its one queue of things to come. Time passes only by going to the next of them.
class VirtualClock final : public runtime::Clock {
 public:
  /// Names an entry of the queue: where it lies, and its number, counted from 1; 0: none.
  struct Entry {
    std::size_t slot = 0;
    std::uint64_t number = 0;
  };
  using Act = std::move_only_function<void()>;

  explicit VirtualClock(Instant start) : now_{.wall = start, .lease = start} {}

  [[nodiscard]] Now now() const override { return now_; }
  [[nodiscard]] std::unique_ptr<runtime::Timer> make_timer(const asio::any_io_executor& executor) override;

  Entry at(Instant lease, Act what);
  Entry after(Duration duration, Act what) { return at(now_.lease + duration, std::move(what)); }
  /// Does nothing if it was done or forgotten already.
  void forget(const Entry& entry);

  /// Destroys whoever waits for a timer: the process that they belong to was killed.
  void abandon_waits();
  /// Goes to the next entry, unless it lies past `end`, and does it. False: there is none.
  bool step(Instant end);
  /// Wall time is set forward; the server must bear it.
  void jump_wall(Duration by) {
    latest_wall_ = std::max(latest_wall_, now_.wall);
    now_.wall += by;
  }
  /// Wall time that was set back is set right: until then deadlines on it stay away for hours.
  void mend_wall() { now_.wall = std::max({now_.wall, now_.lease, latest_wall_}); }

 private:
  class VirtualTimer;

  struct Slot {
    /// Of the entry that lies here; 0: none does.
    std::uint64_t number = 0;
    Act what;
  };
  struct Due {
    Instant at;
    Entry entry;
  };

  struct IsLater {
    bool operator()(const Due& left, const Due& right) const {
      return left.at != right.at ? left.at > right.at : left.entry.number > right.entry.number;
    }
  };
  /// Takes out the entry that is due first.
  void drop_first();

  Now now_;
  /// Before it was set back.
  Instant latest_wall_{};
  std::uint64_t made_ = 0;
  std::vector<Slot> slots_;
  std::vector<std::size_t> free_slots_;
  /// A heap, what is due first on top. What was forgotten stays until it comes up.
  std::vector<Due> queue_;
  std::vector<VirtualTimer*> waiting_;
};

}  // namespace boruta::sim

#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <utility>

#include "runtime/clock.hpp"

namespace boruta::sim {

/// The simulation's time and its one queue of things to come. Time passes only by going to the next of them.
class VirtualClock final : public runtime::Clock {
 public:
  /// Names an entry of the queue: when, and how many came before it.
  using Entry = std::pair<Instant, std::uint64_t>;

  explicit VirtualClock(Instant start) : now_{.wall = start, .lease = start} {}

  [[nodiscard]] Now now() const override { return now_; }
  [[nodiscard]] std::unique_ptr<runtime::Timer> make_timer(const asio::any_io_executor& executor) override;

  Entry at(Instant lease, std::function<void()> what);
  Entry after(Duration duration, std::function<void()> what) { return at(now_.lease + duration, std::move(what)); }
  void forget(const Entry& entry) { queue_.erase(entry); }

  /// Goes to the next entry, unless it lies past `end`, and does it. False: there is none.
  bool step(Instant end);
  /// Wall time is set forward; the server must bear it.
  void jump_wall(Duration by) { now_.wall += by; }
  /// Wall time that was set back is set right: until then deadlines on it stay away for hours.
  void mend_wall() { now_.wall = std::max(now_.wall, now_.lease); }

 private:
  Now now_;
  std::uint64_t made_ = 0;
  std::map<Entry, std::function<void()>> queue_;
};

}  // namespace boruta::sim

#include "sim/virtual_clock.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <algorithm>
#include <optional>

namespace boruta::sim {
namespace {

/// An Asio timer that never expires by itself: the virtual clock cancels it when its instant has come.
class VirtualTimer final : public runtime::Timer {
 public:
  VirtualTimer(VirtualClock* clock, const asio::any_io_executor& executor)
      : clock_(*clock), timer_(executor, asio::steady_timer::time_point::max()) {}
  ~VirtualTimer() override { forget(); }

  void expires_at(Instant lease) override {
    cancel();
    expiry_ = lease;
  }

  Task<bool> wait() override {
    if (expiry_ <= clock_.now().lease) co_return true;
    expired_ = false;
    entry_ = clock_.at(expiry_, [this] {
      entry_.reset();
      expired_ = true;
      timer_.cancel();
    });
    co_await timer_.async_wait(asio::as_tuple(asio::use_awaitable));
    forget();
    co_return expired_;
  }

  void cancel() override { timer_.cancel(); }

 private:
  void forget() {
    if (entry_) clock_.forget(*entry_);
    entry_.reset();
  }

  VirtualClock& clock_;
  asio::steady_timer timer_;
  Instant expiry_ = Instant::max();
  bool expired_ = false;
  std::optional<VirtualClock::Entry> entry_;
};

}  // namespace

std::unique_ptr<runtime::Timer> VirtualClock::make_timer(const asio::any_io_executor& executor) {
  return std::make_unique<VirtualTimer>(this, executor);
}

VirtualClock::Entry VirtualClock::at(Instant lease, std::function<void()> what) {
  const Entry entry{std::max(lease, now_.lease), ++made_};
  queue_.emplace(entry, std::move(what));
  return entry;
}

bool VirtualClock::step(Instant end) {
  if (queue_.empty() || queue_.begin()->first.first > end) return false;
  auto next = queue_.extract(queue_.begin());
  const auto passed = next.key().first - now_.lease;
  now_.lease += passed;
  now_.wall += passed;
  next.mapped()();
  return true;
}

}  // namespace boruta::sim

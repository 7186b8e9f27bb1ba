#include "sim/virtual_clock.hpp"

#include <boost/asio/associated_cancellation_slot.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <algorithm>
#include <utility>

namespace boruta::sim {

/// Keeps whoever waits, until the clock or a cancellation resumes it: an Asio timer, which could only be cancelled,
/// does much that is of no use here.
class VirtualClock::VirtualTimer final : public runtime::Timer {
 public:
  VirtualTimer(VirtualClock* clock, const asio::any_io_executor& executor)
      : clock_(*clock), executor_(asio::require(executor, asio::execution::blocking.never)) {}
  ~VirtualTimer() override { abandon(); }

  void expires_at(Instant lease) override {
    cancel();
    expiry_ = lease;
  }

  Task<bool> wait() override {
    if (expiry_ <= clock_.now().lease) co_return true;
    auto initiate = [this](auto handler) {
      auto slot = asio::get_associated_cancellation_slot(handler);
      if (slot.is_connected()) slot.assign([this](asio::cancellation_type /*type*/) { cancel(); });
      waiter_ = std::move(handler);
      if (expiry_ != Instant::max()) entry_ = clock_.at(expiry_, [this] { resume(true); });
      place_ = clock_.waiting_.size();
      clock_.waiting_.push_back(this);
    };
    const bool expired =
        co_await asio::async_initiate<const asio::use_awaitable_t<>, void(bool)>(initiate, asio::use_awaitable);
    co_return expired;
  }

  void cancel() override { resume(false); }

  /// Whoever waits is destroyed.
  void abandon() { const auto waiter = take(); }

 private:
  using Waiter = std::move_only_function<void(bool)>;

  /// Nobody waits any more.
  Waiter take() {
    if (!waiter_) return nullptr;
    clock_.forget(std::exchange(entry_, {}));
    clock_.waiting_[place_] = clock_.waiting_.back();
    clock_.waiting_[place_]->place_ = place_;
    clock_.waiting_.pop_back();
    return std::exchange(waiter_, nullptr);
  }

  void resume(bool expired) {
    if (!waiter_) return;
    executor_.execute([waiter = take(), expired]() mutable { waiter(expired); });
  }

  VirtualClock& clock_;
  asio::any_io_executor executor_;
  Instant expiry_ = Instant::max();
  Waiter waiter_;
  VirtualClock::Entry entry_;
  /// Among those that the clock knows to wait.
  std::size_t place_ = 0;
};

std::unique_ptr<runtime::Timer> VirtualClock::make_timer(const asio::any_io_executor& executor) {
  return std::make_unique<VirtualTimer>(this, executor);
}

void VirtualClock::abandon_waits() {
  while (!waiting_.empty()) waiting_.back()->abandon();
}

VirtualClock::Entry VirtualClock::at(Instant lease, Act what) {
  if (free_slots_.empty()) {
    free_slots_.push_back(slots_.size());
    slots_.emplace_back();
  }
  const Entry entry{.slot = free_slots_.back(), .number = ++made_};
  free_slots_.pop_back();
  slots_[entry.slot].number = entry.number;
  slots_[entry.slot].what = std::move(what);
  queue_.push_back(Due{.at = std::max(lease, now_.lease), .entry = entry});
  std::ranges::push_heap(queue_, IsLater{});
  return entry;
}

void VirtualClock::forget(const Entry& entry) {
  if (entry.number == 0) return;
  auto& slot = slots_[entry.slot];
  if (slot.number != entry.number) return;
  slot.number = 0;
  free_slots_.push_back(entry.slot);
  // Last, for what dies with it may come back here.
  const auto forgotten = std::exchange(slot.what, nullptr);
}

void VirtualClock::drop_first() {
  std::ranges::pop_heap(queue_, IsLater{});
  queue_.pop_back();
}

bool VirtualClock::step(Instant end) {
  while (!queue_.empty() && slots_[queue_.front().entry.slot].number != queue_.front().entry.number) drop_first();
  if (queue_.empty() || queue_.front().at > end) return false;
  const auto [at, entry] = queue_.front();
  drop_first();
  auto& slot = slots_[entry.slot];
  slot.number = 0;
  free_slots_.push_back(entry.slot);
  auto what = std::exchange(slot.what, nullptr);
  const auto passed = at - now_.lease;
  now_.lease += passed;
  now_.wall += passed;
  what();
  return true;
}

}  // namespace boruta::sim

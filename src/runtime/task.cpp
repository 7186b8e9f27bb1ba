#include "runtime/task.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <algorithm>
#include <exception>

#include "runtime/log.hpp"

namespace boruta::runtime {

Signal::Signal(const asio::any_io_executor& executor) : timer_(executor, asio::steady_timer::time_point::max()) {}

Task<void> Signal::wait() {
  // The timer never expires: cancellation, by notify_all or by the caller's, is what ends the wait.
  co_await timer_.async_wait(asio::as_tuple(asio::use_awaitable));
}

void Signal::notify_all() { timer_.cancel(); }

Task<bool> SequenceGate::wait(std::uint64_t number) {
  if (number <= reached_) co_return true;
  if (closed_) co_return false;
  auto initiate = [this, number](auto handler) {
    auto resume = [handler = std::move(handler), executor = executor_](bool open) mutable {
      asio::post(executor, [handler = std::move(handler), open]() mutable { handler(open); });
    };
    const auto place = std::ranges::upper_bound(waiters_, number, {}, &Waiter::number);
    waiters_.insert(place, Waiter{number, std::move(resume)});
  };
  const bool open =
      co_await asio::async_initiate<const asio::use_awaitable_t<>, void(bool)>(initiate, asio::use_awaitable);
  co_return open;
}

void SequenceGate::advance(std::uint64_t number) {
  reached_ = std::max(reached_, number);
  while (!waiters_.empty() && waiters_.front().number <= reached_) {
    auto resume = std::move(waiters_.front().resume);
    waiters_.pop_front();
    resume(true);
  }
}

void SequenceGate::close() {
  closed_ = true;
  while (!waiters_.empty()) {
    auto resume = std::move(waiters_.front().resume);
    waiters_.pop_front();
    resume(false);
  }
}

TaskGroup::TaskGroup(asio::any_io_executor executor) : executor_(std::move(executor)), empty_(executor_) {}

TaskGroup::~TaskGroup() = default;

void TaskGroup::spawn(std::string name, Task<void> task) { spawn_on(executor_, std::move(name), std::move(task)); }

void TaskGroup::spawn_on(const asio::any_io_executor& executor, std::string name, Task<void> task) {
  const std::scoped_lock lock(mutex_);
  if (stopping_) return;
  const auto entry = entries_.emplace(entries_.end(), executor);
  auto on_end = [this, entry, name = std::move(name)](const std::exception_ptr& failure) {
    if (failure) log_exception(name, failure);
    // A task that waits for nothing ends here and now, while `spawn_on` holds the lock.
    asio::post(entry->executor, [this, entry] { finished(entry); });
  };
  asio::co_spawn(executor, std::move(task), asio::bind_cancellation_slot(entry->cancel.slot(), std::move(on_end)));
}

void TaskGroup::finished(std::list<Entry>::iterator entry) {
  const std::scoped_lock lock(mutex_);
  entries_.erase(entry);
  if (entries_.empty()) asio::post(executor_, [this] { empty_.notify_all(); });
}

void TaskGroup::request_stop() {
  const std::scoped_lock lock(mutex_);
  stopping_ = true;
  for (auto entry = entries_.begin(); entry != entries_.end(); ++entry) {
    // A signal may only be emitted where its task runs, and the task may have ended by then.
    asio::post(entry->executor, [this, entry_address = &*entry] {
      std::unique_lock search(mutex_);
      const auto alive = std::ranges::find_if(entries_, [&](const Entry& other) { return &other == entry_address; });
      if (alive == entries_.end()) return;
      search.unlock();
      alive->cancel.emit(asio::cancellation_type::terminal);
    });
  }
}

std::size_t TaskGroup::size() const {
  const std::scoped_lock lock(mutex_);
  return entries_.size();
}

Task<void> TaskGroup::join() {
  while (size() > 0) co_await empty_.wait();
}

}  // namespace boruta::runtime

#include "runtime/task.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <algorithm>
#include <exception>
#include <iterator>
#include <utility>
#include <vector>

#include "runtime/log.hpp"

namespace boruta::runtime {
namespace {

/// Resumes those before `end`, which wait no longer: all in one go, as queueing them one by one costs more than they
/// do.
template <class Waiters>
void resume_first(const asio::any_io_executor& executor, Waiters& waiters, typename Waiters::iterator end, bool open) {
  if (end == waiters.begin()) return;
  std::vector<typename Waiters::value_type> ready(std::move_iterator(waiters.begin()), std::move_iterator(end));
  waiters.erase(waiters.begin(), end);
  asio::post(executor, [ready = std::move(ready), open]() mutable {
    for (auto& waiter : ready) waiter.resume(open);
  });
}

}  // namespace

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
    const auto place = std::ranges::upper_bound(waiters_, number, {}, &Waiter::number);
    waiters_.insert(place, Waiter{number, std::move(handler)});
  };
  const bool open =
      co_await asio::async_initiate<const asio::use_awaitable_t<>, void(bool)>(initiate, asio::use_awaitable);
  co_return open;
}

void SequenceGate::advance(std::uint64_t number) {
  reached_ = std::max(reached_, number);
  resume_first(executor_, waiters_, std::ranges::upper_bound(waiters_, reached_, {}, &Waiter::number), true);
}

void SequenceGate::close() {
  closed_ = true;
  resume_first(executor_, waiters_, waiters_.end(), false);
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

#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/steady_timer.hpp>

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <list>
#include <mutex>
#include <string>

namespace boruta {

namespace asio = boost::asio;

/// The coroutine type of everything that waits.
template <class T = void>
using Task = asio::awaitable<T>;

namespace runtime {

/// A wake-up for coroutines: whoever waits is resumed by the next `notify_all`.
/// Thread: the executor it was made with. Waits obey cancellation.
class Signal {
 public:
  explicit Signal(const asio::any_io_executor& executor);

  /// Returns after the next notify_all, or when cancelled.
  Task<void> wait();
  void notify_all();

 private:
  asio::steady_timer timer_;
};

/// Coroutines that wait until a counter has reached a number: "answer me when event 42 is durable".
/// Thread: the executor it was made with.
class SequenceGate {
 public:
  explicit SequenceGate(asio::any_io_executor executor) : executor_(std::move(executor)) {}

  /// Returns true once `reached` is at least `number`, at once if it is already; false when the gate was closed first.
  Task<bool> wait(std::uint64_t number);
  /// Moves the counter up to `number` and resumes who waited for it, in the order of their numbers.
  void advance(std::uint64_t number);
  /// Resumes everyone with false; later waits for numbers not reached return false too.
  void close();

  [[nodiscard]] std::uint64_t reached() const { return reached_; }

 private:
  struct Waiter {
    std::uint64_t number;
    std::move_only_function<void(bool)> resume;
  };

  asio::any_io_executor executor_;
  std::uint64_t reached_ = 0;
  bool closed_ = false;
  /// Sorted by number: numbers are handed out in order.
  std::deque<Waiter> waiters_;
};

/// Owns coroutines that nobody awaits one by one. A task that throws is logged with its name, and the others go on.
/// Threads: `spawn` and `request_stop` may be called from anywhere.
/// Stop: `request_stop` cancels every task; `join` returns when the last has ended. The group must outlive its tasks.
class TaskGroup {
 public:
  explicit TaskGroup(asio::any_io_executor executor);
  TaskGroup(const TaskGroup&) = delete;
  TaskGroup& operator=(const TaskGroup&) = delete;
  /// REQUIRES: no task is left, or the io_context will never run again.
  ~TaskGroup();

  /// Runs `task` on the group's executor. `name` is for the log. After request_stop the task is dropped unstarted.
  void spawn(std::string name, Task<void> task);
  /// The same on an executor of the task's own.
  void spawn_on(const asio::any_io_executor& executor, std::string name, Task<void> task);
  void request_stop();
  [[nodiscard]] std::size_t size() const;
  /// Returns when no task is left. Thread: the group's executor; one waiter at a time.
  Task<void> join();

 private:
  struct Entry {
    asio::any_io_executor executor;
    asio::cancellation_signal cancel;
  };

  void finished(std::list<Entry>::iterator entry);

  asio::any_io_executor executor_;
  mutable std::mutex mutex_;
  std::list<Entry> entries_;
  bool stopping_ = false;
  Signal empty_;
};

}  // namespace runtime
}  // namespace boruta

#pragma once

#include <boost/asio/associated_executor.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <cstddef>
#include <deque>
#include <functional>
#include <mutex>
#include <optional>
#include <utility>

#include "proto/chunk.hpp"
#include "runtime/byte_pipe.hpp"

namespace boruta::proto {

/// A call of Tunnel as a pipe, for either end: `Reactor` is gRPC's for chunks both ways.
/// Bounded: in each direction one chunk is with gRPC and one or two wait, beside what gRPC's window holds.
/// Threads: any. The subclass keeps the object alive until gRPC is done with the call, and says so to `call_done`.
template <class Reactor>
class ChunkStream : public Reactor, public runtime::BytePipe {
 public:
  Task<std::optional<runtime::Arrived>> read() override {
    const auto ready = [this] { return !arrived_.empty() || broken_; };
    co_await until(&reader_, ready);
    const std::scoped_lock lock(mutex_);
    if (arrived_.empty()) co_return std::nullopt;
    auto bytes = std::move(arrived_.front());
    arrived_.pop_front();
    read_ahead();
    co_return bytes;
  }

  Task<bool> write(runtime::Outgoing bytes) override {
    const auto ready = [this] { return outgoing_.size() < kQueued || broken_; };
    co_await until(&writer_, ready);
    const std::scoped_lock lock(mutex_);
    if (broken_) co_return false;
    write_out(encode_chunk(std::move(bytes)));
    co_return true;
  }

  Task<bool> write_end() override {
    {
      const std::scoped_lock lock(mutex_);
      if (broken_) co_return false;
      ending_ = true;
      write_out(encode_end());
    }
    co_await drained();
    const std::scoped_lock lock(mutex_);
    co_return end_sent_;
  }

  Task<void> drained() override {
    const auto ready = [this] { return outgoing_.empty() || broken_; };
    co_await until(&writer_, ready);
  }

  void close() override {
    const std::scoped_lock lock(mutex_);
    if (std::exchange(closed_, true)) return;
    const bool in_order = end_sent_ && end_received_;
    break_off();
    end_call(in_order);
  }

  void OnReadDone(bool ok) override {
    const std::scoped_lock lock(mutex_);
    reading_ = false;
    auto bytes = ok && !end_received_ ? decode_chunk(incoming_) : std::nullopt;
    incoming_.Clear();
    if (!bytes) return break_off();
    end_received_ = bytes->pieces.empty();
    arrived_.push_back(*std::move(bytes));
    read_ahead();
    wake(&reader_);
  }

  void OnWriteDone(bool ok) override {
    const std::scoped_lock lock(mutex_);
    writing_ = false;
    outgoing_.pop_front();
    if (!ok) break_off();
    if (broken_) return written();
    if (outgoing_.empty()) {
      end_sent_ = ending_;
    } else {
      start_write();
    }
    wake(&writer_);
    written();
  }

 protected:
  /// Begins to read. Once, when gRPC has the call.
  void start_reading() {
    const std::scoped_lock lock(mutex_);
    read_ahead();
  }
  /// gRPC is done with the call, or it was cancelled.
  void call_done() {
    const std::scoped_lock lock(mutex_);
    break_off();
  }
  [[nodiscard]] bool writing() const { return writing_; }
  [[nodiscard]] std::mutex& mutex() { return mutex_; }

  /// Ends the call, called once with the mutex held: in order, after all was said, or at once.
  virtual void end_call(bool in_order) = 0;
  /// A write has ended, called with the mutex held.
  virtual void written() {}

 private:
  using Waiter = std::move_only_function<void()>;

  /// Returns once `ready()`, which is asked with the mutex held.
  template <class Ready>
  Task<void> until(Waiter* waiter, Ready ready) {
    auto initiate = [this, waiter, ready](auto handler) {
      auto executor = asio::get_associated_executor(handler);
      auto resume = [handler = std::move(handler), work = asio::make_work_guard(executor)]() mutable {
        asio::post(work.get_executor(), std::move(handler));
      };
      const std::scoped_lock lock(mutex_);
      if (ready()) {
        resume();
      } else {
        *waiter = std::move(resume);
      }
    };
    {
      const std::scoped_lock lock(mutex_);
      if (ready()) co_return;
    }
    co_await asio::async_initiate<const asio::use_awaitable_t<>, void()>(initiate, asio::use_awaitable);
  }

  static void wake(Waiter* waiter) {
    if (auto resume = std::exchange(*waiter, nullptr)) resume();
  }
  void break_off() {
    broken_ = true;
    wake(&reader_);
    wake(&writer_);
  }
  /// After the end, too: then it hears of the call's end.
  void read_ahead() {
    if (reading_ || broken_ || arrived_.size() >= kQueued) return;
    reading_ = true;
    this->StartRead(&incoming_);
  }
  void write_out(grpc::ByteBuffer message) {
    outgoing_.push_back(std::move(message));
    if (!writing_) start_write();
  }
  void start_write() {
    writing_ = true;
    this->StartWrite(&outgoing_.front());
  }

  /// While one is under way the next is there already, without a change of threads.
  static constexpr std::size_t kQueued = 2;

  std::mutex mutex_;
  /// Belongs to gRPC while `reading_`.
  grpc::ByteBuffer incoming_;
  bool reading_ = false;
  std::deque<runtime::Arrived> arrived_;
  bool end_received_ = false;
  /// The first belongs to gRPC while `writing_`.
  std::deque<grpc::ByteBuffer> outgoing_;
  bool writing_ = false;
  bool ending_ = false;
  bool end_sent_ = false;
  bool broken_ = false;
  bool closed_ = false;
  Waiter reader_;
  Waiter writer_;
};

}  // namespace boruta::proto

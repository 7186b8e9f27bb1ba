#pragma once

#include <boost/asio/associated_executor.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <utility>

#include "agent.pb.h"
#include "runtime/byte_pipe.hpp"

namespace boruta::proto {

/// A call of Tunnel as a pipe, for either end: `Reactor` is gRPC's for chunks both ways.
/// Bounded: one chunk is on its way out and one is read ahead, beside what gRPC's window holds.
/// Threads: any. The subclass keeps the object alive until gRPC is done with the call, and says so to `call_done`.
template <class Reactor>
class ChunkStream : public Reactor, public runtime::BytePipe {
 public:
  Task<std::optional<std::string>> read() override {
    const auto ready = [this] { return arrived_.has_value() || broken_; };
    co_await until(&reader_, ready);
    const std::scoped_lock lock(mutex_);
    if (!arrived_) co_return std::nullopt;
    auto bytes = *std::exchange(arrived_, std::nullopt);
    if (!broken_ && !end_received_) read_ahead();
    co_return bytes;
  }

  Task<bool> write(std::string bytes) override {
    const auto ready = [this] { return !writing_ || broken_; };
    co_await until(&writer_, ready);
    const std::scoped_lock lock(mutex_);
    if (broken_) co_return false;
    *outgoing_.mutable_data() = std::move(bytes);
    write_out();
    co_return true;
  }

  Task<bool> write_end() override {
    const auto ready = [this] { return !writing_ || broken_; };
    co_await until(&writer_, ready);
    {
      const std::scoped_lock lock(mutex_);
      if (broken_) co_return false;
      outgoing_.clear_data();
      outgoing_.set_end(true);
      write_out();
    }
    const auto sent = [this] { return end_sent_ || broken_; };
    co_await until(&writer_, sent);
    const std::scoped_lock lock(mutex_);
    co_return end_sent_;
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
    if (!ok || end_received_) return break_off();
    end_received_ = incoming_.end();
    if (incoming_.data().empty() != end_received_) return break_off();
    arrived_ = std::move(*incoming_.mutable_data());
    if (end_received_) read_ahead();  // hears of the call's end
    wake(&reader_);
  }

  void OnWriteDone(bool ok) override {
    const std::scoped_lock lock(mutex_);
    writing_ = false;
    end_sent_ = ok && outgoing_.end();
    // Its capacity, too, is given back.
    outgoing_ = v1::Chunk();
    if (!ok) break_off();
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
  void read_ahead() { this->StartRead(&incoming_); }
  void write_out() {
    writing_ = true;
    this->StartWrite(&outgoing_);
  }

  std::mutex mutex_;
  /// Belongs to gRPC while it reads.
  v1::Chunk incoming_;
  std::optional<std::string> arrived_;
  bool end_received_ = false;
  /// Belongs to gRPC while `writing_`.
  v1::Chunk outgoing_;
  bool writing_ = false;
  bool end_sent_ = false;
  bool broken_ = false;
  bool closed_ = false;
  Waiter reader_;
  Waiter writer_;
};

}  // namespace boruta::proto

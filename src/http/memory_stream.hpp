#pragma once

#include <boost/asio/cancellation_type.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/this_coro.hpp>

#include <algorithm>
#include <string>
#include <string_view>
#include <utility>

#include "http/byte_stream.hpp"

/// A connection without a socket, for tests.
namespace boruta::http {

/// What the other side of a connection sees and does.
struct Wire {
  explicit Wire(const asio::any_io_executor& executor) : changed(executor) {}

  void send(std::string_view text) {
    to_server += text;
    changed.notify_all();
  }
  void hang_up() {
    ended = true;
    changed.notify_all();
  }

  std::string to_server;
  std::string from_server;
  /// How much one write takes; 0: the client does not read.
  std::size_t window = 1'000'000;
  bool ended = false;
  bool cancelled = false;
  bool sending_shut = false;
  bool closed = false;
  runtime::Signal changed;
};

class MemoryStream final : public ByteStream {
 public:
  explicit MemoryStream(Wire* wire) : wire_(*wire) {}

  Task<Transfer> read_some(asio::mutable_buffer into) override {
    while (wire_.to_server.empty()) {
      if (wire_.ended) co_return Transfer{.error = asio::error::eof, .count = 0};
      if (const bool ended = co_await interrupted(); ended) {
        co_return Transfer{.error = asio::error::operation_aborted, .count = 0};
      }
    }
    const auto count = std::min(into.size(), wire_.to_server.size());
    std::copy_n(wire_.to_server.begin(), count, static_cast<char*>(into.data()));
    wire_.to_server.erase(0, count);
    co_return Transfer{.error = {}, .count = count};
  }

  Task<Transfer> write_some(WriteBuffers from) override {
    while (wire_.window == 0) {
      if (const bool ended = co_await interrupted(); ended) {
        co_return Transfer{.error = asio::error::operation_aborted, .count = 0};
      }
    }
    std::size_t count = 0;
    for (const auto& buffer : from) {
      const auto part = std::min(buffer.size(), wire_.window - count);
      wire_.from_server.append(static_cast<const char*>(buffer.data()), part);
      count += part;
    }
    co_return Transfer{.error = {}, .count = count};
  }

  void cancel() override {
    wire_.cancelled = true;
    wire_.changed.notify_all();
  }
  void shutdown_send() override { wire_.sending_shut = true; }
  void close() override { wire_.closed = true; }

 private:
  Task<bool> interrupted() {
    co_await wire_.changed.wait();
    const auto state = co_await asio::this_coro::cancellation_state;
    co_return std::exchange(wire_.cancelled, false) || state.cancelled() != asio::cancellation_type::none;
  }

  Wire& wire_;
};

}  // namespace boruta::http

#include "tunnel/connection.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/connect.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>

#include <array>
#include <netinet/tcp.h>

#include "runtime/deadline.hpp"
#include "runtime/log.hpp"

namespace boruta::tunnel {
namespace {

using asio::ip::tcp;
using boost::system::error_code;

constexpr auto kAsTuple = asio::as_tuple(asio::use_awaitable);

// A side that vanished without a word is noticed after two minutes: 60 s of silence, then four probes.
constexpr int kKeepAliveIdleSeconds = 60;
constexpr int kKeepAliveIntervalSeconds = 15;
constexpr int kKeepAliveProbes = 4;

template <int name>
using TcpOption = asio::detail::socket_option::integer<IPPROTO_TCP, name>;

/// Errors are left alone: a socket that broke meanwhile says so when it is used.
void set_options(tcp::socket& socket) {
  error_code ignored;
  socket.set_option(tcp::no_delay(true), ignored);
  socket.set_option(asio::socket_base::keep_alive(true), ignored);
  socket.set_option(TcpOption<TCP_KEEPIDLE>(kKeepAliveIdleSeconds), ignored);
  socket.set_option(TcpOption<TCP_KEEPINTVL>(kKeepAliveIntervalSeconds), ignored);
  socket.set_option(TcpOption<TCP_KEEPCNT>(kKeepAliveProbes), ignored);
  socket.non_blocking(true, ignored);
}

}  // namespace

Connection::Connection(Wiring wiring, Socket user, server::TunnelTarget target, std::shared_ptr<ByteCounters> counters)
    : wiring_(wiring),
      user_(std::move(user)),
      worker_(user_.get_executor()),
      resolver_(user_.get_executor()),
      target_(std::move(target)),
      counters_(std::move(counters)) {}

Task<void> Connection::run() {
  using namespace asio::experimental::awaitable_operators;
  const auto error = co_await runtime::with_deadline(*wiring_.clock, wiring_.dial_timeout, dial());
  if (!cut_ && (!error || !error->empty())) {
    runtime::log_warning(
        "worker cannot be reached through its tunnel",
        {{"address", target_.address}, {"port", std::to_string(target_.port)}, {"error", error.value_or("no answer")}});
  }
  if (cut_ || !error || !error->empty()) {
    close();
    co_return;
  }
  set_options(user_);
  set_options(worker_);
  co_await (relay(&user_, &worker_, &counters_->to_worker) && relay(&worker_, &user_, &counters_->to_user));
  close();
}

Task<std::string> Connection::dial() {
  if (cut_) co_return "cut";
  error_code not_literal;
  const auto literal = asio::ip::make_address(target_.address, not_literal);
  if (!not_literal) {
    const tcp::endpoint endpoint(literal, target_.port);
    const auto [error] = co_await worker_.async_connect(endpoint, kAsTuple);
    co_return error ? error.message() : std::string();
  }
  const auto [unknown, found] =
      co_await resolver_.async_resolve(target_.address, std::to_string(target_.port), kAsTuple);
  if (unknown) co_return unknown.message();
  if (cut_) co_return "cut";
  const auto [error, endpoint] = co_await asio::async_connect(worker_, found, kAsTuple);
  co_return error ? error.message() : std::string();
}

Task<void> Connection::relay(Socket* from, Socket* to, std::atomic<std::uint64_t>* counter) {
  while (true) {
    auto buffer = wiring_.buffers->take();
    const bool open = co_await pass_on(from, to, buffer.get(), counter);
    wiring_.buffers->give_back(std::move(buffer));
    if (!open) co_return;
    const auto [error] = co_await from->async_wait(Socket::wait_read, kAsTuple);
    if (error) co_return close();
  }
}

Task<bool> Connection::pass_on(Socket* from, Socket* to, std::byte* buffer, std::atomic<std::uint64_t>* counter) {
  while (true) {
    error_code error;
    const auto read = from->read_some(asio::buffer(buffer, wiring_.buffers->bytes()), error);
    if (error == asio::error::would_block) co_return true;
    if (error == asio::error::eof) {
      // Only this direction has ended: the other may still have much to say.
      to->shutdown(Socket::shutdown_send, error);
      co_return false;
    }
    if (error) {
      close();
      co_return false;
    }
    *counter += read;
    const auto [broken, written] = co_await asio::async_write(*to, asio::buffer(buffer, read), kAsTuple);
    // What `to` said before it broke still reaches `from`, and then ends this connection.
    if (broken) co_return false;
  }
}

void Connection::cut() {
  asio::post(executor(), [self = shared_from_this()] { self->reset(); });
}

void Connection::reset() {
  cut_ = true;
  error_code ignored;
  user_.set_option(asio::socket_base::linger(true, 0), ignored);
  worker_.set_option(asio::socket_base::linger(true, 0), ignored);
  close();
}

void Connection::close() {
  error_code ignored;
  resolver_.cancel();
  user_.close(ignored);
  worker_.close(ignored);
}

}  // namespace boruta::tunnel

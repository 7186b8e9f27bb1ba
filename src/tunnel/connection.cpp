#include "tunnel/connection.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "base/limits.hpp"
#include "runtime/tcp_options.hpp"

namespace boruta::tunnel {
namespace {

using boost::system::error_code;

constexpr auto kAsTuple = asio::as_tuple(asio::use_awaitable);

}  // namespace

Connection::Connection(SpareSplices* splices, Socket user, std::shared_ptr<Counters> counters)
    : splices_(*splices),
      user_(std::move(user)),
      worker_{.socket = Socket(user_.get_executor()), .pipe = nullptr},
      counters_(std::move(counters)) {}

Connection::~Connection() {
  if (worker_.pipe) worker_.pipe->close();
}

Task<void> Connection::run() {
  using namespace asio::experimental::awaitable_operators;
  runtime::set_relay_options(user_);
  if (worker_.pipe) {
    co_await runtime::join_socket_and_pipe(&user_, worker_.pipe, limits::kTunnelChunkBytes, counters_.get());
  } else {
    runtime::set_relay_options(worker_.socket);
    co_await (relay(&user_, &worker_.socket, &counters_->from_socket) &&
              relay(&worker_.socket, &user_, &counters_->from_pipe));
  }
  close();
}

Task<void> Connection::relay(Socket* from, Socket* to, std::atomic<std::uint64_t>* counter) {
  while (true) {
    auto splice = splices_.take();
    if (const bool open = co_await move_on(splice.get(), from, to, counter); !open) co_return;
    splices_.give_back(std::move(splice));
    const auto [error] = co_await from->async_wait(Socket::wait_read, kAsTuple);
    if (error) co_return close();
  }
}

Task<bool> Connection::move_on(Splice* splice, Socket* from, Socket* to, std::atomic<std::uint64_t>* counter) {
  bool to_broke = false;
  const auto moved = co_await splice->move(from, to, &to_broke);
  if (moved) {
    *counter += *moved;
    if (*moved > 0) co_return true;
    // Only this direction has ended: the other may still have much to say.
    error_code ignored;
    to->shutdown(Socket::shutdown_send, ignored);
    co_return false;
  }
  if (moved.error() == asio::error::would_block && !to_broke) co_return true;
  // What `to` said before it broke still reaches `from`, and then ends this connection.
  if (!to_broke) close();
  co_return false;
}

void Connection::cut() {
  asio::post(executor(), [self = shared_from_this()] {
    runtime::reset_on_close(self->user_);
    runtime::reset_on_close(self->worker_.socket);
    self->close();
  });
}

void Connection::close() {
  error_code ignored;
  user_.close(ignored);
  worker_.socket.close(ignored);
  if (worker_.pipe) worker_.pipe->close();
}

}  // namespace boruta::tunnel

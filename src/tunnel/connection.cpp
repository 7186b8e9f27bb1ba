#include "tunnel/connection.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>

#include "base/limits.hpp"
#include "runtime/tcp_options.hpp"

namespace boruta::tunnel {
namespace {

using boost::system::error_code;

constexpr auto kAsTuple = asio::as_tuple(asio::use_awaitable);

}  // namespace

Connection::Connection(Buffers* buffers, Socket user, std::shared_ptr<Counters> counters)
    : buffers_(*buffers),
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
    buffers_.begin_connection();
    co_await (relay(&user_, &worker_.socket, &counters_->from_socket) &&
              relay(&worker_.socket, &user_, &counters_->from_pipe));
    buffers_.end_connection();
  }
  close();
}

Task<void> Connection::relay(Socket* from, Socket* to, std::atomic<std::uint64_t>* counter) {
  while (true) {
    bool open = false;
    if (buffers_.splices()) {
      auto splice = buffers_.take_splice();
      open = co_await move_on(splice.get(), from, to, counter);
      if (open) buffers_.give_back(std::move(splice));
    } else {
      auto buffer = buffers_.take();
      open = co_await pass_on(from, to, buffer.get(), counter);
      buffers_.give_back(std::move(buffer));
    }
    if (!open) co_return;
    const auto [error] = co_await from->async_wait(Socket::wait_read, kAsTuple);
    if (error) co_return close();
  }
}

Task<bool> Connection::pass_on(Socket* from, Socket* to, std::byte* buffer, std::atomic<std::uint64_t>* counter) {
  while (true) {
    error_code error;
    const auto read = from->read_some(asio::buffer(buffer, buffers_.bytes()), error);
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

Task<bool> Connection::move_on(Splice* splice, Socket* from, Socket* to, std::atomic<std::uint64_t>* counter) {
  bool to_broke = false;
  const auto moved = co_await splice->move(from, to, &to_broke);
  if (moved) {
    *counter += *moved;
    if (*moved > 0) co_return true;
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

#include "runtime/byte_pipe.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>

#include <utility>

namespace boruta::runtime {
namespace {

using Socket = asio::ip::tcp::socket;
using boost::system::error_code;

constexpr auto kAsTuple = asio::as_tuple(asio::use_awaitable);
/// Of a chunk; less is worth waiting for more.
constexpr std::size_t kSmallPart = 4;

/// What both directions know of each other.
struct Joint {
  Socket* socket;
  std::shared_ptr<BytePipe> pipe;
  std::size_t chunk_bytes;
  ByteCounters* counters;
  bool socket_ended = false;
  bool pipe_ended = false;

  /// Ends the other direction too.
  void tear_down() const {
    error_code ignored;
    socket->close(ignored);
    pipe->close();
  }
};

/// What can be read now, without waiting; nothing, with an error that tells why.
Outgoing read_now(Socket& socket, std::size_t most, error_code& error) {
  Outgoing bytes{.data = std::make_unique_for_overwrite<std::byte[]>(most)};
  bytes.size = socket.read_some(asio::buffer(bytes.data.get(), most), error);
  return bytes;
}

Task<void> socket_to_pipe(Joint* joint) {
  while (true) {
    const auto [failed] = co_await joint->socket->async_wait(Socket::wait_read, kAsTuple);
    if (failed) co_return joint->tear_down();
    error_code error;
    // A small piece costs as much as a large one: what comes while others are on their way goes together.
    if (joint->socket->available(error) < joint->chunk_bytes / kSmallPart) co_await joint->pipe->drained();
    auto bytes = read_now(*joint->socket, joint->chunk_bytes, error);
    if (error == asio::error::would_block) continue;
    if (error == asio::error::eof) break;
    if (error) co_return joint->tear_down();
    joint->counters->from_socket += bytes.size;
    const bool written = co_await joint->pipe->write(std::move(bytes));
    if (!written) co_return joint->tear_down();
  }
  const bool ended = co_await joint->pipe->write_end();
  joint->socket_ended = true;
  if (!ended) co_return joint->tear_down();
  // The other direction still waits to hear that the pipe broke.
  if (joint->pipe_ended) joint->pipe->close();
}

Task<void> pipe_to_socket(Joint* joint) {
  while (true) {
    const auto bytes = co_await joint->pipe->read();
    if (!bytes) co_return joint->tear_down();
    if (bytes->pieces.empty()) break;
    joint->counters->from_pipe += bytes->size();
    const auto [failed, size] = co_await asio::async_write(*joint->socket, bytes->pieces, kAsTuple);
    // What the socket said before it broke still reaches the pipe, and then ends it.
    if (failed) co_return;
  }
  joint->pipe_ended = true;
  error_code ignored;
  joint->socket->shutdown(Socket::shutdown_send, ignored);
  if (joint->socket_ended) co_return;
  const auto nothing = co_await joint->pipe->read();
  if (!joint->socket_ended) joint->tear_down();
}

}  // namespace

Task<void> join_socket_and_pipe(Socket* socket, std::shared_ptr<BytePipe> pipe, std::size_t chunk_bytes,
                                ByteCounters* counters) {
  using namespace asio::experimental::awaitable_operators;
  Joint joint{.socket = socket, .pipe = std::move(pipe), .chunk_bytes = chunk_bytes, .counters = counters};
  co_await (socket_to_pipe(&joint) && pipe_to_socket(&joint));
  joint.tear_down();
}

}  // namespace boruta::runtime

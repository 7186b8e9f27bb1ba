#pragma once

#include <boost/asio/buffer.hpp>
#include <boost/asio/ip/tcp.hpp>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "runtime/task.hpp"

namespace boruta::runtime {

/// Bytes that came, in pieces that stay where they came.
struct Arrived {
  std::vector<boost::asio::const_buffer> pieces;
  /// The pieces live as long.
  std::shared_ptr<const void> owner;

  [[nodiscard]] std::size_t size() const { return boost::asio::buffer_size(pieces); }
};

/// Bytes that are to go.
struct Outgoing {
  std::unique_ptr<std::byte[]> data;
  std::size_t size = 0;
};

/// A connection that is not a socket: bytes both ways, and each direction can end while the other goes on.
/// One reader and one writer at a time; both may be on any executor, and are resumed on their own.
/// Bounded: a writer waits while the other end's reader stalls.
class BytePipe {
 public:
  virtual ~BytePipe() = default;

  /// The next bytes. Empty: the other end has ended its direction, in order. Nothing: the pipe is broken or closed,
  /// which is also what a read after the end waits for.
  virtual Task<std::optional<Arrived>> read() = 0;
  /// Queues `bytes`, which are not empty, after waiting for room. False when the pipe is broken or closed.
  virtual Task<bool> write(Outgoing bytes) = 0;
  /// Returns once nothing that was written is still queued here, or the pipe is broken.
  virtual Task<void> drained() = 0;
  /// Ends this end's direction; returns when all that was written is on its way.
  virtual Task<bool> write_end() = 0;
  /// When both directions have ended, lets the pipe go in order, else breaks it at once. Repeating it is fine.
  /// Threads: any.
  virtual void close() = 0;
};

/// Bytes that came from each side.
struct ByteCounters {
  std::atomic<std::uint64_t> from_socket = 0;
  std::atomic<std::uint64_t> from_pipe = 0;
};

/// Joins `socket` and `pipe` until both directions have ended, or one side is broken or closed. Both are closed when it
/// returns. `chunk_bytes` are read at once at most; a connection that is silent holds no buffer.
/// Thread: the executor of `socket`, a strand.
Task<void> join_socket_and_pipe(boost::asio::ip::tcp::socket* socket, std::shared_ptr<BytePipe> pipe,
                                std::size_t chunk_bytes, ByteCounters* counters);

}  // namespace boruta::runtime

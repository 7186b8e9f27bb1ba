#pragma once

#include <boost/asio/buffer.hpp>
#include <boost/system/error_code.hpp>

#include <array>
#include <cstddef>

#include "runtime/task.hpp"

namespace boruta::http {

/// One connection's bytes, whatever carries them: TCP, later TLS, memory in tests.
/// Thread: the connection's executor. At most one read and one write at a time.
class ByteStream {
 public:
  struct Transfer {
    boost::system::error_code error;
    std::size_t count = 0;
  };
  using WriteBuffers = std::array<asio::const_buffer, 2>;

  virtual ~ByteStream() = default;

  /// Reads at least one byte. Obeys cancellation.
  virtual Task<Transfer> read_some(asio::mutable_buffer into) = 0;
  /// Writes at least one byte of `from`, in order.
  virtual Task<Transfer> write_some(WriteBuffers from) = 0;
  /// Writes what leaves without a wait, as most answers do: maybe nothing. What goes wrong, `write_some` tells.
  virtual std::size_t write_now(const WriteBuffers& /*from*/) { return 0; }
  /// Ends the read and the write under way with an error.
  virtual void cancel() = 0;
  /// Tells the other side that nothing more will come; it may still send.
  virtual void shutdown_send() = 0;
  virtual void close() = 0;
};

}  // namespace boruta::http

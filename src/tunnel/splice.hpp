#pragma once

#include <boost/asio/ip/tcp.hpp>

#include <cstddef>
#include <expected>

#include "runtime/task.hpp"

namespace boruta::tunnel {

/// Moves bytes between sockets inside the kernel. Holds a pipe, made on first use. Thread: one at a time.
class Splice {
 public:
  using Socket = asio::ip::tcp::socket;

  Splice() = default;
  Splice(const Splice&) = delete;
  Splice& operator=(const Splice&) = delete;
  ~Splice();

  /// Moves what can be read from `from` now; how much, 0 at the end of `from`, or would_block where nothing can be
  /// read. `to_broke` tells which of the two failed. Waits while `to` takes nothing. Both are non-blocking.
  Task<std::expected<std::size_t, boost::system::error_code>> move(Socket* from, Socket* to, bool* to_broke);

 private:
  bool open();

  int in_ = -1;
  int out_ = -1;
};

}  // namespace boruta::tunnel

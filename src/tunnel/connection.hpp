#pragma once

#include <boost/asio/ip/tcp.hpp>

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>

#include "runtime/clock.hpp"
#include "runtime/task.hpp"
#include "server/tunnels.hpp"
#include "tunnel/buffers.hpp"

namespace boruta::tunnel {

/// Bytes of a job's connections, counted when they were read from one side. Threads: any.
struct ByteCounters {
  std::atomic<std::uint64_t> to_worker = 0;
  std::atomic<std::uint64_t> to_user = 0;
};

/// One user's connection and its other half to the worker.
/// Bounded: each direction holds one buffer at most, and reads on only when that is written; a stalled reader thus
/// stalls the sender.
/// Thread: the executor of `user`, a strand; only `cut` may be called from anywhere.
class Connection : public std::enable_shared_from_this<Connection> {
 public:
  using Socket = asio::ip::tcp::socket;

  /// What it is wired to; all of it outlives the connection.
  struct Wiring {
    runtime::Clock* clock = nullptr;
    Duration dial_timeout{};
    Buffers* buffers = nullptr;
  };

  Connection(Wiring wiring, Socket user, server::TunnelTarget target, std::shared_ptr<ByteCounters> counters);

  [[nodiscard]] asio::any_io_executor executor() { return user_.get_executor(); }

  /// Dials the worker and relays until both sides have ended, one has broken, or it was cut. Both sockets are closed
  /// when it returns.
  Task<void> run();
  /// Resets both sides; what was on its way is lost.
  void cut();

 private:
  /// Nothing when the worker was reached, else why not.
  Task<std::string> dial();
  Task<void> relay(Socket* from, Socket* to, std::atomic<std::uint64_t>* counter);
  /// Passes on what can be read now. False when `from` has ended or one side is broken.
  Task<bool> pass_on(Socket* from, Socket* to, std::byte* buffer, std::atomic<std::uint64_t>* counter);
  void close();
  void reset();

  Wiring wiring_;
  Socket user_;
  Socket worker_;
  asio::ip::tcp::resolver resolver_;
  server::TunnelTarget target_;
  std::shared_ptr<ByteCounters> counters_;
  bool cut_ = false;
};

}  // namespace boruta::tunnel

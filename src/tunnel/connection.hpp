#pragma once

#include <boost/asio/ip/tcp.hpp>

#include <atomic>
#include <cstdint>
#include <memory>

#include "runtime/byte_pipe.hpp"
#include "runtime/task.hpp"
#include "tunnel/dialer.hpp"
#include "tunnel/spare_splices.hpp"

namespace boruta::tunnel {

/// One user's connection and its other half to the worker.
/// Bounded: each direction holds what one splice moves at most, and reads on only when that is written. So a stalled
/// reader stalls the sender.
///
/// Thread: until `run`, the coordinator's strand; then the executor of `user`, a strand, but for `cut`.
class Connection : public std::enable_shared_from_this<Connection> {
 public:
  using Socket = asio::ip::tcp::socket;
  /// The user is the socket's side, the worker the pipe's.
  using Counters = runtime::ByteCounters;

  Connection(SpareSplices* splices, Socket user, std::shared_ptr<Counters> counters);
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;
  ~Connection();

  [[nodiscard]] asio::any_io_executor executor() { return user_.get_executor(); }
  /// To be filled before `run`.
  [[nodiscard]] WorkerEnd& worker() { return worker_; }

  /// Relays until both sides have ended, one has broken, or it was cut. Both sides are closed when it returns.
  Task<void> run();
  /// Resets both sides; what was on its way is lost. Thread: any.
  void cut();

 private:
  Task<void> relay(Socket* from, Socket* to, std::atomic<std::uint64_t>* counter);
  /// Passes on what can be read now. False when `from` has ended or one side is broken.
  Task<bool> move_on(Splice* splice, Socket* from, Socket* to, std::atomic<std::uint64_t>* counter);
  void close();

  SpareSplices& splices_;
  Socket user_;
  WorkerEnd worker_;
  std::shared_ptr<Counters> counters_;
};

}  // namespace boruta::tunnel

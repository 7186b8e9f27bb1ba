#pragma once

#include <cstdint>
#include <functional>
#include <list>
#include <memory>
#include <string>

#include "base/secret.hpp"
#include "runtime/byte_pipe.hpp"
#include "runtime/clock.hpp"
#include "runtime/task.hpp"

namespace boruta::dryad {

/// Calls the server for one connection: gRPC's, or a test's. Thread: any.
class TunnelCaller {
 public:
  virtual ~TunnelCaller() = default;

  /// The pipe breaks when the server can't be reached or doesn't know `token`.
  virtual std::shared_ptr<runtime::BytePipe> call(const Secret& token) = 0;
};

/// Carries users' connections between the server and this worker's own sshd, and reaches nothing else.
/// Thread: the executor. Stop: `cut_all`; it must outlive `join`.
class Tunnels {
 public:
  struct Parts {
    asio::any_io_executor executor;
    /// Both must outlive this.
    runtime::Clock* clock = nullptr;
    TunnelCaller* caller = nullptr;
    /// The worker's sshd: an IP literal of this machine.
    std::string ssh_address;
    std::uint16_t ssh_port = 0;
  };

  explicit Tunnels(Parts parts);
  Tunnels(const Tunnels&) = delete;
  Tunnels& operator=(const Tunnels&) = delete;
  ~Tunnels();

  /// Connects to sshd and carries the connection named by `token`. `failed` is called with the reason, later, where
  /// sshd can't be reached or there are as many connections as there may be.
  void open(Secret token, std::function<void(Secret, std::string)> failed);
  /// Resets every connection at once: the job is over.
  void cut_all();
  /// Returns when no connection is left.
  Task<void> join();

 private:
  struct Connection;

  Task<void> serve(Secret token, std::function<void(Secret, std::string)> failed);
  /// Empty on success.
  Task<std::string> reach_sshd(std::shared_ptr<Connection> connection);

  Parts parts_;
  std::list<std::shared_ptr<Connection>> connections_;
  runtime::ByteCounters counters_;
  runtime::TaskGroup tasks_;
};

}  // namespace boruta::dryad

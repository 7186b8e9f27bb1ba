#pragma once

#include <boost/asio/ip/tcp.hpp>

#include <cstdint>
#include <memory>
#include <string>

#include "runtime/clock.hpp"
#include "runtime/task.hpp"
#include "server/tunnels.hpp"
#include "tunnel/mode.hpp"

namespace boruta::tunnel {

/// The worker's end of a connection: one of the two, once it is reached.
struct WorkerEnd {
  asio::ip::tcp::socket socket;
  std::shared_ptr<runtime::BytePipe> pipe;
};

/// Reaches workers' sshd, by dialling them or through their agents.
/// Thread: the coordinator's strand.
class Dialer {
 public:
  struct Options {
    Mode mode = Mode::kAuto;
    /// Finding the worker's address and connecting to it.
    Duration dial_timeout = std::chrono::seconds(10);
    /// The same where there is another way. A lost first packet is sent again after one second.
    Duration try_timeout = std::chrono::seconds(2);
  };

  /// Both outlive it. Without `routes` every worker is dialled.
  Dialer(runtime::Clock* clock, server::AgentRoutes* routes, Options options)
      : clock_(*clock), routes_(routes), options_(options) {}

  /// Fills `end`, which must stay until it returns; empty on success, else why not, for the log. With kAuto what worked
  /// last for the worker is tried first. Obeys cancellation; `end` may then be filled all the same.
  Task<std::string> reach(server::TunnelTarget target, RequestId job, WorkerEnd* end);
  [[nodiscard]] std::optional<server::TunnelWay> way_to(WorkerUuid worker) const;

 private:
  Task<std::string> go(server::TunnelWay way, Duration limit, server::TunnelTarget target, RequestId job,
                       WorkerEnd* end);
  Task<std::string> go_through_agent(WorkerUuid worker, RequestId job, WorkerEnd* end);

  runtime::Clock& clock_;
  server::AgentRoutes* routes_;
  Options options_;
};

}  // namespace boruta::tunnel

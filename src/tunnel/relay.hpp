#pragma once

#include <boost/asio/ip/tcp.hpp>

#include <cstddef>
#include <cstdint>
#include <expected>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>

#include "base/limits.hpp"
#include "runtime/clock.hpp"
#include "runtime/task.hpp"
#include "server/tunnels.hpp"
#include "tunnel/dialer.hpp"
#include "tunnel/spare_splices.hpp"

namespace boruta::tunnel {

class Connection;

struct Options {
  /// IP literal to listen on; "::" takes IPv4 too.
  std::string listen_address = "0.0.0.0";
  Dialer::Options dialling;
  /// At one time; one more is closed at once.
  std::size_t connections_per_job = limits::kTunnelConnectionsPerJob;
};

/// Listens on each running job's port and relays TCP between its users and its worker.
/// Threads: its state lives on the strand it was made with, from where everything is called; each connection relays on
/// a strand of its own over `io`.
/// Stop: `request_stop` closes every tunnel and refuses new ones; the relay must outlive `join`.
class Relay final : public server::Tunnels, public server::TunnelWatch {
 public:
  /// `routes` may be null: every worker is dialled then.
  Relay(asio::any_io_executor strand, asio::any_io_executor io, runtime::Clock* clock, server::AgentRoutes* routes,
        Options options);
  Relay(const Relay&) = delete;
  Relay& operator=(const Relay&) = delete;
  ~Relay() override;

  /// REQUIRES: the job has no tunnel.
  std::expected<void, std::string> open(RequestId job, std::uint16_t port, server::TunnelTarget target) override;
  void retarget(RequestId job, server::TunnelTarget target) override;
  void close(RequestId job) override;

  [[nodiscard]] std::optional<server::JobTraffic> traffic(RequestId job) const override;
  [[nodiscard]] server::TunnelTotals totals() const override;
  [[nodiscard]] std::optional<server::TunnelWay> way_to(WorkerUuid worker) const override;

  void request_stop();
  /// Returns when no connection is left.
  Task<void> join();

 private:
  struct Tunnel;

  Task<void> accept(std::shared_ptr<Tunnel> tunnel);
  void admit(const std::shared_ptr<Tunnel>& tunnel, asio::ip::tcp::socket user);
  /// Reaches the worker for one connection, relays it, and forgets it.
  Task<void> serve(std::shared_ptr<Tunnel> tunnel, std::uint64_t number);
  /// False when the worker can't be reached, or the tunnel was closed before.
  Task<bool> reach(std::shared_ptr<Tunnel> tunnel, std::shared_ptr<Connection> connection);

  asio::any_io_executor strand_;
  asio::any_io_executor io_;
  runtime::Clock& clock_;
  Options options_;
  Dialer dialer_;
  SpareSplices splices_;
  std::unordered_map<RequestId, std::shared_ptr<Tunnel>> tunnels_;
  /// Without what the open tunnels carried.
  server::TunnelTotals totals_;
  bool stopping_ = false;
  runtime::TaskGroup tasks_;
};

}  // namespace boruta::tunnel

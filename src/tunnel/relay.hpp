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
#include "tunnel/buffers.hpp"

namespace boruta::tunnel {

struct Options {
  /// IP literal to listen on; "::" takes IPv4 too.
  std::string listen_address = "0.0.0.0";
  /// Finding the worker's address and connecting to it.
  Duration dial_timeout = std::chrono::seconds(10);
  /// At one time; one more is closed at once.
  std::size_t connections_per_job = limits::kTunnelConnectionsPerJob;
  /// Held by each direction through which bytes flow.
  std::size_t buffer_bytes = std::size_t{256} * 1024;
};

/// What went through a job's tunnel since it was opened.
struct JobTraffic {
  std::uint64_t bytes_to_worker = 0;
  std::uint64_t bytes_to_user = 0;
  /// Accepted and relayed; without those beyond the limit.
  std::uint64_t connections = 0;

  friend bool operator==(const JobTraffic&, const JobTraffic&) = default;
};

/// Listens on each running job's port and relays TCP between its users and its worker.
/// Threads: its state lives on the strand it was made with, from where everything is called; each connection relays on
/// a strand of its own over `io`.
/// Stop: `request_stop` closes every tunnel and refuses new ones; the relay must outlive `join`.
class Relay final : public server::Tunnels {
 public:
  Relay(asio::any_io_executor strand, asio::any_io_executor io, runtime::Clock* clock, Options options);
  Relay(const Relay&) = delete;
  Relay& operator=(const Relay&) = delete;
  ~Relay() override;

  /// REQUIRES: the job has no tunnel.
  std::expected<void, std::string> open(RequestId job, std::uint16_t port, server::TunnelTarget target) override;
  void retarget(RequestId job, server::TunnelTarget target) override;
  void close(RequestId job) override;

  /// Nothing if the job has no tunnel.
  [[nodiscard]] std::optional<JobTraffic> traffic(RequestId job) const;

  void request_stop();
  /// Returns when no connection is left.
  Task<void> join();

 private:
  struct Tunnel;

  Task<void> accept(std::shared_ptr<Tunnel> tunnel);
  void admit(const std::shared_ptr<Tunnel>& tunnel, asio::ip::tcp::socket user);

  asio::any_io_executor strand_;
  asio::any_io_executor io_;
  runtime::Clock& clock_;
  Options options_;
  Buffers buffers_;
  std::unordered_map<RequestId, std::shared_ptr<Tunnel>> tunnels_;
  bool stopping_ = false;
  runtime::TaskGroup tasks_;
};

}  // namespace boruta::tunnel

#pragma once

#include <cstdint>
#include <expected>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/ids.hpp"
#include "runtime/byte_pipe.hpp"
#include "runtime/task.hpp"

namespace boruta::server {

/// Where a job's tunnel leads.
struct TunnelTarget {
  WorkerUuid worker;
  /// Of the worker's sshd, as the server may dial it.
  std::string address;
  std::uint16_t port = 0;

  friend bool operator==(const TunnelTarget&, const TunnelTarget&) = default;
};

/// How a connection gets to a worker's sshd.
enum class TunnelWay : std::uint8_t {
  kDirect,  ///< the server dials it
  kAgent,   ///< the worker's agent does, and carries the bytes over a connection that it opened itself
};

/// "direct", "agent".
[[nodiscard]] std::string_view to_string(TunnelWay way);

/// What went through a job's tunnel since this server opened it.
struct JobTraffic {
  std::uint64_t bytes_to_worker = 0;
  std::uint64_t bytes_to_user = 0;
  /// Accepted and relayed; without those beyond the limit.
  std::uint64_t connections = 0;

  friend bool operator==(const JobTraffic&, const JobTraffic&) = default;
};

/// What went through all tunnels since this server started.
struct TunnelTotals {
  std::uint64_t bytes_to_worker = 0;
  std::uint64_t bytes_to_user = 0;
  /// That reached their worker.
  std::uint64_t direct_connections = 0;
  std::uint64_t agent_connections = 0;
  /// That reached no worker.
  std::uint64_t failed_connections = 0;
  /// Closed at once, because their job had as many as it may.
  std::uint64_t refused_connections = 0;
  std::uint64_t open_connections = 0;

  friend bool operator==(const TunnelTotals&, const TunnelTotals&) = default;
};

/// Listens for users and relays them to the workers. Implemented by the tunnel folder, and by simulations.
/// Thread: the coordinator's strand.
class Tunnels {
 public:
  virtual ~Tunnels() = default;

  /// Listens on `port` for the job's user. The error is for the log; the port is then taken by somebody else.
  virtual std::expected<void, std::string> open(RequestId job, std::uint16_t port, TunnelTarget target) = 0;
  /// Where later connections go.
  virtual void retarget(RequestId job, TunnelTarget target) = 0;
  /// Closes the listener and cuts the established connections. No-op if there is none.
  virtual void close(RequestId job) = 0;
};

/// What is known of the tunnels, for those who watch. Thread: the coordinator's strand.
class TunnelWatch {
 public:
  virtual ~TunnelWatch() = default;

  /// Nothing if the job has no tunnel.
  [[nodiscard]] virtual std::optional<JobTraffic> traffic(RequestId job) const = 0;
  [[nodiscard]] virtual TunnelTotals totals() const = 0;
  /// How the worker's connections go; nothing while none has found out.
  [[nodiscard]] virtual std::optional<TunnelWay> way_to(WorkerUuid worker) const = 0;
};

/// Reaches workers through their agents, and remembers how each is reached until its agent connects anew.
/// Thread: the coordinator's strand.
class AgentRoutes {
 public:
  virtual ~AgentRoutes() = default;

  /// Has the worker's agent connect to its sshd for `job`. The error is for the log. Obeys cancellation.
  virtual Task<std::expected<std::shared_ptr<runtime::BytePipe>, std::string>> dial(WorkerUuid worker,
                                                                                    RequestId job) = 0;
  /// What worked last.
  [[nodiscard]] virtual std::optional<TunnelWay> known_way(WorkerUuid worker) const = 0;
  virtual void learn_way(WorkerUuid worker, TunnelWay way) = 0;
};

}  // namespace boruta::server

#pragma once

#include <cstdint>
#include <expected>
#include <string>

#include "base/ids.hpp"

namespace boruta::server {

/// Where a job's tunnel leads.
struct TunnelTarget {
  std::string address;
  std::uint16_t port = 0;

  friend bool operator==(const TunnelTarget&, const TunnelTarget&) = default;
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

}  // namespace boruta::server

#pragma once

#include <boost/asio/any_io_executor.hpp>

#include <chrono>
#include <memory>
#include <string>

#include "base/secret.hpp"
#include "dryad/link.hpp"

namespace boruta::dryad {

struct GrpcOptions {
  /// "HOST:PORT".
  std::string address;
  /// PEM of the certificates to trust; empty: no TLS.
  std::string ca_pem;
  /// Sent as "authorization: Bearer …"; empty: none is sent.
  Secret token;
  std::chrono::milliseconds keepalive_every = std::chrono::seconds(10);
  std::chrono::milliseconds keepalive_timeout = std::chrono::seconds(10);
  /// gRPC's own pause between attempts to connect is never longer.
  std::chrono::milliseconds longest_pause = std::chrono::seconds(10);
};

/// Streams over one channel, however many there are. Handlers run on `executor`, which must run until each stream
/// that was opened has ended.
[[nodiscard]] std::unique_ptr<Connector> make_grpc_connector(GrpcOptions options,
                                                             boost::asio::any_io_executor executor);

}  // namespace boruta::dryad

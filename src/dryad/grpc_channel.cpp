#include "dryad/grpc_channel.hpp"

#include <grpcpp/grpcpp.h>

#include "base/limits.hpp"

namespace boruta::dryad {
namespace {

constexpr int kMessageBytes = 1 << 20;
/// How long one attempt to connect may take at least.
constexpr int kConnectMs = 5000;
constexpr int kFirstPauseMs = 200;

grpc::ChannelArguments make_arguments(const GrpcOptions& options) {
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIME_MS, static_cast<int>(options.keepalive_every.count()));
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, static_cast<int>(options.keepalive_timeout.count()));
  // Keepalive goes on while nothing else is said; heartbeats alone would not tell a dead connection for minutes.
  arguments.SetInt(GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0);
  arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, kFirstPauseMs);
  arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, static_cast<int>(options.longest_pause.count()));
  arguments.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, kConnectMs);
  arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  arguments.SetMaxReceiveMessageSize(kMessageBytes);
  return arguments;
}

std::shared_ptr<grpc::Channel> make_channel(const GrpcOptions& options, const grpc::ChannelArguments& arguments) {
  std::shared_ptr<grpc::ChannelCredentials> credentials;
  if (options.ca_pem.empty()) {
    credentials = grpc::InsecureChannelCredentials();
  } else {
    grpc::SslCredentialsOptions tls;
    tls.pem_root_certs = options.ca_pem;
    credentials = grpc::SslCredentials(tls);
  }
  return grpc::CreateCustomChannel(options.address, credentials, arguments);
}

}  // namespace

std::shared_ptr<grpc::Channel> make_stream_channel(const GrpcOptions& options) {
  return make_channel(options, make_arguments(options));
}

std::shared_ptr<grpc::Channel> make_tunnel_channel(const GrpcOptions& options) {
  auto arguments = make_arguments(options);
  // A stalled reader stalls its writer after so much, however fast the network is.
  arguments.SetInt(GRPC_ARG_HTTP2_BDP_PROBE, 0);
  arguments.SetInt(GRPC_ARG_HTTP2_STREAM_LOOKAHEAD_BYTES, static_cast<int>(limits::kTunnelWindowBytes));
  arguments.SetInt(GRPC_ARG_HTTP2_MAX_FRAME_SIZE, static_cast<int>(limits::kTunnelChunkBytes));
  // Else it could be given the stream's connection.
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  return make_channel(options, arguments);
}

}  // namespace boruta::dryad

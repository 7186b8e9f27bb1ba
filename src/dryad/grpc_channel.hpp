#pragma once

#include <grpcpp/channel.h>

#include <memory>

#include "dryad/grpc_link.hpp"

namespace boruta::dryad {

/// A channel for the agent's stream. Channels of one kind to one server share a connection.
[[nodiscard]] std::shared_ptr<grpc::Channel> make_stream_channel(const GrpcOptions& options);

/// A channel for tunnelled connections: over a connection of its own, made when it is first needed, so that commands
/// never wait behind a user's bytes.
[[nodiscard]] std::shared_ptr<grpc::Channel> make_tunnel_channel(const GrpcOptions& options);

}  // namespace boruta::dryad

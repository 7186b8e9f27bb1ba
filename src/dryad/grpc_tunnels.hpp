#pragma once

#include <memory>

#include "dryad/grpc_link.hpp"
#include "dryad/tunnels.hpp"

namespace boruta::dryad {

/// Over a connection of its own to the server of `options`. It waits for its calls when it is destroyed, so all of them
/// must have been closed by then.
[[nodiscard]] std::unique_ptr<TunnelCaller> make_grpc_tunnel_caller(const GrpcOptions& options);

}  // namespace boruta::dryad

#pragma once

#include <grpcpp/grpcpp.h>

#include <optional>
#include <string>
#include <string_view>

#include "base/secret.hpp"

/// What a call says about who makes it, beside its messages.
namespace boruta::superviser {

/// The IP literal in gRPC's name for a peer, "ipv4:192.0.2.1:4711" or "ipv6:%5B2001:db8::1%5D:4711"; an IPv4 address
/// that is mapped into IPv6 comes as IPv4. Empty for peers without an IP address.
[[nodiscard]] std::string peer_address(std::string_view peer);

/// The token that the call shows.
[[nodiscard]] std::optional<Secret> token_in(const grpc::CallbackServerContext& context);

}  // namespace boruta::superviser

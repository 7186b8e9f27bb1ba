#pragma once

#include <chrono>
#include <expected>
#include <string>

#include "dryad/grpc_link.hpp"

namespace boruta::dryad {

/// What the server says of a worker that is not registered (yet).
struct ServerAnswer {
  /// False: a server that can't be asked. It is reachable, and nothing else is known.
  bool can_tell = true;
  /// Why it would not let the worker in; empty: it would.
  std::string refusal;
  /// How far this machine's clock is ahead of the server's; negative: behind. As exact as the answer was quick.
  std::chrono::microseconds ahead{};
};

/// Asks the server in `options` whether it would let in the worker `uuid` (empty: any) with the token there. Registers
/// nothing. Blocks, for at most `limit`. Error: it can't be reached, with the network's words.
std::expected<ServerAnswer, std::string> ask_server(const GrpcOptions& options, const std::string& uuid,
                                                    std::chrono::milliseconds limit);

}  // namespace boruta::dryad

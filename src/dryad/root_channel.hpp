#pragma once

#include <cstddef>
#include <expected>
#include <optional>
#include <string>
#include <string_view>

#include "runtime/descriptor.hpp"

namespace boruta::dryad::root {

/// What is sent in one piece over a connected unix stream socket.
struct Frame {
  std::string bytes;
  /// Comes with it, if one does.
  runtime::Descriptor descriptor;
};

/// Sends `bytes`, and with them a copy of `descriptor` unless that is -1. Blocks. False: the other side is gone.
bool send_frame(int socket, std::string_view bytes, int descriptor = -1);

/// The next frame. Blocks; nothing: the other side is gone. Error: a frame that is empty or longer than `limit`, after
/// which nothing that comes can be understood.
std::expected<std::optional<Frame>, std::string> receive_frame(int socket, std::size_t limit);

}  // namespace boruta::dryad::root

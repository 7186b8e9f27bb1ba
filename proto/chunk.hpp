#pragma once

#include <grpcpp/support/byte_buffer.h>

#include <optional>

#include "runtime/byte_pipe.hpp"

namespace boruta::proto {

/// What a message of Tunnel says: bytes, or (empty) the end of its direction.
/// A Chunk by hand: protobuf would copy the bytes, at either end.
[[nodiscard]] grpc::ByteBuffer encode_chunk(runtime::Outgoing bytes);
[[nodiscard]] grpc::ByteBuffer encode_end();
/// Nothing where it is no Chunk, or an empty one that is not the end.
[[nodiscard]] std::optional<runtime::Arrived> decode_chunk(const grpc::ByteBuffer& message);

}  // namespace boruta::proto

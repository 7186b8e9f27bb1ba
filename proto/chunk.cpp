#include "proto/chunk.hpp"

#include <grpcpp/grpcpp.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <utility>
#include <vector>

#include "agent.pb.h"

namespace boruta::proto {
namespace {

/// Protobuf's mark of Chunk's first field, whose value is a length and as many bytes.
constexpr std::uint8_t kDataField = (v1::Chunk::kDataFieldNumber << 3U) | 2U;
constexpr unsigned kBitsAByte = 7;
constexpr std::uint8_t kMoreFollows = 0x80;
/// A length of 32 bits has five.
constexpr std::size_t kMostLengthBytes = 5;

/// How many bytes stand before the data, where the whole message is nothing but data; else 0.
std::size_t head_of(const grpc::Slice& first, std::size_t message_bytes) {
  if (first.size() < 2 || *first.begin() != kDataField) return 0;
  std::uint64_t length = 0;
  for (std::size_t i = 0; i < kMostLengthBytes && i + 1 < first.size(); ++i) {
    const auto byte = first.begin()[i + 1];
    length |= std::uint64_t{byte & (kMoreFollows - 1U)} << (kBitsAByte * i);
    if ((byte & kMoreFollows) == 0) return length > 0 && length + i + 2 == message_bytes ? i + 2 : 0;
  }
  return 0;
}

std::optional<runtime::Arrived> decode_any(const grpc::ByteBuffer& message) {
  grpc::Slice whole;
  const auto chunk = std::make_shared<v1::Chunk>();
  if (!message.DumpToSingleSlice(&whole).ok()) return std::nullopt;
  if (!chunk->ParseFromArray(whole.begin(), static_cast<int>(whole.size()))) return std::nullopt;
  if (chunk->data().empty() != chunk->end()) return std::nullopt;
  runtime::Arrived arrived;
  if (!chunk->end()) arrived = {.pieces = {asio::buffer(chunk->data())}, .owner = chunk};
  return arrived;
}

}  // namespace

grpc::ByteBuffer encode_chunk(runtime::Outgoing bytes) {
  std::array<std::uint8_t, kMostLengthBytes + 1> head{kDataField};
  std::size_t size = 1;
  for (auto left = bytes.size; left > 0 || size == 1; left >>= kBitsAByte) {
    const auto low = static_cast<std::uint8_t>(left & (kMoreFollows - 1U));
    head.at(size++) = left >> kBitsAByte > 0 ? low | kMoreFollows : low;
  }
  const auto free = [](void* data) { delete[] static_cast<std::byte*>(data); };
  const std::array slices{grpc::Slice(head.data(), size), grpc::Slice(bytes.data.release(), bytes.size, free)};
  return {slices.data(), slices.size()};
}

grpc::ByteBuffer encode_end() {
  v1::Chunk chunk;
  chunk.set_end(true);
  const grpc::Slice slice(chunk.SerializeAsString());
  return {&slice, 1};
}

std::optional<runtime::Arrived> decode_chunk(const grpc::ByteBuffer& message) {
  const auto slices = std::make_shared<std::vector<grpc::Slice>>();
  if (!message.Dump(slices.get()).ok() || slices->empty()) return std::nullopt;
  auto head = head_of(slices->front(), message.Length());
  if (head == 0) return decode_any(message);
  runtime::Arrived arrived{.pieces = {}, .owner = slices};
  for (const auto& slice : *slices) {
    const auto skipped = std::exchange(head, head - std::min(head, slice.size()));
    const auto piece = asio::buffer(slice.begin(), slice.size()) + (skipped - head);
    if (piece.size() > 0) arrived.pieces.push_back(piece);
  }
  return arrived;
}

}  // namespace boruta::proto

#include "proto/chunk.hpp"

#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include "agent.pb.h"

namespace boruta::proto {
namespace {

runtime::Outgoing outgoing(std::string_view text) {
  runtime::Outgoing bytes{.data = std::make_unique<std::byte[]>(text.size()), .size = text.size()};
  std::ranges::transform(text, bytes.data.get(), [](char c) { return static_cast<std::byte>(c); });
  return bytes;
}

std::string text_of(const runtime::Arrived& arrived) {
  std::string text;
  for (const auto& piece : arrived.pieces) text.append(static_cast<const char*>(piece.data()), piece.size());
  return text;
}

/// As the network hands a message over: in slices of any size.
grpc::ByteBuffer in_slices(std::string_view message, std::size_t slice_bytes) {
  std::vector<grpc::Slice> slices;
  for (; !message.empty(); message.remove_prefix(std::min(slice_bytes, message.size()))) {
    slices.emplace_back(std::string(message.substr(0, slice_bytes)));
  }
  return {slices.data(), slices.size()};
}

std::string whole(const grpc::ByteBuffer& message) {
  grpc::Slice slice;
  EXPECT_TRUE(message.DumpToSingleSlice(&slice).ok());
  return {slice.begin(), slice.end()};
}

v1::Chunk chunk_of(const std::string& data, bool end = false) {
  v1::Chunk chunk;
  chunk.set_data(data);
  chunk.set_end(end);
  return chunk;
}

TEST(Chunk, IsWhatProtobufMakesOfIt) {
  for (const std::size_t size : {1, 127, 128, 16'383, 16'384, 131'072, 2'097'152}) {
    const std::string data(size, 'x');
    EXPECT_EQ(whole(encode_chunk(outgoing(data))), chunk_of(data).SerializeAsString()) << size;
  }
  EXPECT_EQ(whole(encode_end()), chunk_of("", true).SerializeAsString());
}

TEST(Chunk, ArrivesInSlicesOfAnySize) {
  std::string data(1'000, 'x');
  std::ranges::generate(data, [c = 0]() mutable { return static_cast<char>(c++); });
  const auto message = chunk_of(data).SerializeAsString();
  for (std::size_t slice_bytes = 1; slice_bytes <= message.size(); ++slice_bytes) {
    const auto arrived = decode_chunk(in_slices(message, slice_bytes));
    ASSERT_TRUE(arrived) << slice_bytes;
    EXPECT_EQ(text_of(*arrived), data) << slice_bytes;
    EXPECT_EQ(arrived->size(), data.size());
  }
}

TEST(Chunk, IsTheEndWhenItSaysSo) {
  const auto arrived = decode_chunk(encode_end());
  ASSERT_TRUE(arrived);
  EXPECT_TRUE(arrived->pieces.empty());
}

TEST(Chunk, OfALaterVersionIsUnderstood) {
  // Another field behind the data, and a length that takes more bytes than it needs.
  const auto later = decode_chunk(in_slices(chunk_of("data").SerializeAsString() + "\x18\x01", 100));
  ASSERT_TRUE(later);
  EXPECT_EQ(text_of(*later), "data");
  const auto padded = decode_chunk(in_slices(std::string_view("\x0a\x84\x00"
                                                              "data",
                                                              7),
                                             100));
  ASSERT_TRUE(padded);
  EXPECT_EQ(text_of(*padded), "data");
}

TEST(Chunk, ThatIsNoneIsTakenForNothing) {
  EXPECT_FALSE(decode_chunk(grpc::ByteBuffer()));
  EXPECT_FALSE(decode_chunk(in_slices(chunk_of("data", true).SerializeAsString(), 100))) << "data and an end";
  EXPECT_FALSE(
      decode_chunk(in_slices("\x0a\x05"
                             "data",
                             100)))
      << "shorter than it says";
  EXPECT_FALSE(decode_chunk(in_slices(std::string_view("\x0a\x00", 2), 100))) << "neither data nor an end";
  EXPECT_FALSE(decode_chunk(in_slices("\x0a\xff\xff\xff\xff\xff\xff", 100))) << "a length without an end";
}

}  // namespace
}  // namespace boruta::proto

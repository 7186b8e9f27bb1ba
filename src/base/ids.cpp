#include "base/ids.hpp"

#include <cstring>

namespace boruta {
namespace {

constexpr std::string_view kHexDigits = "0123456789abcdef";

constexpr bool is_dash_position(std::size_t position) {
  return position == 8 || position == 13 || position == 18 || position == 23;
}

}  // namespace

std::optional<WorkerUuid> WorkerUuid::parse(std::string_view text) {
  constexpr std::size_t kTextLength = 36;
  if (text.size() != kTextLength) return std::nullopt;
  WorkerUuid uuid;
  std::size_t nibble = 0;
  for (std::size_t position = 0; position < kTextLength; ++position) {
    if (is_dash_position(position)) {
      if (text[position] != '-') return std::nullopt;
      continue;
    }
    const auto digit = kHexDigits.find(text[position]);
    if (digit == std::string_view::npos) return std::nullopt;
    auto& byte = uuid.bytes_[nibble / 2];
    byte = static_cast<std::uint8_t>((std::size_t{byte} << 4U) | digit);
    ++nibble;
  }
  return uuid;
}

std::string WorkerUuid::to_string() const {
  std::string text;
  text.reserve(36);
  for (const auto byte : bytes_) {
    if (is_dash_position(text.size())) text.push_back('-');
    text.push_back(kHexDigits[byte >> 4U]);
    text.push_back(kHexDigits[byte & 0xFU]);
  }
  return text;
}

}  // namespace boruta

std::size_t std::hash<boruta::WorkerUuid>::operator()(const boruta::WorkerUuid& uuid) const noexcept {
  std::uint64_t high = 0;
  std::uint64_t low = 0;
  std::memcpy(&high, uuid.bytes().data(), sizeof high);
  std::memcpy(&low, uuid.bytes().data() + sizeof high, sizeof low);
  constexpr std::uint64_t kGoldenRatio = 0x9E3779B97F4A7C15ULL;
  return static_cast<std::size_t>((high ^ (low * kGoldenRatio)) * kGoldenRatio);
}

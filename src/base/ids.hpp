#pragma once

#include <array>
#include <bit>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace boruta {

/// A number that names one kind of thing. Two kinds never convert into each other.
template <class Tag>
struct NumericId {
  std::uint64_t value = 0;

  friend constexpr auto operator<=>(NumericId, NumericId) = default;
};

/// A Request, and the Job that serves it: a request has at most one job in its life. Counted from 1.
using RequestId = NumericId<struct RequestTag>;
/// A user, for ever: a name that is deleted and made again gets another. Counted from 1.
using UserId = NumericId<struct UserTag>;
/// An access token. Counted from 1.
using TokenId = NumericId<struct TokenTag>;
/// Position of an event in the journal. Counted from 1; 0 is "before the first".
using EventSeq = NumericId<struct EventSeqTag>;
/// Grows with each change of a worker's state; tells a late answer from one that still matters.
using Generation = NumericId<struct GenerationTag>;

/// A worker's `UUID` capability: RFC 4122 in lower case.
class WorkerUuid {
 public:
  constexpr WorkerUuid() = default;

  /// Nothing unless `text` is 8-4-4-4-12 lower-case hexadecimal digits.
  [[nodiscard]] static std::optional<WorkerUuid> parse(std::string_view text);

  [[nodiscard]] static constexpr WorkerUuid from_bytes(const std::array<std::uint8_t, 16>& bytes) {
    WorkerUuid uuid;
    uuid.bytes_ = bytes;
    return uuid;
  }

  [[nodiscard]] std::string to_string() const;
  [[nodiscard]] const std::array<std::uint8_t, 16>& bytes() const { return bytes_; }

  friend constexpr bool operator==(const WorkerUuid&, const WorkerUuid&) = default;
  /// As their texts compare.
  friend constexpr std::strong_ordering operator<=>(const WorkerUuid& left, const WorkerUuid& right) {
    return left.words() <=> right.words();
  }

 private:
  /// Two numbers compare faster than sixteen bytes.
  [[nodiscard]] constexpr std::array<std::uint64_t, 2> words() const {
    auto words = std::bit_cast<std::array<std::uint64_t, 2>>(bytes_);
    if constexpr (std::endian::native == std::endian::little) {
      for (auto& word : words) word = std::byteswap(word);
    }
    return words;
  }

  std::array<std::uint8_t, 16> bytes_{};
};

}  // namespace boruta

template <class Tag>
struct std::hash<boruta::NumericId<Tag>> {
  std::size_t operator()(boruta::NumericId<Tag> id) const noexcept { return std::hash<std::uint64_t>{}(id.value); }
};

template <>
struct std::hash<boruta::WorkerUuid> {
  std::size_t operator()(const boruta::WorkerUuid& uuid) const noexcept;
};

#pragma once

#include <algorithm>
#include <array>
#include <bitset>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <numeric>
#include <optional>
#include <span>
#include <vector>

#include "farm/types.hpp"

namespace boruta::farm {

/// What lists of requests filter and sort by, a column for each, so that a list that must look at every request reads
/// a few bytes of it. Requests stand by id in chunks; one of whose requests none is left takes no room.
class ListColumns {
 public:
  static constexpr std::size_t kChunk = 1'024;

  template <class Value>
  struct Range {
    Value lowest;
    Value highest;
    void widen(Value value) {
      lowest = std::min(lowest, value);
      highest = std::max(highest, value);
    }
  };

  struct Chunk {
    explicit Chunk(const Request& request)
        : priority_range{request.priority.value, request.priority.value},
          deadline_range{request.deadline.at, request.deadline.at},
          valid_after_range{request.valid_after.at, request.valid_after.at} {}

    std::bitset<kChunk> held;
    std::array<RequestState, kChunk> states{};
    std::array<std::uint8_t, kChunk> priorities{};
    std::array<UserId, kChunk> owners{};
    std::array<Instant, kChunk> deadlines{};
    std::array<Instant, kChunk> valid_afters{};
    // Within these all values lie, so that most chunks need no look at each. They only grow.
    /// A bit for each state.
    unsigned states_seen = 0;
    Range<std::uint8_t> priority_range;
    Range<Instant> deadline_range;
    Range<Instant> valid_after_range;
  };

  /// REQUIRES: the request is one that is there, or a newer one; ids in between are of requests that are not there.
  void set(const Request& request) {
    const auto place = place_of(request.id);
    skip_to(request.id);
    auto& chunk = chunks_[place / kChunk];
    if (!chunk) chunk = std::make_unique<Chunk>(request);
    const auto at = place % kChunk;
    if (!chunk->held[at]) {
      ++count_;
      ++counts_[place / kChunk];
    }
    chunk->held[at] = true;
    chunk->states.at(at) = request.state;
    chunk->priorities.at(at) = request.priority.value;
    chunk->owners.at(at) = request.owner;
    chunk->deadlines.at(at) = request.deadline.at;
    chunk->valid_afters.at(at) = request.valid_after.at;
    chunk->states_seen |= 1U << static_cast<unsigned>(request.state);
    chunk->priority_range.widen(request.priority.value);
    chunk->deadline_range.widen(request.deadline.at);
    chunk->valid_after_range.widen(request.valid_after.at);
  }
  /// Up to `last` no id is given any more.
  void skip_to(RequestId last) {
    last_ = std::max(last_, last);
    const auto chunks = static_cast<std::size_t>((last_.value + kChunk - 1) / kChunk);
    if (chunks_.size() >= chunks) return;
    chunks_.resize(chunks);
    counts_.resize(chunks);
  }
  /// REQUIRES: it is there.
  void remove(RequestId id) {
    auto& chunk = chunks_[place_of(id) / kChunk];
    chunk->held[place_of(id) % kChunk] = false;
    --count_;
    if (--counts_[place_of(id) / kChunk] == 0) chunk.reset();
  }

  /// How many there are.
  [[nodiscard]] std::size_t size() const { return count_; }
  /// The newest that was ever there; 0: none was.
  [[nodiscard]] RequestId last_id() const { return last_; }
  [[nodiscard]] bool holds(RequestId id) const {
    if (id.value == 0 || id > last_) return false;
    const auto& chunk = chunks_[place_of(id) / kChunk];
    return chunk != nullptr && chunk->held[place_of(id) % kChunk];
  }
  /// The first at `id` or behind it.
  [[nodiscard]] std::optional<RequestId> first_from(RequestId id) const {
    for (id.value = std::max<std::uint64_t>(id.value, 1); id <= last_;) {
      if (holds(id)) return id;
      const bool whole = chunks_[place_of(id) / kChunk] == nullptr;
      id.value = whole ? (place_of(id) / kChunk + 1) * kChunk + 1 : id.value + 1;
    }
    return std::nullopt;
  }
  /// The last at `id` or before it.
  [[nodiscard]] std::optional<RequestId> last_to(RequestId id) const {
    for (id = std::min(id, last_); id.value > 0;) {
      if (holds(id)) return id;
      const bool whole = chunks_[place_of(id) / kChunk] == nullptr;
      id.value = whole ? place_of(id) / kChunk * kChunk : id.value - 1;
    }
    return std::nullopt;
  }
  /// How many come before `id`.
  [[nodiscard]] std::size_t count_before(RequestId id) const {
    if (id > last_) return count_;
    const auto place = place_of(id);
    const auto chunks_before = static_cast<std::ptrdiff_t>(place / kChunk);
    auto count = std::accumulate(counts_.begin(), counts_.begin() + chunks_before, std::size_t{0});
    const auto* chunk = chunks_[place / kChunk].get();
    if (chunk == nullptr) return count;
    for (std::size_t at = 0; at < place % kChunk; ++at) count += chunk->held[at] ? 1 : 0;
    return count;
  }

  /// All, in the order of ids; null where none of a chunk is left.
  [[nodiscard]] std::span<const std::unique_ptr<Chunk>> chunks() const { return chunks_; }
  /// How many of a chunk are there.
  [[nodiscard]] std::size_t count_in(std::size_t chunk) const { return counts_[chunk]; }
  [[nodiscard]] static std::size_t place_of(RequestId id) { return static_cast<std::size_t>(id.value - 1); }

  // REQUIRES: it is there.
  [[nodiscard]] RequestState state(RequestId id) const { return chunk_of(id).states.at(place_of(id) % kChunk); }
  [[nodiscard]] std::uint8_t priority(RequestId id) const { return chunk_of(id).priorities.at(place_of(id) % kChunk); }
  [[nodiscard]] UserId owner(RequestId id) const { return chunk_of(id).owners.at(place_of(id) % kChunk); }
  [[nodiscard]] Instant deadline(RequestId id) const { return chunk_of(id).deadlines.at(place_of(id) % kChunk); }
  [[nodiscard]] Instant valid_after(RequestId id) const { return chunk_of(id).valid_afters.at(place_of(id) % kChunk); }

 private:
  [[nodiscard]] const Chunk& chunk_of(RequestId id) const { return *chunks_[place_of(id) / kChunk]; }

  std::vector<std::unique_ptr<Chunk>> chunks_;
  /// Of each chunk, how many it holds.
  std::vector<std::uint16_t> counts_;
  std::size_t count_ = 0;
  RequestId last_;
};

}  // namespace boruta::farm

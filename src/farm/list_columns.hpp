#pragma once

#include <algorithm>
#include <array>
#include <bitset>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "farm/types.hpp"

namespace boruta::farm {

/// What lists of requests filter and sort by, a column for each, so that a list that must look at every request reads
/// a few bytes of it. Requests stand by id in chunks; one of whose requests none is left takes no room.
class ListColumns {
 public:
  /// REQUIRES: the request is one that is there, or a newer one; ids in between are of requests that are not there.
  void set(const Request& request) {
    const auto place = place_of(request.id);
    skip_to(request.id);
    auto& chunk = chunks_[place / kChunk];
    if (!chunk) chunk = std::make_unique<Chunk>();
    const auto at = place % kChunk;
    count_ += chunk->held[at] ? 0 : 1;
    chunk->held[at] = true;
    chunk->states.at(at) = request.state;
    chunk->priorities.at(at) = request.priority.value;
    chunk->owners.at(at) = request.owner;
    chunk->deadlines.at(at) = request.deadline.at;
    chunk->valid_afters.at(at) = request.valid_after.at;
  }
  /// Up to `last` no id is given any more.
  void skip_to(RequestId last) {
    last_ = std::max(last_, last);
    const auto chunks = static_cast<std::size_t>((last_.value + kChunk - 1) / kChunk);
    if (chunks_.size() < chunks) chunks_.resize(chunks);
  }
  /// REQUIRES: it is there.
  void remove(RequestId id) {
    auto& chunk = chunks_[place_of(id) / kChunk];
    chunk->held[place_of(id) % kChunk] = false;
    --count_;
    if (chunk->held.none()) chunk.reset();
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
    std::size_t count = 0;
    for (std::size_t number = 0; number < place / kChunk; ++number) {
      if (chunks_[number]) count += chunks_[number]->held.count();
    }
    const auto* chunk = chunks_[place / kChunk].get();
    if (chunk == nullptr) return count;
    for (std::size_t at = 0; at < place % kChunk; ++at) count += chunk->held[at] ? 1 : 0;
    return count;
  }

  // REQUIRES: it is there.
  [[nodiscard]] RequestState state(RequestId id) const { return chunk_of(id).states.at(place_of(id) % kChunk); }
  [[nodiscard]] std::uint8_t priority(RequestId id) const { return chunk_of(id).priorities.at(place_of(id) % kChunk); }
  [[nodiscard]] UserId owner(RequestId id) const { return chunk_of(id).owners.at(place_of(id) % kChunk); }
  [[nodiscard]] Instant deadline(RequestId id) const { return chunk_of(id).deadlines.at(place_of(id) % kChunk); }
  [[nodiscard]] Instant valid_after(RequestId id) const { return chunk_of(id).valid_afters.at(place_of(id) % kChunk); }

 private:
  static constexpr std::size_t kChunk = 1'024;

  struct Chunk {
    std::bitset<kChunk> held;
    std::array<RequestState, kChunk> states{};
    std::array<std::uint8_t, kChunk> priorities{};
    std::array<UserId, kChunk> owners{};
    std::array<Instant, kChunk> deadlines{};
    std::array<Instant, kChunk> valid_afters{};
  };

  static std::size_t place_of(RequestId id) { return static_cast<std::size_t>(id.value - 1); }
  [[nodiscard]] const Chunk& chunk_of(RequestId id) const { return *chunks_[place_of(id) / kChunk]; }

  std::vector<std::unique_ptr<Chunk>> chunks_;
  std::size_t count_ = 0;
  RequestId last_;
};

}  // namespace boruta::farm

#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "match/bits.hpp"
#include "match/queue.hpp"

namespace boruta::match {

/// By signature slot, who stands first in its queue. The first of each 64 are known as well, so that the first of many
/// is found without looking at every one.
class Heads {
 public:
  /// kNoKey: its queue is empty, or held.
  void set(std::size_t slot, QueueKey head) {
    if (slot >= heads_.size()) {
      first_.resize(slot / Bits::kWord + 1, kNoKey);
      heads_.resize(first_.size() * Bits::kWord, kNoKey);
    }
    const auto old = std::exchange(heads_[slot], head);
    auto& first = first_[slot / Bits::kWord];
    if (head <= first) {
      first = head;
    } else if (old == first) {
      const auto* block = &heads_[slot / Bits::kWord * Bits::kWord];
      first = *std::min_element(block, block + Bits::kWord);
    }
    if (head == kNoKey) {
      waiting_.reset(slot);
    } else {
      waiting_.set(slot);
    }
  }

  [[nodiscard]] QueueKey at(std::size_t slot) const { return heads_[slot]; }
  /// The slots that have a head.
  [[nodiscard]] const Bits& waiting() const { return waiting_; }

  /// The lowest of those in `slots`, or kNoKey.
  [[nodiscard]] QueueKey first_of(const Bits& slots) const {
    auto lowest = kNoKey;
    Bits::for_each_common_word(slots, waiting_, [&](std::size_t index, std::uint64_t word) {
      if (first_[index] >= lowest) return;
      Bits::for_each_in(word, index, [&](std::size_t slot) { lowest = std::min(lowest, heads_[slot]); });
    });
    return lowest;
  }

 private:
  std::vector<QueueKey> heads_;
  std::vector<QueueKey> first_;
  Bits waiting_;
};

}  // namespace boruta::match

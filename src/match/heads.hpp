#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "match/bits.hpp"
#include "match/queue.hpp"

namespace boruta::match {

/// By signature slot, who stands first in its queue. The first of each 8 and of each 64 are known as well, so that the
/// first of many is found without looking at every one.
class Heads {
 public:
  /// kNoKey: its queue is empty, or held.
  void set(std::size_t slot, QueueKey head) {
    const auto word = slot / Bits::kWord;
    if (slot >= heads_.size()) {
      first_.resize(word + 1, kNoKey);
      first_of_few_.resize(first_.size() * kFew, kNoKey);
      heads_.resize(first_of_few_.size() * kFew, kNoKey);
    }
    heads_[slot] = head;
    first_of_few_[slot / kFew] = first_among(&heads_[slot / kFew * kFew]);
    first_[word] = first_among(&first_of_few_[word * kFew]);
    if (head == kNoKey) {
      waiting_.reset(slot);
    } else {
      waiting_.set(slot);
    }
  }

  /// The lowest of those in `slots`, or kNoKey.
  [[nodiscard]] QueueKey first_of(const Bits& slots) const { return first_of(slots, waiting_, kNoKey); }
  /// The lowest of those in both, or `limit` if none is lower.
  [[nodiscard]] QueueKey first_of(const Bits& left, const Bits& right, QueueKey limit) const {
    auto lowest = limit;
    Bits::for_each_common_word(left, right, [&](std::size_t index, std::uint64_t word) {
      if (first_[index] < lowest) lowest = std::min(lowest, first_in(index, word));
    });
    return lowest;
  }

 private:
  static constexpr std::size_t kFew = 8;
  static_assert(kFew * kFew == Bits::kWord);

  [[nodiscard]] static QueueKey first_among(const QueueKey* few) {
    auto first = few[0];
    for (std::size_t place = 1; place < kFew; ++place) first = std::min(first, few[place]);
    return first;
  }

  [[nodiscard]] QueueKey first_in(std::size_t index, std::uint64_t word) const {
    const auto waiting = waiting_.word(index);
    if ((waiting & ~word) == 0) return first_[index];
    auto lowest = kNoKey;
    Bits::for_each_in(word & waiting, index, [&](std::size_t slot) { lowest = std::min(lowest, heads_[slot]); });
    return lowest;
  }

  std::vector<QueueKey> heads_;
  std::vector<QueueKey> first_of_few_;
  std::vector<QueueKey> first_;
  Bits waiting_;
};

}  // namespace boruta::match

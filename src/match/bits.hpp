#pragma once

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace boruta::match {

/// A set of small numbers, 64 to a word, that grows as needed. Two of them are compared a word at a time.
class Bits {
 public:
  void set(std::size_t place) {
    if (place / kWord >= words_.size()) words_.resize(place / kWord + 1);
    words_[place / kWord] |= mask(place);
  }
  void reset(std::size_t place) {
    if (place / kWord < words_.size()) words_[place / kWord] &= ~mask(place);
  }
  [[nodiscard]] bool test(std::size_t place) const {
    return place / kWord < words_.size() && (words_[place / kWord] & mask(place)) != 0;
  }

  [[nodiscard]] bool none() const {
    return std::ranges::all_of(words_, [](std::uint64_t word) { return word == 0; });
  }

  /// Calls `visit(place)` for each member, in order.
  template <class Visit>
  void for_each(Visit visit) const {
    for (std::size_t index = 0; index < words_.size(); ++index) for_each_in(words_[index], index, visit);
  }

  /// The same for what both have.
  template <class Visit>
  static void for_each_common(const Bits& left, const Bits& right, Visit visit) {
    const auto size = std::min(left.words_.size(), right.words_.size());
    for (std::size_t index = 0; index < size; ++index) {
      for_each_in(left.words_[index] & right.words_[index], index, visit);
    }
  }

  [[nodiscard]] static bool intersect(const Bits& left, const Bits& right) {
    const auto size = std::min(left.words_.size(), right.words_.size());
    for (std::size_t index = 0; index < size; ++index) {
      if ((left.words_[index] & right.words_[index]) != 0) return true;
    }
    return false;
  }

  /// Keeps what `other` has too.
  void keep_common(const Bits& other) {
    if (words_.size() > other.words_.size()) words_.resize(other.words_.size());
    for (std::size_t index = 0; index < words_.size(); ++index) words_[index] &= other.words_[index];
  }

 private:
  static constexpr std::size_t kWord = 64;

  static std::uint64_t mask(std::size_t place) { return std::uint64_t{1} << (place % kWord); }

  template <class Visit>
  static void for_each_in(std::uint64_t word, std::size_t index, Visit& visit) {
    for (; word != 0; word &= word - 1) visit(index * kWord + static_cast<std::size_t>(std::countr_zero(word)));
  }

  std::vector<std::uint64_t> words_;
};

}  // namespace boruta::match

#pragma once

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

namespace boruta::match {

/// A set of small numbers, 64 to a word, that grows as needed. Two of them are compared a word at a time, and where
/// either has none of 4,096 numbers, those are passed over at once.
class Bits {
 public:
  void set(std::size_t place) {
    const auto word = place / kWord;
    if (word >= words_.size()) {
      words_.resize(word + 1);
      summary_.resize(word / kWord + 1);
    }
    words_[word] |= mask(place);
    summary_[word / kWord] |= mask(word);
  }
  void reset(std::size_t place) {
    const auto word = place / kWord;
    if (word >= words_.size()) return;
    words_[word] &= ~mask(place);
    if (words_[word] == 0) summary_[word / kWord] &= ~mask(word);
  }
  [[nodiscard]] bool test(std::size_t place) const {
    return place / kWord < words_.size() && (words_[place / kWord] & mask(place)) != 0;
  }

  /// Of the numbers from `index * kWord` on, a bit for each member. REQUIRES: one as large was set once.
  [[nodiscard]] std::uint64_t word(std::size_t index) const { return words_[index]; }

  void clear() {
    for_each([this](std::size_t place) { reset(place); });
  }

  [[nodiscard]] bool none() const {
    return std::ranges::all_of(summary_, [](std::uint64_t word) { return word == 0; });
  }

  /// Calls `visit(place)` for each member, in order. `visit` may reset that one.
  template <class Visit>
  void for_each(Visit visit) const {
    for_each_common(*this, *this, visit);
  }

  /// The same for what both have.
  template <class Visit>
  static void for_each_common(const Bits& left, const Bits& right, Visit visit) {
    for_each_common_word(left, right, [&](std::size_t index, std::uint64_t word) { for_each_in(word, index, visit); });
  }

  /// Calls `visit(index, word)` for the words in which both have something in common: of the numbers from
  /// `index * kWord` on, a bit for each.
  template <class Visit>
  static void for_each_common_word(const Bits& left, const Bits& right, Visit visit) {
    const auto size = std::min(left.summary_.size(), right.summary_.size());
    for (std::size_t summary = 0; summary < size; ++summary) {
      for_each_in(left.summary_[summary] & right.summary_[summary], summary, [&](std::size_t index) {
        const auto common = left.words_[index] & right.words_[index];
        if (common != 0) visit(index, common);
      });
    }
  }

  [[nodiscard]] static bool intersect(const Bits& left, const Bits& right) {
    const auto size = std::min(left.summary_.size(), right.summary_.size());
    for (std::size_t summary = 0; summary < size; ++summary) {
      auto both = left.summary_[summary] & right.summary_[summary];
      for (; both != 0; both &= both - 1) {
        const auto index = summary * kWord + static_cast<std::size_t>(std::countr_zero(both));
        if ((left.words_[index] & right.words_[index]) != 0) return true;
      }
    }
    return false;
  }

  /// Keeps what `other` has too.
  void keep_common(const Bits& other) {
    Bits common;
    for_each_common(*this, other, [&common](std::size_t place) { common.set(place); });
    *this = std::move(common);
  }

  static constexpr std::size_t kWord = 64;

  /// Calls `visit(index * kWord + bit)` for each bit of `word`, the lowest first.
  template <class Visit>
  static void for_each_in(std::uint64_t word, std::size_t index, Visit&& visit) {
    for (; word != 0; word &= word - 1) visit(index * kWord + static_cast<std::size_t>(std::countr_zero(word)));
  }

 private:
  static std::uint64_t mask(std::size_t place) { return std::uint64_t{1} << (place % kWord); }

  std::vector<std::uint64_t> words_;
  /// Which of the words have a member.
  std::vector<std::uint64_t> summary_;
};

}  // namespace boruta::match

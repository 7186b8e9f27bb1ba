#include "match/bits.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <iterator>
#include <map>
#include <ranges>
#include <set>

#include "match/heads.hpp"

namespace boruta::match {
namespace {

/// Spread over several words of the summary, with gaps.
constexpr std::size_t kPlaces = 3 * 64 * 64;

class RandomSets {
 public:
  /// By a linear congruential generator (Knuth's MMIX), whose upper bits are the better ones.
  [[nodiscard]] std::size_t pick(std::size_t below) {
    random_ = random_ * 6364136223846793005U + 1442695040888963407U;
    return (random_ >> 33U) % below;
  }

  /// The same members in both; some words are emptied again.
  void fill(Bits& bits, std::set<std::size_t>& model) {
    for (std::size_t count = pick(200); count > 0; --count) {
      const auto place = pick(4) == 0 ? pick(kPlaces) : pick(100);
      bits.set(place);
      model.insert(place);
    }
    for (std::size_t count = pick(200); count > 0; --count) {
      const auto place = pick(100);
      bits.reset(place);
      model.erase(place);
    }
  }

 private:
  std::uint64_t random_ = 1;
};

std::vector<std::size_t> members(const Bits& bits) {
  std::vector<std::size_t> found;
  bits.for_each([&found](std::size_t place) { found.push_back(place); });
  return found;
}

TEST(Bits, AreSets) {
  RandomSets random;
  for (int round = 0; round < 300; ++round) {
    Bits left;
    Bits right;
    std::set<std::size_t> left_model;
    std::set<std::size_t> right_model;
    random.fill(left, left_model);
    random.fill(right, right_model);
    EXPECT_EQ(members(left), std::vector(left_model.begin(), left_model.end()));
    EXPECT_EQ(left.none(), left_model.empty());
    for (const auto place : right_model) EXPECT_EQ(left.test(place), left_model.contains(place));
    std::vector<std::size_t> common;
    std::ranges::set_intersection(left_model, right_model, std::back_inserter(common));
    EXPECT_EQ(Bits::intersect(left, right), !common.empty());
    left.keep_common(right);
    EXPECT_EQ(members(left), common);
  }
}

TEST(Bits, MayLoseTheMemberThatIsVisited) {
  Bits bits;
  for (const std::size_t place : {0, 1, 63, 64, 5'000}) bits.set(place);
  std::vector<std::size_t> visited;
  bits.for_each([&](std::size_t place) {
    visited.push_back(place);
    if (place != 1) bits.reset(place);
  });
  EXPECT_EQ(visited, (std::vector<std::size_t>{0, 1, 63, 64, 5'000}));
  EXPECT_EQ(members(bits), std::vector<std::size_t>{1});
  bits.clear();
  EXPECT_TRUE(bits.none());
}

/// The lowest key of those slots that `chosen` has.
QueueKey first_of(const std::map<std::size_t, QueueKey>& model, const std::set<std::size_t>& chosen) {
  auto first = kNoKey;
  for (const auto& [slot, key] : model) {
    if (chosen.contains(slot)) first = std::min(first, key);
  }
  return first;
}

TEST(Heads, FindTheFirstOfAnySlots) {
  RandomSets random;
  Heads heads;
  std::map<std::size_t, QueueKey> model;
  Bits all;
  for (int round = 0; round < 300; ++round) {
    for (int changes = 0; changes < 50; ++changes) {
      const auto slot = random.pick(2) == 0 ? random.pick(200) : random.pick(kPlaces);
      const auto key = random.pick(3) == 0 ? kNoKey : QueueKey{random.pick(1'000)};
      heads.set(slot, key);
      model[slot] = key;
      all.set(slot);
    }
    Bits left;
    Bits right;
    std::set<std::size_t> left_model;
    std::set<std::size_t> right_model;
    random.fill(left, left_model);
    random.fill(right, right_model);
    std::set<std::size_t> common;
    std::ranges::set_intersection(left_model, right_model, std::inserter(common, common.end()));
    EXPECT_EQ(heads.first_of(left), first_of(model, left_model));
    const auto first = first_of(model, common);
    for (const auto limit : {QueueKey{0}, QueueKey{500}, kNoKey}) {
      EXPECT_EQ(heads.first_of(left, right, limit), std::min(first, limit));
    }
    EXPECT_EQ(heads.first_of(all), std::ranges::min(model | std::views::values));
  }
  for (const auto& [slot, key] : model) {
    Bits one;
    one.set(slot);
    EXPECT_EQ(heads.first_of(one), key);
  }
}

}  // namespace
}  // namespace boruta::match

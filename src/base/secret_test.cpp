#include "base/secret.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <memory>
#include <new>
#include <span>

namespace boruta {
namespace {

/// Short enough to be kept inside the string itself, where the test can look after the object has gone.
constexpr std::string_view kShort = "open sesame";

bool holds(std::span<const unsigned char> memory, std::string_view text) {
  return std::ranges::search(memory, text, [](unsigned char left, char right) {
           return left == static_cast<unsigned char>(right);
         }).begin() != memory.end();
}

/// Memory for one Secret that outlives it.
struct Room {
  alignas(Secret) std::array<unsigned char, sizeof(Secret)> bytes{};

  Secret* make(std::string_view text) { return ::new (bytes.data()) Secret(std::string(text)); }
};

TEST(Secret, IsWipedWhenItGoes) {
  Room room;
  auto* secret = room.make(kShort);
  ASSERT_TRUE(holds(room.bytes, kShort)) << "the test looks at the wrong place";
  std::destroy_at(secret);
  EXPECT_FALSE(holds(room.bytes, kShort));
}

TEST(Secret, IsWipedWhereItWasMovedFrom) {
  Room room;
  auto* first = room.make(kShort);
  const Secret second(std::move(*first));
  EXPECT_EQ(second.reveal(), kShort);
  EXPECT_FALSE(holds(room.bytes, kShort));
  std::destroy_at(first);

  auto* third = room.make(kShort);
  Secret fourth;
  fourth = std::move(*third);
  EXPECT_EQ(fourth.reveal(), kShort);
  EXPECT_FALSE(holds(room.bytes, kShort));
  std::destroy_at(third);
}

TEST(Secret, IsWipedWhereAShorterOneIsPut) {
  Room room;
  auto* secret = room.make(kShort);
  *secret = Secret("x");
  EXPECT_EQ(secret->reveal(), "x");
  EXPECT_FALSE(holds(room.bytes, "sesame"));
  const Secret other("y");
  *secret = other;
  EXPECT_EQ(secret->reveal(), "y");
  EXPECT_EQ(other.reveal(), "y");
  std::destroy_at(secret);
}

TEST(Secret, SurvivesBeingAssignedToItself) {
  Secret secret{std::string(kShort)};
  auto& same = secret;
  secret = same;
  EXPECT_EQ(secret.reveal(), kShort);
  secret = std::move(same);
  EXPECT_EQ(secret.reveal(), kShort);
}

TEST(Wipe, OverwritesLongTextInPlaceAndEmptiesIt) {
  std::string text(1000, 'k');
  const auto* before = text.data();
  wipe(text);
  EXPECT_TRUE(text.empty());
  EXPECT_EQ(text.data(), before) << "the memory is the string's still, so it was not copied away";
}

}  // namespace
}  // namespace boruta

#include "base/caps.hpp"

#include <gtest/gtest.h>

#include "base/limits.hpp"

namespace boruta {
namespace {

Capabilities many_caps(std::size_t count) {
  Capabilities caps;
  for (std::size_t number = 0; number < count; ++number) caps.emplace("cap" + std::to_string(number), "");
  return caps;
}

TEST(Caps, AreTakenUpToTheirLimitsAndRefusedBeyond) {
  const std::string key(limits::kCapsKeyBytes, 'k');
  const std::string value(limits::kCapsValueBytes, 'v');
  EXPECT_EQ(check_limits(Capabilities{}), std::nullopt);
  EXPECT_EQ(check_limits(many_caps(64)), std::nullopt);
  EXPECT_EQ(check_limits(many_caps(65)), "Caps has 65 entries, at most 64 are allowed");
  EXPECT_EQ(check_limits(Capabilities{{key, value}}), std::nullopt);
  EXPECT_EQ(check_limits(Capabilities{{key + "k", ""}}),
            "the name of capability \"kkkkkkkkkkkkkkkk…\" has 65 bytes, at most 64 are allowed");
  EXPECT_EQ(check_limits(Capabilities{{"ram", value + "v"}}),
            "capability \"ram\" has a value of 257 bytes, at most 256 are allowed");
  EXPECT_EQ(check_limits(Capabilities{{"", "x"}}), "Caps has an entry with an empty name");
}

TEST(Groups, AreTakenUpToTheirLimitsAndRefusedBeyond) {
  const std::string name(limits::kGroupNameBytes, 'g');
  EXPECT_EQ(check_limits(Groups{}), std::nullopt);
  EXPECT_EQ(check_limits(Groups(64, name)), std::nullopt);
  EXPECT_EQ(check_limits(Groups(65, name)), "Groups has 65 entries, at most 64 are allowed");
  EXPECT_EQ(check_limits(Groups{name + "g"}), "the group \"gggggggggggggggg…\" has 65 bytes, at most 64 are allowed");
  EXPECT_EQ(check_limits(Groups{"a", ""}), "Groups has an empty name");
}

TEST(Groups, AreSortedAndEachIsThereOnce) {
  Groups groups{"b", "a", "b", "B"};
  normalize(groups);
  EXPECT_EQ(groups, (Groups{"B", "a", "b"}));
}

TEST(Groups, IntersectWhereTheyShareOne) {
  const std::vector<std::tuple<Groups, Groups, bool>> table{{{}, {}, false},
                                                            {{"a"}, {}, false},
                                                            {{"a"}, {"a"}, true},
                                                            {{"a", "c"}, {"b", "d"}, false},
                                                            {{"a", "z"}, {"b", "c", "z"}, true},
                                                            {{"lab"}, {"lab2"}, false}};
  for (const auto& [left, right, shared] : table) {
    EXPECT_EQ(intersects(left, right), shared);
    EXPECT_EQ(intersects(right, left), shared);
  }
}

TEST(Caps, AreShownInTheOrderOfTheirNames) {
  EXPECT_EQ(format_caps({}), "");
  EXPECT_EQ(format_caps({{"ram", "4GiB"}, {"board", "rpi4"}}), "board=rpi4 ram=4GiB");
}

}  // namespace
}  // namespace boruta

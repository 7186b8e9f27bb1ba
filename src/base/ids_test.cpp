#include "base/ids.hpp"

#include <gtest/gtest.h>

#include <unordered_set>

namespace boruta {
namespace {

TEST(WorkerUuid, IsReadBackAsItWasWritten) {
  for (const auto* text : {"fa4e0000-0000-4000-8000-000000000001", "00000000-0000-0000-0000-000000000000",
                           "ffffffff-ffff-ffff-ffff-ffffffffffff", "01234567-89ab-cdef-0123-456789abcdef"}) {
    const auto uuid = WorkerUuid::parse(text);
    ASSERT_TRUE(uuid) << text;
    EXPECT_EQ(uuid->to_string(), text);
    EXPECT_EQ(WorkerUuid::from_bytes(uuid->bytes()), *uuid);
  }
}

TEST(WorkerUuid, TakesNothingButLowerCaseInItsOneForm) {
  for (const auto* text :
       {"", "fa4e0000", "fa4e0000-0000-4000-8000-00000000000", "fa4e0000-0000-4000-8000-0000000000011",
        "FA4E0000-0000-4000-8000-000000000001", "fa4e0000-0000-4000-8000-00000000000g",
        "fa4e00000-000-4000-8000-000000000001", "fa4e0000+0000-4000-8000-000000000001",
        "fa4e000000004000800000000000000100000", "{fa4e0000-0000-4000-8000-00000000001",
        " fa4e0000-0000-4000-8000-00000000001", "fa4e0000-0000-4000-8000-0000000000 1"}) {
    EXPECT_EQ(WorkerUuid::parse(text), std::nullopt) << text;
  }
  EXPECT_EQ(WorkerUuid::parse(std::string_view("fa4e0000-0000-4000-8000-00000000000\0", 36)), std::nullopt);
}

TEST(WorkerUuid, IsOrderedAsItsText) {
  const auto low = *WorkerUuid::parse("0fffffff-0000-4000-8000-000000000000");
  const auto high = *WorkerUuid::parse("f0000000-0000-4000-8000-000000000000");
  EXPECT_LT(low, high);
  EXPECT_LT(low.to_string(), high.to_string());
}

TEST(WorkerUuid, HashesNeighboursApart) {
  std::unordered_set<std::size_t> hashes;
  for (std::uint8_t last = 0; last < 100; ++last) {
    hashes.insert(
        std::hash<WorkerUuid>{}(WorkerUuid::from_bytes({0xFA, 0x4E, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, last})));
  }
  EXPECT_EQ(hashes.size(), 100U);
}

static_assert(!std::is_convertible_v<RequestId, UserId>);
static_assert(!std::is_convertible_v<std::uint64_t, RequestId>);

}  // namespace
}  // namespace boruta

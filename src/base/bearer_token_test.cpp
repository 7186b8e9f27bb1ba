#include "base/bearer_token.hpp"

#include <gtest/gtest.h>

namespace boruta {
namespace {

TEST(BearerToken, IsWhatFollowsTheScheme) {
  for (const std::string_view good : {"Bearer t0k", "bearer t0k", "BEARER   t0k "}) {
    const auto token = bearer_token(good);
    ASSERT_TRUE(token.has_value()) << good;
    EXPECT_EQ(token->reveal(), "t0k");
  }
}

TEST(BearerToken, IsNothingInOtherCredentials) {
  for (const std::string_view bad : {"", "Bearer", "Bearer ", "Bearer   ", "Basic dDBr", "t0k", "Bearert0k"}) {
    EXPECT_FALSE(bearer_token(bad).has_value()) << bad;
  }
}

TEST(Token, IsPrintableAndWithoutBlanks) {
  EXPECT_TRUE(is_token("boruta_0123456789abcdef"));
  for (const std::string_view bad : {"", " ", "a b", "a\n", "a\x7F", "\x1B", "caf\u00e9", "\xFF"}) {
    EXPECT_FALSE(is_token(bad)) << bad;
  }
}

}  // namespace
}  // namespace boruta

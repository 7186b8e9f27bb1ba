#include "server/client_limits.hpp"

#include <gtest/gtest.h>

#include <string>

namespace boruta::server {
namespace {

using namespace std::chrono_literals;

const Instant kNow{1'000h};

TEST(Clients, AreAddressesOrNetworksOfIpv6) {
  EXPECT_EQ(client_of("192.0.2.1"), "192.0.2.1");
  EXPECT_EQ(client_of("::ffff:192.0.2.1"), "192.0.2.1");
  EXPECT_EQ(client_of("2001:db8:1:2:3:4:5:6"), "2001:db8:1:2::/64");
  EXPECT_EQ(client_of("2001:db8:1:2:ffff::"), client_of("2001:db8:1:2::1"));
  EXPECT_NE(client_of("2001:db8:1:3::1"), client_of("2001:db8:1:2::1"));
  EXPECT_EQ(client_of("not an address"), "not an address");
}

TEST(RequestRate, AllowsABurstAndThenItsRate) {
  ClientLimits limits({.rate = 10, .burst = 20});
  for (int count = 0; count < 20; ++count) ASSERT_FALSE(limits.take_request("a", kNow)) << count;
  EXPECT_EQ(limits.take_request("a", kNow), 100ms);
  EXPECT_FALSE(limits.take_request("b", kNow)) << "others are not concerned";
  EXPECT_EQ(limits.take_request("a", kNow + 50ms), 50ms);
  EXPECT_FALSE(limits.take_request("a", kNow + 100ms));
  EXPECT_TRUE(limits.take_request("a", kNow + 100ms));
  for (int count = 0; count < 20; ++count) ASSERT_FALSE(limits.take_request("a", kNow + 1h));
  EXPECT_TRUE(limits.take_request("a", kNow + 1h)) << "no more than the burst is saved up";
}

TEST(RequestRate, MayBeUnlimited) {
  ClientLimits limits({});
  for (int count = 0; count < 100'000; ++count) ASSERT_FALSE(limits.take_request("a", kNow));
  EXPECT_EQ(limits.size(), 0U);
}

TEST(BadTokens, AreHeardEverMoreSeldom) {
  ClientLimits limits({});
  for (int count = 0; count < 10; ++count) ASSERT_FALSE(limits.take_bad_token("a", kNow)) << count;
  auto now = kNow;
  for (const auto wait : {1s, 2s, 4s, 8s, 16s, 32s, 60s, 60s}) {
    EXPECT_EQ(limits.take_bad_token("a", now), wait);
    EXPECT_EQ(limits.take_bad_token("a", now + 400ms), wait - 400ms) << "trying meanwhile changes nothing";
    now += wait;
  }
  EXPECT_FALSE(limits.take_bad_token("b", kNow));
  EXPECT_FALSE(limits.take_bad_token("a", now + 11min)) << "in time they are forgotten";
}

TEST(ClientLimits, RememberABoundedNumberAndThoseOfLate) {
  ClientLimits limits({.rate = 1, .burst = 1});
  EXPECT_FALSE(limits.take_request("busy", kNow));
  for (int number = 0; number < 50'000; ++number) {
    const auto now = kNow + std::chrono::microseconds(number);
    EXPECT_FALSE(limits.take_request("user " + std::to_string(number), now));
    EXPECT_FALSE(limits.take_bad_token("10.0.0." + std::to_string(number), now));
    if (number % 1'000 == 0) {
      EXPECT_TRUE(limits.take_request("busy", now)) << number;
    }
    ASSERT_LE(limits.size(), ClientLimits::kClients);
  }
}

}  // namespace
}  // namespace boruta::server

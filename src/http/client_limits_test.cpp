#include "http/client_limits.hpp"

#include <gtest/gtest.h>

#include "http/api_harness.hpp"

namespace boruta::http {
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

farm::Policy closed() { return {}; }

TEST(Api, SaysWhenARateIsReachedAndWhenToComeAgain) {
  ApiHarness harness(closed(), Instant(24h * 365 * 50), {.rate = 2, .burst = 5});
  const ApiHarness::Headers alice{{"Authorization", harness.add_user("alice", farm::Role::kUser)}};
  const ApiHarness::Headers bob{{"Authorization", harness.add_user("bob", farm::Role::kUser)}};
  for (int count = 0; count < 5; ++count) EXPECT_EQ(harness.status("GET", "/api/v1/whoami", {}, alice), 200U);
  const auto refused = harness.call("GET", "/api/v1/whoami", {}, alice);
  EXPECT_EQ(refused.status, 429U);
  EXPECT_EQ(values_of(refused, "Retry-After"), std::vector<std::string>{"1"});
  EXPECT_EQ(refused.body, R"({"message":"more requests came from you than the server takes, try again in 1 s"})");
  EXPECT_EQ(harness.status("GET", "/api/v1/whoami", {}, bob), 200U) << "from the same address";
  harness.pass_time(1s);
  EXPECT_EQ(harness.status("GET", "/api/v1/whoami", {}, alice), 200U);
  // Who shows no token is an address.
  for (int count = 0; count < 5; ++count) EXPECT_EQ(harness.status("GET", "/healthz"), 200U);
  EXPECT_EQ(harness.status("GET", "/api/v1/whoami"), 429U);
}

TEST(Api, BacksOffFromBadTokensAndHearsGoodOnesAllTheSame) {
  ApiHarness harness(closed());
  const ApiHarness::Headers alice{{"Authorization", harness.add_user("alice", farm::Role::kUser)}};
  const ApiHarness::Headers bad{{"Authorization", "Bearer boruta_00"}};
  for (int count = 0; count < 10; ++count) EXPECT_EQ(harness.status("GET", "/api/v1/whoami", {}, bad), 401U);
  EXPECT_EQ(harness.status("GET", "/api/v1/whoami", {}, bad), 429U);
  EXPECT_EQ(harness.status("GET", "/api/v1/whoami", {}, alice), 200U) << "a good token from the same address";
  EXPECT_EQ(harness.status("GET", "/api/v1/whoami"), 401U) << "no token is no bad token";
}

}  // namespace
}  // namespace boruta::http

#include <gtest/gtest.h>

#include "http/api_harness.hpp"

namespace boruta::http {
namespace {

using namespace std::chrono_literals;

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

TEST(Agents, AreBackedOffFromLikeUsersWhenTheyShowBadTokens) {
  class Line final : public server::AgentLink {
    void send(agent::ToAgent) override {}
    void close(std::optional<Refusal>) override {}
  };
  ApiHarness harness(closed());
  const agent::Register hello{
      .caps = {{"UUID", "fa4e0000-0000-4000-8000-000000000001"}}, .ssh_port = 22, .instance = "i"};
  const auto refused = [&] {
    return harness.connect_agent(hello, std::make_shared<Line>(), Secret("boruta_00")).error();
  };
  for (int count = 0; count < 10; ++count) EXPECT_EQ(refused().code, RefusalCode::kUnauthenticated);
  EXPECT_EQ(refused().code, RefusalCode::kTooMany);
  EXPECT_EQ(refused().detail, "too many tokens that open nothing came from 192.0.2.7, try again in 1 s");
  EXPECT_TRUE(harness.connect_agent(hello, std::make_shared<Line>())) << "a good token from the same address";
}

}  // namespace
}  // namespace boruta::http

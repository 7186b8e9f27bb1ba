#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>
#include <fmt/format.h>
#include <gtest/gtest.h>

#include "http/api_harness.hpp"

namespace boruta::http {
namespace {

using namespace std::chrono_literals;
namespace json = boost::json;

class Audit : public testing::Test {
 protected:
  json::array events(const std::string& query) {
    const auto answer = harness_.call("GET", "/api/v1/audit" + query, {}, admin_);
    EXPECT_EQ(answer.status, 200U) << answer.body;
    auto body = json::parse(answer.body).as_object();
    next_ = body.at("Next");
    return body.at("Events").as_array();
  }
  /// "kind by actor from address: reason" of each.
  std::vector<std::string> told(const std::string& query) {
    std::vector<std::string> lines;
    for (const auto& event : events(query)) {
      const auto text = [&](const char* key) { return std::string(event.at(key).as_string()); };
      lines.push_back(
          fmt::format("{} by {} from {}: {}", text("Type"), text("Actor"), text("Address"), text("Reason")));
    }
    return lines;
  }
  unsigned status(const ApiHarness::Headers& who, std::string_view method, std::string_view target) {
    return harness_.status(method, target, {}, who);
  }

  ApiHarness harness_{farm::Policy{}};
  ApiHarness::Headers admin_{{"Authorization", harness_.add_user("root", farm::Role::kAdmin)}};
  ApiHarness::Headers alice_{{"Authorization", harness_.add_user("alice", farm::Role::kUser)}};
  json::value next_;
};

using Lines = std::vector<std::string>;

TEST_F(Audit, TellsOfRefusalsWhoWasRefusedWhereAndWhy) {
  EXPECT_EQ(status(alice_, "GET", "/api/v1/users/"), 403U);
  EXPECT_EQ(status({}, "GET", "/api/v1/whoami"), 401U);
  EXPECT_EQ(status({{"Authorization", "Bearer boruta_guessed"}}, "DELETE", "/api/v1/tokens/7"), 401U);
  harness_.settle();
  EXPECT_EQ(told("?kind=action%20refused"),
            (Lines{"action refused by alice from 192.0.2.9: only admins may do this",
                   "action refused by nobody from 192.0.2.9: a token is required: send \"Authorization: Bearer "
                   "TOKEN\""}));
  const auto first = events("?kind=action%20refused").front();
  EXPECT_EQ(json::serialize(first.at("Data")),
            R"({"action":"GET /api/v1/users/","code":"forbidden","reason":"only admins may do this","times":1})");
  // The second of the strangers within the minute is held back, and told of when it is over.
  harness_.pass_time(2min);
  const auto later = events("?kind=action%20refused").back();
  EXPECT_EQ(json::serialize(later.at("Data").at("action")), R"("DELETE /api/v1/tokens/7")");
}

TEST_F(Audit, KeepsAFloodOfRefusalsSmall) {
  const auto before = harness_.farm().last_event();
  for (int count = 0; count < 5'000; ++count) {
    status({}, "GET", "/api/v1/whoami");
    status(alice_, "GET", "/api/v1/users/");
  }
  harness_.pass_time(2min);
  const auto told = events("?kind=action%20refused");
  ASSERT_EQ(told.size(), 4U) << "the first and all others, of each";
  EXPECT_LE(harness_.farm().last_event().value - before.value, 6U);
  std::uint64_t times = 0;
  for (const auto& event : told) times += event.at("Data").at("times").to_number<std::uint64_t>();
  EXPECT_EQ(times, 10'000U) << "none is forgotten";
}

Task<void> handle_into(Application* application, const HttpRequest* request, unsigned* status) {
  const auto response = co_await application->handle(request);
  *status = response.status;
}

TEST_F(Audit, KeepsAFloodFromManyAddressesSmallAndUsersApartFromIt) {
  const auto before = harness_.farm().last_event();
  runtime::TaskGroup calls(harness_.context().get_executor());
  for (int number = 0; number < 3'000; ++number) {
    const auto peer = fmt::format("198.51.{}.{}", number / 250, number % 250);
    const HttpRequest request{.method = Method::kGet,
                              .path = "/api/v1/whoami",
                              .query = {},
                              .headers = {},
                              .body = {},
                              .local_address = "192.0.2.1",
                              .peer_address = peer};
    unsigned status = 0;
    calls.spawn("call", handle_into(&harness_.api(), &request, &status));
    harness_.settle();
    ASSERT_EQ(status, 401U);
  }
  EXPECT_EQ(status(alice_, "GET", "/api/v1/users/"), 403U);
  harness_.pass_time(2min);
  EXPECT_LE(harness_.farm().last_event().value - before.value, server::RefusalLog::kSources + 5);
  EXPECT_EQ(events("?actor=alice&kind=action%20refused").size(), 1U) << "strangers crowd out no user";
  std::uint64_t times = 0;
  for (const auto& event : events("?kind=action%20refused&address=")) {
    if (event.at("Actor").as_string() != "alice") times += event.at("Data").at("times").to_number<std::uint64_t>();
  }
  EXPECT_EQ(times, 3'000U) << "none is forgotten";
}

TEST_F(Audit, TellsFromWhereEachChangeWasMade) {
  harness_.call("POST", "/api/v1/reqs/", R"({"Priority":8,"Caps":{}})", alice_);
  harness_.call("POST", "/api/v1/reqs/1/close", {}, admin_);
  EXPECT_EQ(told("?request=1"), (Lines{"request created by alice from 192.0.2.9: ",
                                       "request ended by root from 192.0.2.9: closed by root"}));
  const auto history = harness_.call("GET", "/api/v1/reqs/1/events", {}, alice_).body;
  EXPECT_EQ(history.find("192.0.2.9"), std::string::npos) << "addresses are for admins";
}

TEST_F(Audit, IsFilteredAndPaged) {
  for (int count = 0; count < 30; ++count) {
    harness_.call("POST", "/api/v1/reqs/", R"({"Priority":8,"Caps":{}})", alice_);
    harness_.pass_time(1min);
  }
  EXPECT_EQ(events("?actor=alice&kind=request%20created").size(), 30U);
  EXPECT_TRUE(next_.is_null());
  EXPECT_EQ(events("?actor=root&kind=request%20created").size(), 0U);
  EXPECT_EQ(events("?kind=request%20created&since=10m").size(), 10U);
  EXPECT_EQ(events("?kind=request%20created&address=192.0.2.9").size(), 30U);
  EXPECT_EQ(events("?kind=request%20created&address=192.0.2.1").size(), 0U);
  std::size_t all = 0;
  std::uint64_t last = 0;
  for (std::string page = "?kind=request%20created&limit=7";;) {
    for (const auto& event : events(page)) {
      const auto seq = event.at("Seq").to_number<std::uint64_t>();
      EXPECT_GT(seq, last);
      last = seq;
      ++all;
    }
    if (next_.is_null()) break;
    page = fmt::format("?kind=request%20created&limit=7&after={}", next_.to_number<std::uint64_t>());
  }
  EXPECT_EQ(all, 30U);
}

TEST_F(Audit, RefusesWhatItDoesNotUnderstand) {
  for (const auto* query : {"?since=yesterday", "?kind=nonsense", "?request=x", "?worker=x", "?after=-1", "?limit=x"}) {
    EXPECT_EQ(status(admin_, "GET", std::string("/api/v1/audit") + query), 400U) << query;
  }
}

TEST_F(Audit, HoldsNoSecrets) {
  const auto made = harness_.call("POST", "/api/v1/tokens/", R"({"Name":"ci"})", alice_);
  const std::string token(json::parse(made.body).at("Token").as_string());
  const auto all = json::serialize(events(""));
  EXPECT_EQ(all.find(token), std::string::npos);
  for (const auto& [id, known] : harness_.farm().tokens()) EXPECT_EQ(all.find(known.hash), std::string::npos);
}

}  // namespace
}  // namespace boruta::http

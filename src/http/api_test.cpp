#include "http/api.hpp"

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>
#include <gtest/gtest.h>

#include "http/api_harness.hpp"

namespace boruta::http {
namespace {

using namespace std::chrono_literals;
namespace json = boost::json;

constexpr std::string_view kUuid = "fa4e0000-0000-4000-8000-000000000001";
constexpr std::string_view kOther = "fa4e0000-0000-4000-8000-0000000a0001";
constexpr std::string_view kThird = "fa4e0000-0000-4000-8000-0000000b0001";

farm::Policy open_policy() {
  farm::Policy policy;
  policy.access_control = false;
  return policy;
}

std::string message_in(const HttpResponse& response) {
  return std::string(json::parse(response.body).at("message").as_string());
}

std::string field(const HttpResponse& response, std::string_view name) {
  const auto value = json::parse(response.body);
  const auto* found = value.as_object().if_contains(name);
  return found == nullptr ? "missing" : json::serialize(*found);
}

ApiHarness::Headers with_token(const std::string& token) { return {{"Authorization", token}}; }

class OpenApi : public testing::Test {
 protected:
  void make_idle(std::string_view uuid) {
    EXPECT_EQ(
        harness_.status("POST", "/api/v1/workers/" + std::string(uuid) + "/setstate", R"({"WorkerState":"IDLE"})"),
        202U);
    harness_.run_agents();
  }

  ApiHarness harness_{open_policy()};
};

TEST_F(OpenApi, ExplainsARequestAndOneThatIsNotFiled) {
  harness_.add_worker(kUuid, {{"board", "rpi4"}, {"ram", "2GiB"}});
  const auto filed = R"({"Priority":8,"Caps":{"board":"rpi4"},"Requirements":["ram>=4GiB"]})";
  harness_.call("POST", "/api/v1/reqs/", filed);
  const auto explained = harness_.call("GET", "/api/v1/reqs/1/explain");
  EXPECT_EQ(field(explained, "ReqID"), "1");
  EXPECT_EQ(field(explained, "Asked"), R"("board=rpi4 ram>=4GiB")");
  EXPECT_EQ(field(explained, "Position"), "1");
  EXPECT_EQ(field(explained, "Unknown"), R"("no registered worker fits")");
  EXPECT_EQ(field(explained, "NotLaterThan"), "null");
  EXPECT_EQ(field(explained, "Summary"), R"({"free":0,"preparing":0,"busy":0,"out of service":0,"reserved":0,)"
                                         R"("almost fits":1,"does not fit":0})");
  EXPECT_NE(field(explained, "Workers")
                .find(R"("Misses":[{"Capability":"ram","Has":"2GiB",)"
                      R"("Text":"ram is 2GiB, needs >= 4GiB"}])"),
            std::string::npos)
      << explained.body;
  EXPECT_EQ(field(harness_.call("GET", "/api/v1/reqs/1/explain?workers=false"), "Workers"), "missing");
  EXPECT_EQ(field(harness_.call("POST", "/api/v1/reqs/explain", R"({"Caps":{"board":"rpi4"}})"), "Fits"), "1");
  EXPECT_EQ(field(harness_.call("GET", "/api/v1/reqs/1"), "Requirements"), R"(["ram>=4GiB"])");
  harness_.call("POST", "/api/v1/reqs/1/close");
  EXPECT_EQ(harness_.call("GET", "/api/v1/reqs/1/explain").body,
            R"({"ReqID":1,"State":"CANCELLED","Reason":"closed by anonymous","Asked":"board=rpi4 ram\u003e=4GiB"})");

  EXPECT_EQ(harness_.status("GET", "/api/v1/reqs/9/explain"), 404U);
  EXPECT_EQ(harness_.status("GET", "/api/v1/reqs/x/explain"), 400U);
  EXPECT_EQ(harness_.status("GET", "/api/v1/reqs/1/explain?workers=no"), 400U);
  EXPECT_EQ(harness_.status("POST", "/api/v1/reqs/explain", R"({"Priority":17})"), 400U);
  EXPECT_NE(message_in(harness_.call("POST", "/api/v1/reqs/explain", R"({"Requirements":["ram>"]})"))
                .find("Requirements: \"ram>\", character 5: a value is expected"),
            std::string::npos);
}

TEST_F(OpenApi, ShowsARequestWithItsPlaceInTheQueue) {
  harness_.add_worker(kUuid, {{"board", "rpi4"}});
  EXPECT_EQ(harness_.call("POST", "/api/v1/reqs/", R"({"Priority":8,"Caps":{"board":"rpi4"},"Lease":"2m"})").body,
            R"({"ReqID":1})");
  harness_.call("POST", "/api/v1/reqs/", R"({"Priority":7,"Caps":{"board":"rpi4"}})");
  EXPECT_EQ(
      harness_.call("GET", "/api/v1/reqs/1").body,
      R"({"ID":1,"Priority":8,"Owner":{"Groups":null,"Name":"anonymous"},"Deadline":"2020-01-20T00:00:00Z",)"
      R"("ValidAfter":"2019-12-20T00:00:00Z","State":"WAITING","Job":null,"Caps":{"board":"rpi4"},"Requirements":[],"Reason":"",)"
      R"("Created":"2019-12-20T00:00:00Z","Started":null,"Ended":null,"Lease":"2m","Position":2,"Queue":2,)"
      R"("Fits":1,"FitsIdle":0})");
}

TEST_F(OpenApi, TellsWhenAJobStartsAndEnds) {
  harness_.add_worker(kUuid, {});
  make_idle(kUuid);
  harness_.call("POST", "/api/v1/reqs/", R"({"Priority":8})");
  harness_.run_agents();
  const auto running = harness_.call("GET", "/api/v1/reqs/1");
  EXPECT_EQ(field(running, "State"), "\"IN PROGRESS\"");
  EXPECT_EQ(field(running, "Started"), "\"2019-12-20T00:00:00Z\"");
  EXPECT_EQ(field(running, "Ended"), "null");
  EXPECT_EQ(field(running, "Position"), "missing");
  EXPECT_EQ(values_of(running, "Boruta-Job-Timeout"), std::vector<std::string>{"2019-12-20T01:00:00Z"});
  harness_.pass_time(5s);
  EXPECT_EQ(harness_.status("POST", "/api/v1/reqs/1/close"), 204U);
  const auto done = harness_.call("GET", "/api/v1/reqs/1");
  EXPECT_EQ(field(done, "Ended"), "\"2019-12-20T00:00:05Z\"");
  EXPECT_EQ(field(done, "Reason"), "\"closed by anonymous\"");
  EXPECT_TRUE(values_of(done, "Boruta-Job-Timeout").empty());
}

TEST_F(OpenApi, KeepsShownTimeoutsWhenWallTimeJumps) {
  harness_.add_worker(kUuid, {});
  make_idle(kUuid);
  harness_.call("POST", "/api/v1/reqs/", R"({"Priority":8})");
  harness_.run_agents();
  harness_.clock().jump_wall(2h);
  EXPECT_EQ(values_of(harness_.call("GET", "/api/v1/reqs/1"), "Boruta-Job-Timeout"),
            std::vector<std::string>{"2019-12-20T03:00:00Z"});
}

TEST_F(OpenApi, GivesAccessUnderTheAddressThatTheClientUsed) {
  harness_.add_worker(kUuid, {});
  make_idle(kUuid);
  harness_.call("POST", "/api/v1/reqs/", R"({"Priority":8})");
  harness_.run_agents();
  const auto access = harness_.call("POST", "/api/v1/reqs/1/acquire_worker");
  EXPECT_EQ(access.status, 200U);
  EXPECT_EQ(access.body,
            R"({"Addr":{"IP":"192.0.2.1","Port":30000,"Zone":""},"Key":"-----BEGIN RSA PRIVATE KEY-----\n",)"
            R"("Username":"boruta-user","HostKeys":["ssh-ed25519 AAAA"]})");
  EXPECT_TRUE(access.secret);
  EXPECT_EQ(values_of(access, "Cache-Control"), std::vector<std::string>{"no-store"});
}

TEST_F(OpenApi, RefusesAWaitThatIsNoDuration) {
  harness_.call("POST", "/api/v1/reqs/", R"({"Priority":8})");
  const auto response = harness_.call("POST", "/api/v1/reqs/1/acquire_worker?wait=soon");
  EXPECT_EQ(response.status, 400U);
  EXPECT_EQ(message_in(response), "invalid request: wait is \"soon\": a duration like 30s, 10m or 1h30m is expected");
}

TEST_F(OpenApi, ListsWorkersUnderNamesThatTellThemApart) {
  for (const auto uuid : {kThird, kUuid, kOther}) harness_.add_worker(uuid, {{"name", "pi"}});
  const auto list = json::parse(harness_.call("GET", "/api/v1/workers/").body);
  std::vector<std::string> names;
  for (const auto& worker : list.as_array()) names.emplace_back(worker.at("Name").as_string());
  // The last has the tail of the second, so that its tail does not do.
  EXPECT_EQ(names, (std::vector<std::string>{"pi", "pi~0001", "pi~" + std::string(kThird)}));
  EXPECT_EQ(field(harness_.call("GET", "/api/v1/workers/" + std::string(kOther)), "Name"), "\"pi~0001\"");
}

TEST_F(OpenApi, ShowsAWorkerWithWhyAndByWhom) {
  harness_.add_worker(kUuid, {});
  const auto path = "/api/v1/workers/" + std::string(kUuid);
  make_idle(kUuid);
  EXPECT_EQ(harness_.status("POST", path + "/setstate", R"({"WorkerState":"MAINTENANCE","Reason":"new SD card"})"),
            202U);
  harness_.run_agents();
  const auto worker = harness_.call("GET", path);
  EXPECT_EQ(field(worker, "State"), "\"MAINTENANCE\"");
  EXPECT_EQ(field(worker, "Reason"), "\"new SD card\"");
  EXPECT_EQ(field(worker, "Since"), "\"2019-12-20T00:00:00Z\"");
  EXPECT_EQ(field(worker, "Connected"), "true");
  EXPECT_EQ(field(worker, "Draining"), "false");
  EXPECT_EQ(field(worker, "Job"), "null");
  EXPECT_EQ(field(worker, "Address"), "\"192.0.2.7:22\"");
}

TEST_F(OpenApi, ShowsHowAWorkerIsReached) {
  harness_.add_worker(kUuid, {});
  const auto path = "/api/v1/workers/" + std::string(kUuid);
  EXPECT_EQ(field(harness_.call("GET", path), "Tunnel"), "\"\"");
  harness_.tunnels().way = server::TunnelWay::kAgent;
  EXPECT_EQ(field(harness_.call("GET", path), "Tunnel"), "\"agent\"");
  harness_.tunnels().way = server::TunnelWay::kDirect;
  const auto list = json::parse(harness_.call("GET", "/api/v1/workers/").body).as_array();
  EXPECT_EQ(list.front().at("Tunnel").as_string(), "direct");
}

TEST_F(OpenApi, ShowsWhatWentThroughAJobsTunnelWhileThereIsOne) {
  harness_.call("POST", "/api/v1/reqs/", R"({"Priority":8})");
  EXPECT_EQ(harness_.call("GET", "/api/v1/reqs/1").body.find("Traffic"), std::string::npos);
  harness_.tunnels().traffic_of = RequestId{1};
  const auto body = harness_.call("GET", "/api/v1/reqs/1").body;
  EXPECT_NE(body.find(R"("Traffic":{"BytesToWorker":12,"BytesToUser":345,"Connections":2})"), std::string::npos)
      << body;
}

TEST_F(OpenApi, TellsTheHistoryOfARequest) {
  harness_.call("POST", "/api/v1/reqs/", R"({"Priority":8})");
  harness_.call("POST", "/api/v1/reqs/1/close");
  const auto events = json::parse(harness_.call("GET", "/api/v1/reqs/1/events").body).as_array();
  ASSERT_EQ(events.size(), 2U);
  EXPECT_EQ(events[0].at("Type").as_string(), "request created");
  EXPECT_EQ(events[1].at("Type").as_string(), "request ended");
  EXPECT_EQ(events[1].at("Actor").as_string(), "anonymous");
  EXPECT_EQ(harness_.status("GET", "/api/v1/reqs/2/events"), 404U);
  EXPECT_EQ(harness_.status("GET", "/api/v1/workers/" + std::string(kUuid) + "/events"), 404U);
}

TEST_F(OpenApi, FilesOneRequestUnderOneKey) {
  const auto file = [this](std::string_view body, const std::string& key) {
    return harness_.call("POST", "/api/v1/reqs/", body, {{"Idempotency-Key", key}});
  };
  const auto first = file(R"({"Priority":8})", "a key");
  EXPECT_EQ(first.status, 201U);
  EXPECT_EQ(first.body, R"({"ReqID":1})");
  harness_.call("POST", "/api/v1/reqs/1/close");
  const auto again = file(R"({"Priority":8})", "a key");
  EXPECT_EQ(again.status, 201U);
  EXPECT_EQ(again.body, R"({"ReqID":1})");
  EXPECT_EQ(file(R"({"Priority":9})", "a key").status, 422U);
  EXPECT_EQ(file(R"({"Priority":8})", "another").body, R"({"ReqID":2})");
  EXPECT_EQ(file(R"({"Priority":8})", std::string(255, 'k')).status, 201U);
  const auto too_long = file(R"({"Priority":8})", std::string(256, 'k'));
  EXPECT_EQ(too_long.status, 400U);
  EXPECT_EQ(message_in(too_long),
            "invalid request: Idempotency-Key has 256 bytes: at most 255 printable ASCII "
            "characters are allowed");
}

TEST_F(OpenApi, ListsMoreThanItWritesAtOnce) {
  constexpr std::size_t kMany = 1'300;
  for (std::size_t filed = 0; filed < kMany; ++filed) harness_.call("POST", "/api/v1/reqs/", R"({"Priority":8})");
  const auto response = harness_.call("POST", "/api/v1/reqs/list");
  const auto list = json::parse(response.body).as_array();
  ASSERT_EQ(list.size(), kMany);
  for (std::size_t place = 0; place < kMany; ++place) ASSERT_EQ(list[place].at("ID").as_int64(), place + 1);
  EXPECT_EQ(values_of(response, "Boruta-List-Batch-Size"), std::vector<std::string>{"1300"});
}

TEST_F(OpenApi, FiltersRequestsByOwner) {
  harness_.call("POST", "/api/v1/reqs/", R"({"Priority":8})");
  const auto total = [this](std::string_view body) {
    return values_of(harness_.call("POST", "/api/v1/reqs/list", body), "Boruta-List-Total");
  };
  EXPECT_EQ(total(R"({"Filter":{"Owners":["anonymous"]}})"), std::vector<std::string>{"1"});
  EXPECT_EQ(total(R"({"Filter":{"Owners":["nobody"]}})"), std::vector<std::string>{"0"});
}

TEST_F(OpenApi, IsReadyUnlessTheStoreStalls) {
  EXPECT_EQ(harness_.status("GET", "/readyz"), 200U);
  harness_.committer().set_stalled(true);
  EXPECT_EQ(harness_.status("GET", "/healthz"), 200U);
  EXPECT_EQ(harness_.status("GET", "/readyz"), 503U);
  EXPECT_EQ(harness_.status("POST", "/api/v1/reqs/", R"({"Priority":8})"), 503U);
}

TEST_F(OpenApi, IsNotReadyWhenItStops) {
  harness_.coordinator().request_stop();
  EXPECT_EQ(harness_.status("GET", "/healthz"), 200U);
  EXPECT_EQ(harness_.status("GET", "/readyz"), 503U);
  EXPECT_EQ(harness_.status("POST", "/api/v1/reqs/", R"({"Priority":8})"), 503U);
}

TEST_F(OpenApi, LetsEverybodyActAsAnonymous) {
  EXPECT_EQ(
      harness_.call("GET", "/api/v1/whoami").body,
      R"({"Name":"anonymous","Role":"admin","Groups":[],"Ceilings":{"Priority":null,"Running":null,"Waiting":null}})");
}

class GuardedApi : public testing::Test {
 protected:
  ApiHarness harness_{farm::Policy{}};
  ApiHarness::Headers admin_ = with_token(harness_.add_user("root", farm::Role::kAdmin));
  ApiHarness::Headers alice_ = with_token(harness_.add_user("alice", farm::Role::kUser, {"qa"}));
  ApiHarness::Headers bob_ = with_token(harness_.add_user("bob", farm::Role::kUser));
};

TEST_F(GuardedApi, AsksEveryRouteForATokenThatIsNotForAnyone) {
  for (const auto& route : Api::routes()) {
    std::string path(route.pattern);
    if (const auto id = path.find(":id"); id != std::string::npos) path.replace(id, 3, "1");
    const auto response = harness_.call(to_string(route.method), path, "{}");
    if (route.caller == Caller::kAnyone) {
      EXPECT_EQ(response.status, 200U) << path;
    } else {
      EXPECT_EQ(response.status, 401U) << path;
      EXPECT_EQ(values_of(response, "WWW-Authenticate"), std::vector<std::string>{"Bearer"}) << path;
    }
  }
}

TEST_F(GuardedApi, KeepsUsersFromWhatIsForAdmins) {
  for (const auto& route : Api::routes()) {
    if (route.caller != Caller::kAdmin) continue;
    std::string path(route.pattern);
    if (const auto id = path.find(":id"); id != std::string::npos) path.replace(id, 3, "1");
    EXPECT_EQ(harness_.status(to_string(route.method), path, "{}", alice_), 403U) << path;
    EXPECT_NE(harness_.status(to_string(route.method), path, "{}", admin_), 403U) << path;
  }
}

TEST_F(GuardedApi, RefusesTokensThatAreNone) {
  for (const char* header : {"Bearer boruta_0", "Bearer ", "Basic YTpi", "boruta_0"}) {
    EXPECT_EQ(harness_.status("GET", "/api/v1/whoami", {}, with_token(header)), 401U) << header;
  }
}

TEST_F(GuardedApi, KnowsTheSchemeInAnyCase) {
  auto headers = alice_;
  headers[0].second.replace(0, 6, "bEARER");
  EXPECT_EQ(
      harness_.call("GET", "/api/v1/whoami", {}, headers).body,
      R"({"Name":"alice","Role":"user","Groups":["qa"],"Ceilings":{"Priority":null,"Running":null,"Waiting":null}})");
}

TEST_F(GuardedApi, KeepsRequestsToTheirOwners) {
  EXPECT_EQ(harness_.status("POST", "/api/v1/reqs/", R"({"Priority":8})", alice_), 201U);
  EXPECT_EQ(harness_.status("GET", "/api/v1/reqs/1", {}, bob_), 200U);
  EXPECT_EQ(harness_.status("POST", "/api/v1/reqs/1", R"({"Priority":1})", bob_), 403U);
  EXPECT_EQ(harness_.status("POST", "/api/v1/reqs/1/acquire_worker?wait=0s", {}, bob_), 403U);
  EXPECT_EQ(harness_.status("POST", "/api/v1/reqs/1/close", {}, bob_), 403U);
  EXPECT_EQ(harness_.status("POST", "/api/v1/reqs/1/close", {}, admin_), 204U);
}

TEST_F(GuardedApi, MakesUsersAndShowsTheirTokenOnce) {
  const auto created = harness_.call("POST", "/api/v1/users/", R"({"Name":"carol","Groups":["b","a"]})", admin_);
  EXPECT_EQ(created.status, 201U);
  EXPECT_TRUE(created.secret);
  EXPECT_EQ(field(created, "Name"), "\"carol\"");
  const std::string token(json::parse(created.body).at("Token").as_string());
  EXPECT_EQ(
      harness_.call("GET", "/api/v1/whoami", {}, with_token("Bearer " + token)).body,
      R"({"Name":"carol","Role":"user","Groups":["a","b"],"Ceilings":{"Priority":null,"Running":null,"Waiting":null}})");
  const auto users = harness_.call("GET", "/api/v1/users/", {}, admin_).body;
  EXPECT_NE(users.find("carol"), std::string::npos);
  EXPECT_EQ(users.find("anonymous"), std::string::npos);
  EXPECT_EQ(users.find(token), std::string::npos);

  EXPECT_EQ(harness_.status("POST", "/api/v1/users/", R"({"Name":"carol"})", admin_), 409U);
  EXPECT_EQ(harness_.status("POST", "/api/v1/users/carol/groups", R"(["x"])", admin_), 204U);
  EXPECT_EQ(harness_.status("POST", "/api/v1/users/nobody/groups", R"(["x"])", admin_), 404U);
  EXPECT_EQ(harness_.status("DELETE", "/api/v1/users/carol", {}, admin_), 204U);
  EXPECT_EQ(harness_.status("GET", "/api/v1/whoami", {}, with_token("Bearer " + token)), 401U);
}

TEST_F(GuardedApi, MakesAndRevokesTokens) {
  const auto created = harness_.call("POST", "/api/v1/tokens/", R"({"Name":"ci"})", alice_);
  EXPECT_EQ(created.status, 201U);
  const auto headers = with_token("Bearer " + std::string(json::parse(created.body).at("Token").as_string()));
  EXPECT_EQ(harness_.status("GET", "/api/v1/whoami", {}, headers), 200U);
  EXPECT_EQ(harness_.status("DELETE", "/api/v1/tokens/" + field(created, "ID"), {}, bob_), 403U);
  EXPECT_EQ(harness_.status("DELETE", "/api/v1/tokens/" + field(created, "ID"), {}, alice_), 204U);
  EXPECT_EQ(harness_.status("GET", "/api/v1/whoami", {}, headers), 401U);
  EXPECT_EQ(harness_.status("DELETE", "/api/v1/tokens/nonsense", {}, alice_), 400U);
}

TEST_F(GuardedApi, ShowsTokensToWhomTheyBelong) {
  EXPECT_EQ(harness_.status("POST", "/api/v1/tokens/", R"({"Role":"worker","Name":"rack","Reusable":true})", bob_),
            403U);
  EXPECT_EQ(harness_.status("POST", "/api/v1/tokens/", R"({"Role":"worker","Name":"rack","Reusable":true})", admin_),
            201U);
  const auto own = json::parse(harness_.call("GET", "/api/v1/tokens/", {}, alice_).body).as_array();
  ASSERT_EQ(own.size(), 1U);
  EXPECT_EQ(own[0].at("User").as_string(), "alice");
  EXPECT_FALSE(own[0].as_object().contains("Hash"));
  const auto all = json::parse(harness_.call("GET", "/api/v1/tokens/", {}, admin_).body).as_array();
  ASSERT_EQ(all.size(), 4U);
  EXPECT_EQ(json::serialize(all[3].at("Reusable")) + json::serialize(all[3].at("Role")) +
                json::serialize(all[3].at("User")) + json::serialize(all[3].at("Expires")),
            R"(true"worker"""null)");
}

TEST_F(GuardedApi, HonoursNoTokenPastItsEnd) {
  const auto created =
      harness_.call("POST", "/api/v1/tokens/", R"({"Name":"short","Expires":"2019-12-20T00:01:00Z"})", alice_);
  ASSERT_EQ(created.status, 201U) << created.body;
  const auto headers = with_token("Bearer " + std::string(json::parse(created.body).at("Token").as_string()));
  harness_.pass_time(59s);
  EXPECT_EQ(harness_.status("GET", "/api/v1/whoami", {}, headers), 200U);
  harness_.pass_time(1s);
  EXPECT_EQ(harness_.status("GET", "/api/v1/whoami", {}, headers), 401U);
}

}  // namespace
}  // namespace boruta::http

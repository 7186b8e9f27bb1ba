#include <boost/json/parse.hpp>
#include <boost/json/value.hpp>
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>

#include "http/api_harness.hpp"
#include "server/access.hpp"

namespace boruta::http {
namespace {

using namespace std::chrono_literals;
namespace json = boost::json;

constexpr std::string_view kUuid = "fa4e0000-0000-4000-8000-000000000001";
constexpr std::string_view kKey =
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIFk6fyYmRQZjzRGkVYXPGZbhNHCcBVtLdj8vVCbNDVV4 alice@laptop";

/// Who is let in, of those that the table below has a column for.
enum class For : std::uint8_t {
  kAnyone,  ///< with or without a token
  kUsers,   ///< every user and admin, whoever owns what
  kOwner,   ///< the user whose it is, and admins
  kAdmins,
};

struct Row {
  std::string route;
  For whom;
  /// How it is called: a target of alice's, with a body that is fine.
  std::string target;
  std::string body{};
  unsigned status = 200;
};

/// The whole of it. Alice owns request 1, which runs on the worker, request 2, which waits, token `TOKEN` and key 1.
const std::vector<Row> kTable{
    {"GET /api/v1/version", For::kAnyone, "/api/v1/version"},
    {"GET /api/v1/openapi.json", For::kAnyone, "/api/v1/openapi.json"},
    {"GET /healthz", For::kAnyone, "/healthz"},
    {"GET /readyz", For::kAnyone, "/readyz"},
    {"GET /metrics", For::kAnyone, "/metrics"},

    {"GET /api/v1/whoami", For::kUsers, "/api/v1/whoami"},
    {"POST /api/v1/reqs/", For::kUsers, "/api/v1/reqs/", R"({"Priority":8})", 201},
    {"POST /api/v1/reqs/list", For::kUsers, "/api/v1/reqs/list"},
    {"POST /api/v1/reqs/explain", For::kUsers, "/api/v1/reqs/explain", R"({"Caps":{}})"},
    {"GET /api/v1/reqs/:id", For::kUsers, "/api/v1/reqs/1"},
    {"GET /api/v1/reqs/:id/explain", For::kUsers, "/api/v1/reqs/2/explain"},
    {"GET /api/v1/reqs/:id/events", For::kUsers, "/api/v1/reqs/1/events"},
    {"GET /api/v1/workers/", For::kUsers, "/api/v1/workers/"},
    {"POST /api/v1/workers/list", For::kUsers, "/api/v1/workers/list"},
    {"GET /api/v1/workers/:id", For::kUsers, "/api/v1/workers/UUID"},
    {"GET /api/v1/workers/:id/events", For::kUsers, "/api/v1/workers/UUID/events"},
    {"GET /api/v1/events", For::kUsers, "/api/v1/events"},
    {"GET /api/v1/usage", For::kUsers, "/api/v1/usage"},
    {"GET /api/v1/tokens/", For::kUsers, "/api/v1/tokens/"},
    {"POST /api/v1/tokens/", For::kUsers, "/api/v1/tokens/", R"({"Name":"ci"})", 201},
    {"GET /api/v1/keys/", For::kUsers, "/api/v1/keys/"},
    {"POST /api/v1/keys/", For::kUsers, "/api/v1/keys/", R"({"Name":"new","Key":"NEWKEY"})", 201},

    {"POST /api/v1/reqs/:id", For::kOwner, "/api/v1/reqs/2", R"({"Priority":9})", 204},
    {"POST /api/v1/reqs/:id/close", For::kOwner, "/api/v1/reqs/2/close", "", 204},
    {"POST /api/v1/reqs/:id/acquire_worker", For::kOwner, "/api/v1/reqs/1/acquire_worker?wait=0s"},
    {"POST /api/v1/reqs/:id/prolong", For::kOwner, "/api/v1/reqs/1/prolong", "", 204},
    // Nobody is refused but for who they are; the worker's agent is not there.
    {"POST /api/v1/reqs/:id/power", For::kOwner, "/api/v1/reqs/1/power", R"({"Power":"cycle"})", 503},
    {"POST /api/v1/reqs/:id/sd", For::kOwner, "/api/v1/reqs/1/sd", R"({"SD":"dut"})", 503},
    {"POST /api/v1/reqs/:id/current", For::kOwner, "/api/v1/reqs/1/current", "", 503},
    {"GET /api/v1/reqs/:id/logs", For::kOwner, "/api/v1/reqs/1/logs", "", 503},
    {"DELETE /api/v1/tokens/:id", For::kOwner, "/api/v1/tokens/TOKEN", "", 204},
    {"DELETE /api/v1/keys/:id", For::kOwner, "/api/v1/keys/1", "", 204},

    {"POST /api/v1/workers/:id/setstate", For::kAdmins, "/api/v1/workers/UUID/setstate",
     R"({"WorkerState":"MAINTENANCE"})", 202},
    {"POST /api/v1/workers/:id/setgroups", For::kAdmins, "/api/v1/workers/UUID/setgroups", "[]", 204},
    {"POST /api/v1/workers/:id/deregister", For::kAdmins, "/api/v1/workers/UUID/deregister", "", 400},
    {"GET /api/v1/audit", For::kAdmins, "/api/v1/audit"},
    {"GET /api/v1/users/", For::kAdmins, "/api/v1/users/"},
    {"POST /api/v1/users/", For::kAdmins, "/api/v1/users/", R"({"Name":"dave"})", 201},
    {"POST /api/v1/users/:id/groups", For::kAdmins, "/api/v1/users/alice/groups", "[]", 204},
    {"POST /api/v1/users/:id/ceilings", For::kAdmins, "/api/v1/users/alice/ceilings", "{}", 204},
    {"DELETE /api/v1/users/:id", For::kAdmins, "/api/v1/users/alice", "", 204},
    {"GET /api/v1/groups/", For::kAdmins, "/api/v1/groups/"},
    {"POST /api/v1/groups/:id/ceilings", For::kAdmins, "/api/v1/groups/kernel/ceilings", "{}", 204},
};

/// A farm with alice's things, and tokens of all sorts.
class Callers {
 public:
  Callers() {
    tokens_["nobody"] = "";
    tokens_["admin"] = harness_.add_user("root", farm::Role::kAdmin);
    tokens_["alice"] = harness_.add_user("alice", farm::Role::kUser, {"kernel"});
    tokens_["bob"] = harness_.add_user("bob", farm::Role::kUser, {"kernel"});
    tokens_["a guess"] = "Bearer boruta_" + std::string(64, '0');
    tokens_["a worker"] = add_token({.role = farm::Role::kWorker, .name = "w"});
    tokens_["alice, expired"] =
        add_token({.user = "alice", .name = "old", .expires = harness_.clock().now().wall + 1h});
    tokens_["alice, revoked"] = add_token({.user = "alice", .name = "gone"});
    harness_.pass_time(2h);
    const auto worker = harness_.add_worker(kUuid, {{"board", "x"}});
    EXPECT_EQ(call("admin", "POST", "/api/v1/workers/UUID/setstate", R"({"WorkerState":"IDLE"})").status, 202U);
    harness_.run_agents();
    EXPECT_EQ(call("alice", "POST", "/api/v1/reqs/", R"({"Priority":8,"Caps":{"board":"x"}})").status, 201U);
    harness_.run_agents();
    EXPECT_EQ(call("alice", "POST", "/api/v1/reqs/", R"({"Priority":8,"Caps":{"board":"none"}})").status, 201U);
    const auto key = fmt::format(R"({{"Name":"laptop","Key":"{}"}})", kKey);
    EXPECT_EQ(call("alice", "POST", "/api/v1/keys/", key).status, 201U);
    const auto made = call("alice", "POST", "/api/v1/tokens/", R"({"Name":"mine"})");
    alices_token_ = json::parse(made.body).at("ID").to_number<std::uint64_t>();
    const auto& gone = token_named("gone");
    EXPECT_EQ(call("admin", "DELETE", fmt::format("/api/v1/tokens/{}", gone.id.value)).status, 204U);
    EXPECT_TRUE(harness_.farm().find_open_request(RequestId{1})->job);
    EXPECT_EQ(harness_.farm().find_open_request(RequestId{1})->job->worker, worker);
  }

  HttpResponse call(const std::string& who, std::string_view method, std::string target, std::string body = {}) {
    fill(target, "UUID", std::string(kUuid));
    fill(target, "TOKEN", std::to_string(alices_token_));
    // Bob's own, so that the owner has none like it yet.
    fill(body, "NEWKEY", "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKtVUaAeLKiHBVMBJRK3MSYhTGzLjOcgeBWODR3Xg5q1");
    const auto& token = tokens_.at(who);
    const auto headers = token.empty() ? ApiHarness::Headers{} : ApiHarness::Headers{{"Authorization", token}};
    return harness_.call(method, target, body, headers);
  }

  /// Waits for access to alice's request that no worker fits yet.
  void start_waiting(const std::string& who) {
    harness_.start("POST", "/api/v1/reqs/2/acquire_worker", {}, {{"Authorization", tokens_.at(who)}});
    EXPECT_FALSE(harness_.is_answered());
  }
  /// Brings a worker for that request, which is prepared and matched at once.
  WorkerUuid serve_waiting() {
    const auto worker = harness_.add_worker("fa4e0000-0000-4000-8000-000000000002", {{"board", "none"}});
    EXPECT_TRUE(harness_.submit(farm::SetWorkerState{.uuid = worker, .state = farm::WorkerState::kIdle}));
    harness_.run_agents();
    EXPECT_EQ(harness_.farm().find_open_request(RequestId{2})->job->worker, worker);
    return worker;
  }
  [[nodiscard]] TokenId token_of(const std::string& who) {
    const Secret token(tokens_.at(who).substr(std::string_view("Bearer ").size()));
    return harness_.farm().find_token(server::hash_of(token))->id;
  }

  [[nodiscard]] ApiHarness& harness() { return harness_; }

 private:
  std::string add_token(farm::CreateToken command) {
    const auto token = server::make_token();
    command.hash = server::hash_of(token);
    const auto* root = harness_.farm().find_user("root");
    EXPECT_TRUE(harness_.submit(std::move(command), {},
                                farm::Actor{.kind = farm::Actor::Kind::kAdmin, .user = root->id, .name = "root"}));
    return "Bearer " + std::string(token.reveal());
  }
  const farm::Token& token_named(std::string_view name) {
    for (const auto& [id, token] : harness_.farm().tokens()) {
      if (token.name == name) return token;
    }
    ADD_FAILURE() << "no token " << name;
    return harness_.farm().tokens().begin()->second;
  }
  static void fill(std::string& text, std::string_view placeholder, const std::string& value) {
    if (const auto place = text.find(placeholder); place != std::string::npos) {
      text.replace(place, placeholder.size(), value);
    }
  }

  ApiHarness harness_{farm::Policy{}};
  std::map<std::string, std::string> tokens_;
  std::uint64_t alices_token_ = 0;
};

/// What a caller must be answered; nothing: they are let in.
std::optional<unsigned> refusal_for(const std::string& who, For whom) {
  if (whom == For::kAnyone) return std::nullopt;
  if (who == "nobody" || who == "a guess" || who == "alice, expired" || who == "alice, revoked") return 401;
  if (who == "a worker") return 403;
  if (who == "admin") return std::nullopt;
  if (whom == For::kAdmins) return 403;
  if (whom == For::kOwner && who == "bob") return 403;
  return std::nullopt;
}

TEST(Authorization, HasARowForEveryRoute) {
  std::set<std::string> routed;
  for (const auto& route : Api::routes()) routed.insert(fmt::format("{} {}", to_string(route.method), route.pattern));
  std::set<std::string> judged;
  for (const auto& row : kTable) EXPECT_TRUE(judged.insert(row.route).second) << row.route << " stands there twice";
  EXPECT_EQ(judged, routed);
}

TEST(Authorization, IsAsTheTableSaysForEveryRouteAndCaller) {
  for (const auto& row : kTable) {
    const auto method = row.route.substr(0, row.route.find(' '));
    for (const auto* who :
         {"nobody", "a guess", "alice, expired", "alice, revoked", "a worker", "bob", "alice", "admin"}) {
      SCOPED_TRACE(row.route + " by " + who);
      Callers callers;
      const auto answer = callers.call(who, method, row.target, row.body);
      const auto refusal = refusal_for(who, row.whom);
      EXPECT_EQ(answer.status, refusal.value_or(row.status)) << answer.body;
      if (!refusal) continue;
      EXPECT_TRUE(answer.body.starts_with(R"({"message":")")) << answer.body;
      EXPECT_EQ(answer.body.find("PRIVATE KEY"), std::string::npos);
    }
  }
}

TEST(Authorization, OfAccessEndsWithTheTokenOfWhoeverWaits) {
  Callers callers;
  callers.start_waiting("alice");
  EXPECT_TRUE(callers.harness().submit(farm::RevokeToken{.id = callers.token_of("alice")}));
  callers.serve_waiting();
  EXPECT_EQ(callers.harness().answered().status, 401U);
}

TEST(Authorization, OfAccessEndsWithTheAdminWhoWaits) {
  Callers callers;
  callers.start_waiting("admin");
  EXPECT_TRUE(callers.harness().submit(farm::DeleteUser{.name = "root"}));
  callers.serve_waiting();
  EXPECT_EQ(callers.harness().answered().status, 401U);
}

TEST(Authorization, ByRegisteredKeysLeavesNoMadeKeyInTheStore) {
  Callers callers;
  const auto worker = callers.serve_waiting();
  ASSERT_TRUE(callers.harness().farm().find_open_request(RequestId{2})->job->own_keys);
  const auto stored = callers.harness().committer().journal().load();
  EXPECT_FALSE(std::ranges::any_of(stored->keys, [&](const auto& key) { return key.worker == worker; }));
}

TEST(Authorization, OfAccessIsTheOwnersAndAdmins) {
  Callers callers;
  EXPECT_NE(callers.call("alice", "POST", "/api/v1/reqs/1/acquire_worker?wait=0s").body.find("PRIVATE KEY"),
            std::string::npos);
  EXPECT_NE(callers.call("admin", "POST", "/api/v1/reqs/1/acquire_worker?wait=0s").body.find("PRIVATE KEY"),
            std::string::npos);
  // No other answer to anybody has it.
  for (const auto& row : kTable) {
    // The description of the API says how such a key begins.
    if (row.route.ends_with("acquire_worker") || row.route.ends_with("openapi.json")) continue;
    for (const auto* who : {"bob", "alice", "admin"}) {
      Callers fresh;
      const auto method = row.route.substr(0, row.route.find(' '));
      const auto answer = fresh.call(who, method, row.target, row.body);
      EXPECT_EQ(answer.body.find("PRIVATE KEY"), std::string::npos) << row.route << " by " << who;
    }
  }
}

TEST(Authorization, ListsShowUsersTheirOwnTokensAndKeysAlone) {
  Callers callers;
  for (const auto* list : {"/api/v1/tokens/", "/api/v1/keys/"}) {
    const auto own = json::parse(callers.call("bob", "GET", list).body).as_array();
    for (const auto& item : own) EXPECT_EQ(item.at("User").as_string(), "bob") << list;
    const auto all = callers.call("admin", "GET", list).body;
    EXPECT_NE(all.find(R"("User":"alice")"), std::string::npos) << list;
  }
}

TEST(Authorization, OfATokenEndsAtOnceWhenItIsRevoked) {
  Callers callers;
  EXPECT_EQ(callers.call("bob", "GET", "/api/v1/whoami").status, 200U);
  EXPECT_EQ(callers.call("admin", "DELETE", "/api/v1/users/bob").status, 204U);
  EXPECT_EQ(callers.call("bob", "GET", "/api/v1/whoami").status, 401U);
}

TEST(Authorization, TellsTheLastUseOfATokenWithoutAWriteForEach) {
  Callers callers;
  callers.harness().pass_time(2h);
  const auto before = callers.harness().farm().last_event();
  for (int count = 0; count < 100; ++count) callers.call("bob", "GET", "/api/v1/whoami");
  EXPECT_EQ(callers.harness().farm().last_event().value, before.value + 1);
  const auto tokens = json::parse(callers.call("bob", "GET", "/api/v1/tokens/").body).as_array();
  EXPECT_TRUE(tokens.at(0).at("LastUsed").is_string());
}

TEST(Authorization, OfATokenDoesNotWaitUntilItsUseIsStored) {
  Callers callers;
  auto& harness = callers.harness();
  harness.pass_time(2h);
  harness.committer().set_slow(true);
  EXPECT_EQ(callers.call("bob", "GET", "/api/v1/reqs/1").status, 200U) << "alice filed it long ago";
  harness.committer().set_slow(false);
  const auto tokens = json::parse(callers.call("bob", "GET", "/api/v1/tokens/").body).as_array();
  EXPECT_TRUE(tokens.at(0).at("LastUsed").is_string());
}

}  // namespace
}  // namespace boruta::http

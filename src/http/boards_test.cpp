#include <gtest/gtest.h>

#include <vector>

#include "http/api_harness.hpp"

namespace boruta::http {
namespace {

using namespace std::chrono_literals;
using agent::BoardAction;
using agent::BoardOutcome;

constexpr std::string_view kUuid = "fa4e0000-0000-4000-8000-000000000001";

/// The agent's end, which notes what it is asked for.
class NotingLink final : public server::AgentLink {
 public:
  void send(agent::ToAgent message) override {
    if (const auto* use = std::get_if<agent::UseBoard>(&message)) asked.push_back(*use);
    if (const auto* read = std::get_if<agent::ReadConsole>(&message)) read_asked.push_back(*read);
  }
  void close(std::optional<Refusal>) override {}

  std::vector<agent::UseBoard> asked;
  std::vector<agent::ReadConsole> read_asked;
};

class BoardsTest : public testing::Test {
 protected:
  BoardsTest() {
    alice_ = harness_.add_user("alice", farm::Role::kUser);
    bob_ = harness_.add_user("bob", farm::Role::kUser);
    root_ = harness_.add_user("root", farm::Role::kAdmin);
    agent::Register hello;
    hello.caps = {{std::string(kUuidCap), std::string(kUuid)}};
    hello.ssh_port = 22;
    hello.instance = "one";
    session_ = harness_.connect_agent(std::move(hello), link_).value();
    EXPECT_EQ(harness_.status("POST", "/api/v1/workers/" + std::string(kUuid) + "/setstate",
                              R"({"WorkerState":"IDLE"})", as(root_)),
              202U);
    harness_.run_agents();
    EXPECT_EQ(harness_.status("POST", "/api/v1/reqs/", "{\"Priority\":8}", as(alice_)), 201U);
    harness_.run_agents();
  }

  static ApiHarness::Headers as(const std::string& bearer) { return {{{"Authorization", bearer}}}; }

  /// Has the agent answer each wish by `result` as it comes.
  HttpResponse call(std::string_view what, std::string_view body, const agent::BoardResult& result,
                    const std::string& who) {
    harness_.start("POST", "/api/v1/reqs/1/" + std::string(what), body, as(who));
    for (const auto& wish : std::exchange(link_->asked, {})) {
      last_ = wish;
      harness_.hear(session_, agent::BoardUsed{.ticket = wish.ticket, .result = result});
    }
    return harness_.answered();
  }
  HttpResponse call(std::string_view what, std::string_view body, const agent::BoardResult& result = {}) {
    return call(what, body, result, alice_);
  }

  ApiHarness harness_{[] {
    farm::Policy policy;
    policy.lost_after = 1h;
    return policy;
  }()};
  std::string alice_;
  std::string bob_;
  std::string root_;
  std::shared_ptr<NotingLink> link_ = std::make_shared<NotingLink>();
  server::Agents::Session session_ = 0;
  std::optional<agent::UseBoard> last_;
};

TEST_F(BoardsTest, AsksTheAgentOfTheJobsWorker) {
  const std::vector<std::tuple<std::string_view, std::string_view, BoardAction>> cases{
      {"power", R"({"Power":"on"})", BoardAction::kPowerOn},
      {"power", R"({"Power":"off"})", BoardAction::kPowerOff},
      {"power", R"({"power":"cycle"})", BoardAction::kPowerCycle},
      {"sd", R"({"SD":"host"})", BoardAction::kSdHost},
      {"sd", R"({"SD":"dut"})", BoardAction::kSdDut},
  };
  for (const auto& [what, body, action] : cases) {
    const auto response = call(what, body);
    EXPECT_EQ(response.status, 204U) << body;
    EXPECT_EQ(response.body, "");
    EXPECT_EQ(last_->action, action) << body;
    EXPECT_EQ(last_->job, RequestId{1});
  }
}

TEST_F(BoardsTest, TellsTheCurrent) {
  const auto response = call("current", "", {.outcome = BoardOutcome::kDone, .error = {}, .milliamperes = 240});
  EXPECT_EQ(response.status, 200U);
  EXPECT_EQ(response.body, R"({"Milliamperes":240})");
}

TEST_F(BoardsTest, PassesOnWhatTheBoardCantDoAndWhatFailed) {
  auto response =
      call("sd", R"({"SD":"dut"})", {.outcome = BoardOutcome::kRefused, .error = "it has no mux", .milliamperes = {}});
  EXPECT_EQ(response.status, 400U);
  EXPECT_EQ(response.body, R"({"message":"invalid request: it has no mux"})");
  response = call("power", R"({"Power":"on"})",
                  {.outcome = BoardOutcome::kFailed, .error = "relay stuck", .milliamperes = {}});
  EXPECT_EQ(response.status, 503U);
  EXPECT_EQ(response.body, R"({"message":"the board failed: relay stuck"})");
}

TEST_F(BoardsTest, IsForTheOwnerAndAdminsWhileTheJobRuns) {
  EXPECT_EQ(call("power", R"({"Power":"on"})", {}, bob_).status, 403U);
  EXPECT_EQ(call("current", "", {}, bob_).status, 403U);
  EXPECT_FALSE(last_) << "the agent was not asked";
  EXPECT_EQ(call("power", R"({"Power":"on"})", {}, root_).status, 204U);
  EXPECT_EQ(harness_.status("POST", "/api/v1/reqs/2/power", R"({"Power":"on"})", as(alice_)), 404U);
  EXPECT_EQ(harness_.status("POST", "/api/v1/reqs/1/close", "", as(alice_)), 204U);
  last_.reset();
  const auto over = call("power", R"({"Power":"on"})");
  EXPECT_EQ(over.status, 400U);
  EXPECT_EQ(over.body, R"({"message":"invalid request: worker not assigned"})");
  EXPECT_FALSE(last_);
}

TEST_F(BoardsTest, IsBoundedInTimeWhenTheAgentIsSilent) {
  harness_.start("POST", "/api/v1/reqs/1/power", R"({"Power":"on"})", as(alice_));
  ASSERT_EQ(link_->asked.size(), 1U);
  harness_.pass_time(server::kBoardAnswerWithin - 1s);
  EXPECT_FALSE(harness_.is_answered());
  harness_.pass_time(1s);
  const auto response = harness_.answered();
  EXPECT_EQ(response.status, 503U);
  EXPECT_EQ(response.body, R"({"message":"the worker's agent did not answer within 25 s"})");
  // What comes too late is for nobody.
  harness_.hear(session_, agent::BoardUsed{.ticket = link_->asked[0].ticket, .result = {}});
}

TEST_F(BoardsTest, SaysThatTheAgentIsNotConnected) {
  harness_.part_agent(session_);
  const auto response = call("power", R"({"Power":"on"})");
  EXPECT_EQ(response.status, 503U);
  EXPECT_EQ(response.body, R"({"message":"the worker's agent is not connected: try again when it is back"})");
}

TEST_F(BoardsTest, TellsWhatTheConsolePrintedAlsoWhenTheJobIsOver) {
  const auto logs = [&](const std::string& who, agent::ConsoleRead read) {
    harness_.start("GET", "/api/v1/reqs/1/logs", {}, as(who));
    for (const auto& wish : std::exchange(link_->read_asked, {})) {
      EXPECT_EQ(wish.job, RequestId{1});
      read.ticket = wish.ticket;
      harness_.hear(session_, read);
    }
    return harness_.answered();
  };
  auto response = logs(alice_, {.ticket = 0, .error = {}, .text = "login: "});
  EXPECT_EQ(response.status, 200U);
  EXPECT_EQ(response.body, "login: ");
  EXPECT_EQ(values_of(response, "Content-Type"), std::vector<std::string>{"text/plain; charset=utf-8"});
  EXPECT_EQ(logs(bob_, {}).status, 403U);
  EXPECT_EQ(harness_.status("POST", "/api/v1/reqs/1/close", "", as(alice_)), 204U);
  response = logs(root_, {.ticket = 0, .error = {}, .text = "bye"});
  EXPECT_EQ(response.body, "bye");
  response = logs(alice_, {.ticket = 0, .error = "it is not kept", .text = {}});
  EXPECT_EQ(response.status, 400U);
  EXPECT_EQ(response.body, R"({"message":"invalid request: it is not kept"})");
}

TEST_F(BoardsTest, NamesWhatIsWrongWithABody) {
  const std::vector<std::tuple<std::string_view, std::string_view, std::string_view>> cases{
      {"power", "", "no body provided in HTTP request"},
      {"power", "{}", R"(invalid request: Power is \"\": \"on\", \"off\" or \"cycle\" is expected)"},
      {"power", R"({"Power":"up"})", R"(invalid request: Power is \"up\": \"on\", \"off\" or \"cycle\" is expected)"},
      {"power", R"({"Power":1})", "invalid request: Power is 1: a string is expected"},
      {"sd", R"({"SD":"card"})", R"(invalid request: SD is \"card\": \"host\" or \"dut\" is expected)"},
  };
  for (const auto& [what, body, message] : cases) {
    const auto response = call(what, body);
    EXPECT_EQ(response.status, 400U) << body;
    EXPECT_EQ(response.body, "{\"message\":\"" + std::string(message) + "\"}");
  }
  EXPECT_FALSE(last_);
}

}  // namespace
}  // namespace boruta::http

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <vector>

#include "http/api_harness.hpp"
#include "server/health_checks.hpp"
#include "server/quarantine.hpp"

namespace boruta::http {
namespace {

using namespace std::chrono_literals;
using farm::WorkerState;
using testing::HasSubstr;

constexpr std::string_view kNoted = "\"Type\":\"worker noted\"";

/// An agent's end that notes its checks.
class NotingLink final : public server::AgentLink {
 public:
  void send(agent::ToAgent message) override {
    const auto* command = std::get_if<agent::Command>(&message);
    if (command == nullptr) return;
    if (const auto* check = std::get_if<agent::Healthcheck>(&command->body)) checks.push_back(check->full);
    last = command->generation;
  }
  void close(std::optional<Refusal>) override {}

  std::vector<bool> checks;
  Generation last;
};

/// An agent that is started anew is there again after so long.
constexpr Duration kRestart = 1min;

struct Bench {
  WorkerUuid uuid;
  std::shared_ptr<NotingLink> link = std::make_shared<NotingLink>();
  server::Agents::Session session = 0;
};

class HealthTest : public testing::Test {
 protected:
  HealthTest() { tasks_.spawn("health checks", checks_.run()); }
  ~HealthTest() override {
    tasks_.request_stop();
    quarantine_.request_stop();
    harness_.settle();
  }

  static farm::Policy patient() {
    farm::Policy policy;
    policy.lost_after = 1000h;
    return policy;
  }

  void connect(Bench& bench, Capabilities caps = {}) {
    agent::Register hello;
    hello.caps = std::move(caps);
    hello.caps.insert_or_assign(std::string(kUuidCap), bench.uuid.to_string());
    hello.ssh_port = 22;
    hello.instance = bench.uuid.to_string();
    const auto session = harness_.connect_agent(std::move(hello), bench.link);
    ASSERT_TRUE(session.has_value()) << message_of(session.error());
    bench.session = *session;
  }

  Bench make_worker(int number, const Capabilities& caps = {}) {
    Bench bench;
    bench.uuid = WorkerUuid::parse(fmt::format("fa4e0000-0000-4000-8000-{:012}", number)).value();
    connect(bench, caps);
    set_state(bench, WorkerState::kIdle);
    return bench;
  }

  void set_state(const Bench& bench, WorkerState state) {
    const farm::Actor root{.kind = farm::Actor::Kind::kAdmin, .user = {}, .worker = {}, .name = "root"};
    EXPECT_TRUE(harness_.submit(farm::SetWorkerState{.uuid = bench.uuid, .state = state}, {}, root));
    harness_.run_agents();
  }

  const farm::Worker& worker(const Bench& bench) { return *harness_.farm().find_worker(bench.uuid); }
  std::string user(const std::string& name) {
    if (!users_.contains(name)) users_[name] = harness_.add_user(name, farm::Role::kUser);
    return users_[name];
  }
  std::uint64_t start_job(const std::string& owner, const std::string& board = "") {
    const auto caps = board.empty() ? "" : fmt::format(R"(,"Caps":{{"board":"{}"}})", board);
    EXPECT_EQ(harness_.status("POST", "/api/v1/reqs/", fmt::format(R"({{"Priority":8{}}})", caps),
                              {{{"Authorization", user(owner)}}}),
              201U);
    harness_.run_agents();
    return ++last_request_;
  }
  /// The worker fails under a job of `owner`, and its agent comes back.
  void fail_job(Bench& bench, const std::string& owner, const Capabilities& caps = {}, const std::string& board = "") {
    start_job(owner, board);
    ASSERT_EQ(worker(bench).state, WorkerState::kRunning) << owner;
    harness_.hear(bench.session, agent::SetFail{.reason = "the relay is stuck"});
    harness_.run_agents();
    if (worker(bench).state != WorkerState::kFailed) return;
    EXPECT_TRUE(worker(bench).needs_full_check) << "the next Prepare looks at all of it";
    harness_.pass_time(kRestart);
    connect(bench, caps);
    harness_.run_agents();
  }
  void end_job_well(const std::string& owner) {
    const auto id = start_job(owner);
    EXPECT_EQ(harness_.status("POST", fmt::format("/api/v1/reqs/{}/close", id), "", {{{"Authorization", user(owner)}}}),
              204U);
    harness_.run_agents();
  }
  std::string history(const Bench& bench) {
    return harness_
        .call("GET", "/api/v1/workers/" + bench.uuid.to_string() + "/events", "", {{{"Authorization", user("reader")}}})
        .body;
  }

  ApiHarness harness_{patient()};
  server::HealthChecks checks_{&harness_.coordinator(), &harness_.agents(), 10min};
  server::Quarantine quarantine_{&harness_.coordinator(), {.owners = 3, .percent = 50}};
  runtime::TaskGroup tasks_{harness_.context().get_executor()};
  std::map<std::string, std::string> users_;
  std::uint64_t last_request_ = 0;
};

TEST_F(HealthTest, ChecksIdleWorkersEverySoOftenAndLeavesTheirPowerAlone) {
  const auto bench = make_worker(1);
  harness_.pass_time(10min + 30s);
  ASSERT_EQ(bench.link->checks.size(), 1U) << "the first falls somewhere into the first interval";
  harness_.pass_time(50min);
  EXPECT_EQ(bench.link->checks, std::vector<bool>(bench.link->checks.size(), false));
  EXPECT_GE(bench.link->checks.size(), 5U);
  EXPECT_LE(bench.link->checks.size(), 6U);
}

TEST_F(HealthTest, ChecksNoWorkerThatIsAtWorkOrOutOfService) {
  const auto busy = make_worker(1);
  start_job("alice");
  ASSERT_EQ(worker(busy).state, WorkerState::kRunning);
  auto away = make_worker(2);
  set_state(away, WorkerState::kMaintenance);
  harness_.pass_time(50min);
  EXPECT_TRUE(busy.link->checks.empty());
  EXPECT_TRUE(away.link->checks.empty());
  set_state(away, WorkerState::kIdle);
  harness_.pass_time(1min);
  EXPECT_EQ(away.link->checks.size(), 1U) << "what is overdue comes as soon as it can";
}

TEST_F(HealthTest, KeepsFindingsInTheHistoryAndNothingElse) {
  const auto bench = make_worker(1);
  harness_.hear(bench.session, agent::Warning{.text = "only 200 MiB are free"});
  harness_.hear(bench.session, agent::Warning{.text = "only 200 MiB are free"});
  harness_.hear(bench.session, agent::Done{.kind = agent::CommandKind::kHealthcheck, .generation = bench.link->last});
  auto told = history(bench);
  EXPECT_THAT(told, HasSubstr("only 200 MiB are free"));
  const auto first = told.find(kNoted);
  ASSERT_NE(first, std::string::npos);
  EXPECT_EQ(told.find(kNoted, first + 1), std::string::npos) << "the same is no news";
  EXPECT_EQ(told.find("health check"), std::string::npos);
  harness_.hear(bench.session, agent::SetFail{.reason = "the STM does not answer"});
  EXPECT_EQ(worker(bench).state, WorkerState::kFailed);
  EXPECT_THAT(history(bench), HasSubstr("the STM does not answer"));
}

TEST_F(HealthTest, TellsOfEachOfSeveralWarningsOnceUntilACheckPassesWithoutIt) {
  const auto bench = make_worker(1);
  const auto times_told = [&](const std::string& warning) {
    const auto told = history(bench);
    const auto text = "\"Reason\":\"" + warning;
    std::size_t times = 0;
    for (auto at = told.find(text); at != std::string::npos; at = told.find(text, at + 1)) ++times;
    return times;
  };
  const auto check = [&](const std::vector<std::string>& warnings) {
    for (const auto& text : warnings) harness_.hear(bench.session, agent::Warning{.text = text});
    harness_.hear(bench.session, agent::Done{.kind = agent::CommandKind::kHealthcheck, .generation = bench.link->last});
  };
  for (int round = 0; round < 3; ++round) check({"the disk is full", "the clock is wrong"});
  EXPECT_EQ(times_told("the disk is full"), 1U);
  EXPECT_EQ(times_told("the clock is wrong"), 1U);
  check({"the clock is wrong"});
  check({"the disk is full", "the clock is wrong"});
  EXPECT_EQ(times_told("the disk is full"), 2U) << "it had been mended";
  EXPECT_EQ(times_told("the clock is wrong"), 1U);
}

TEST_F(HealthTest, QuarantinesAWorkerOnWhichJobsOfDifferentOwnersFailInARow) {
  auto bench = make_worker(1);
  auto other = make_worker(2);
  set_state(other, WorkerState::kMaintenance);
  fail_job(bench, "alice");
  fail_job(bench, "bob");
  EXPECT_EQ(worker(bench).state, WorkerState::kIdle);
  fail_job(bench, "carol");
  harness_.run_agents();
  EXPECT_EQ(worker(bench).state, WorkerState::kMaintenance);
  EXPECT_EQ(worker(bench).reason, "quarantined: jobs of 3 owners failed in a row: 1 (alice), 2 (bob), 3 (carol)");
  EXPECT_EQ(worker(bench).changed_by, "server");

  set_state(bench, WorkerState::kIdle);
  fail_job(bench, "dave");
  EXPECT_EQ(worker(bench).state, WorkerState::kIdle) << "enabled again it has a new start";
}

TEST_F(HealthTest, DoesNotBlameAWorkerForOneOwnersJobs) {
  auto bench = make_worker(1);
  auto other = make_worker(2);
  set_state(other, WorkerState::kMaintenance);
  for (int i = 0; i < 5; ++i) fail_job(bench, i % 2 == 0 ? "alice" : "bob");
  EXPECT_EQ(worker(bench).state, WorkerState::kIdle);
}

TEST_F(HealthTest, ForgetsFailuresWhenAJobEndsWell) {
  auto bench = make_worker(1);
  auto other = make_worker(2);
  set_state(other, WorkerState::kMaintenance);
  fail_job(bench, "alice");
  fail_job(bench, "bob");
  end_job_well("erin");
  fail_job(bench, "carol");
  fail_job(bench, "dave");
  EXPECT_EQ(worker(bench).state, WorkerState::kIdle);
}

TEST_F(HealthTest, DoesNotCountWhatAdminsEnd) {
  // The only one of its kind: a third failure that counted would be noted.
  auto bench = make_worker(1);
  fail_job(bench, "alice");
  fail_job(bench, "bob");
  start_job("carol");
  set_state(bench, WorkerState::kMaintenance);
  EXPECT_EQ(history(bench).find("not quarantined"), std::string::npos);
}

TEST_F(HealthTest, LeavesEnoughWorkersOfAKindInService) {
  const Capabilities caps{{"board", "x"}};
  auto first = make_worker(1, caps);
  for (const auto* owner : {"alice", "bob", "carol"}) fail_job(first, owner, caps, "x");
  EXPECT_EQ(worker(first).state, WorkerState::kIdle) << "the only one of its kind";
  EXPECT_THAT(history(first), HasSubstr("not quarantined, since 0 of 1 workers like it are already"));

  auto second = make_worker(2, caps);
  set_state(first, WorkerState::kMaintenance);
  for (const auto* owner : {"alice", "bob", "carol"}) fail_job(second, owner, caps, "x");
  EXPECT_EQ(worker(second).state, WorkerState::kMaintenance) << "one of two may go";
  set_state(first, WorkerState::kIdle);
  for (const auto* owner : {"alice", "bob", "carol"}) fail_job(first, owner, caps, "x");
  EXPECT_EQ(worker(first).state, WorkerState::kIdle);
  EXPECT_THAT(history(first), HasSubstr("since 1 of 2 workers like it are already and no more than 50 % may be"));
}

TEST_F(HealthTest, LeavesEnoughInServiceAlsoWhenTheyFailAtOnce) {
  std::vector<Bench> benches;
  for (const int number : {1, 2}) benches.push_back(make_worker(number));
  const auto fail_all = [&](const std::string& owner) {
    for (const auto& bench : benches) {
      harness_.call("POST", "/api/v1/reqs/",
                    fmt::format(R"({{"Priority":8,"Caps":{{"UUID":"{}"}}}})", bench.uuid.to_string()),
                    {{{"Authorization", user(owner)}}});
      harness_.run_agents();
      EXPECT_EQ(worker(bench).state, WorkerState::kRunning);
    }
    // Both are in one transaction.
    harness_.committer().set_slow(true);
    for (const auto& bench : benches) harness_.hear(bench.session, agent::SetFail{.reason = "the plug is out"});
    harness_.committer().set_slow(false);
    harness_.settle();
    for (auto& bench : benches) connect(bench);
    harness_.run_agents();
  };
  for (const auto* owner : {"alice", "bob", "carol"}) fail_all(owner);
  const auto away = std::ranges::count_if(
      benches, [&](const auto& bench) { return worker(bench).state == WorkerState::kMaintenance; });
  EXPECT_EQ(away, 1) << "of two";
}

}  // namespace
}  // namespace boruta::http

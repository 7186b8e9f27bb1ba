#include "cli/history_views.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <cstdlib>

#include "cli/arguments.hpp"

namespace boruta::cli {
namespace {

using namespace std::chrono_literals;
using client::EventInfo;
using client::UsageInfo;

class HistoryViews : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    ::setenv("TZ", "UTC", 1);
    ::tzset();
  }

  [[nodiscard]] EventInfo event(const std::string& type, const std::string& from, const std::string& to) const {
    EventInfo info;
    info.seq = 7;
    info.time = now_ - 7s;
    info.actor = "server";
    info.type = type;
    info.from = from;
    info.to = to;
    return info;
  }

  static UsageInfo job(std::uint64_t id, const std::string& owner, const std::string& worker,
                       std::chrono::seconds held) {
    UsageInfo info;
    info.request = RequestId{id};
    info.owner = owner;
    info.worker_uuid = worker;
    info.held = held;
    info.state_text = "DONE";
    info.state = client::RequestState::kDone;
    return info;
  }

  Instant now_ = parse_rfc3339("2030-03-06T14:00:00Z").time->at;
  WorkerNames names_{{"u", "rpi4-01"}, {"v", "rpi4-02"}};
};

TEST_F(HistoryViews, SayWhatChanged) {
  EXPECT_EQ(describe_change(event("job started", "WAITING", "IN PROGRESS")), "WAITING → IN PROGRESS");
  EXPECT_EQ(describe_change(event("request created", "", "WAITING")), "WAITING");
  EXPECT_EQ(describe_change(event("worker state changed", "PREPARE", "PREPARE")), "PREPARE anew");
  EXPECT_EQ(describe_change(event("request updated", "", "")), "request updated");
  auto added = event("user created", "", "");
  added.name = "alice";
  EXPECT_EQ(describe_change(added), "user created: alice");
}

TEST_F(HistoryViews, CallChattyWhatOnlyACloseLookNeeds) {
  EXPECT_TRUE(is_chatty(event("job prolonged", "", "")));
  EXPECT_TRUE(is_chatty(event("worker connected", "", "")));
  EXPECT_FALSE(is_chatty(event("job started", "WAITING", "IN PROGRESS")));
  EXPECT_FALSE(is_chatty(event("of a later version", "", "")));
}

TEST_F(HistoryViews, ListWhatBecameOfARequestAndOfAWorker) {
  auto filed = event("request created", "", "WAITING");
  filed.actor = "alice";
  filed.request = RequestId{42};
  auto started = event("job started", "WAITING", "IN PROGRESS");
  started.request = RequestId{42};
  started.worker_uuid = "u";
  EXPECT_EQ(history_table({filed, started}, false, names_, now_).render(false),
            "TIME      CHANGE                 BY      WORKER\n"
            "13:59:53  WAITING                alice   -\n"
            "13:59:53  WAITING → IN PROGRESS  server  rpi4-01\n");
  auto disabled = event("worker state changed", "IDLE", "MAINTENANCE");
  disabled.worker_uuid = "u";
  disabled.actor = "bob";
  disabled.reason = "SD card\x1b broken";
  EXPECT_EQ(history_table({started, disabled}, true, names_, now_).render(false),
            "TIME      CHANGE                 BY      REQUEST\n"
            "13:59:53  WAITING → IN PROGRESS  server  42\n"
            "13:59:53  IDLE → MAINTENANCE     bob     -        SD card\uFFFD broken\n");
}

TEST_F(HistoryViews, NameWorkersInAnAudit) {
  auto disabled = event("worker state changed", "IDLE", "MAINTENANCE");
  disabled.worker_uuid = "u";
  disabled.actor = "bob";
  disabled.address = "192.0.2.7";
  disabled.reason = "SD card broken";
  auto refused = event("action refused", "", "");
  refused.worker_uuid = "long gone";
  refused.actor = "alice";
  refused.action = "POST /api/v1/workers/long gone/setstate";
  refused.times = 2;
  EXPECT_EQ(audit_table({disabled, refused}, names_, now_).render(false),
            "TIME      WHO    FROM       WHAT                                                      ABOUT\n"
            "13:59:53  bob    192.0.2.7  IDLE → MAINTENANCE                                        rpi4-01    SD card "
            "broken\n"
            "13:59:53  alice  -          refused POST /api/v1/workers/long gone/setstate, 2 times  long gone\n");
}

TEST_F(HistoryViews, ListAgentsThatWereTurnedAwayOnceForEachReason) {
  const auto refused = [this](std::uint64_t seq, const std::string& actor, const std::string& reason) {
    auto info = event("action refused", "", "");
    info.seq = seq;
    info.actor = actor;
    info.address = "192.0.2.7";
    info.action = "register";
    info.times = 3;
    info.reason = reason;
    return info;
  };
  EXPECT_TRUE(is_refused_agent(refused(1, "w1", "no")));
  EXPECT_FALSE(is_refused_agent(event("action refused", "", "")));
  RefusedAgents agents;
  EXPECT_TRUE(agents.table(now_).empty());
  for (const auto& again : {refused(1, "w1", "no"), refused(2, "w2", "no"), refused(3, "w1", "no")}) agents.add(again);
  EXPECT_EQ(agents.table(now_).render(false),
            "LAST      WORKER  FROM       TIMES\n"
            "13:59:53  w1      192.0.2.7  6      no\n"
            "13:59:53  w2      192.0.2.7  3      no\n");
}

TEST_F(HistoryViews, TellAnEventInALine) {
  auto started = event("job started", "WAITING", "IN PROGRESS");
  started.request = RequestId{42};
  started.worker_uuid = "u";
  EXPECT_EQ(event_line(started, names_, now_, false), "13:59:53  request 42    WAITING → IN PROGRESS · on rpi4-01");
  EXPECT_EQ(event_line(started, names_, now_, true),
            "13:59:53  request 42    \x1b[36mWAITING → IN PROGRESS\x1b[0m · on rpi4-01");
  auto disabled = event("worker state changed", "IDLE", "MAINTENANCE");
  disabled.worker_uuid = "unknown\x1b-uuid-that-is-long";
  disabled.actor = "bob";
  disabled.reason = "SD card broken";
  EXPECT_EQ(event_line(disabled, names_, now_, false),
            "13:59:53  unknown\uFFFD-uuid-that-is-long IDLE → MAINTENANCE · by bob · SD card broken");
  EXPECT_EQ(event_line(event("server started", "", ""), names_, now_, false), "13:59:53                server started");
}

TEST_F(HistoryViews, AddUpUsageWhoHadMostFirst) {
  const std::vector<UsageInfo> usage{job(1, "alice", "u", 60s), job(2, "bob", "u", 200s), job(3, "alice", "v", 40s)};
  EXPECT_EQ(usage_table(usage, UsageBy::kOwner, names_, now_).render(false),
            "OWNER  JOBS  TIME      SHARE\n"
            "bob    1     3 m 20 s  66.7 %\n"
            "alice  2     1 m 40 s  33.3 %\n");
  EXPECT_EQ(usage_table(usage, UsageBy::kWorker, names_, now_).render(false),
            "WORKER   JOBS  TIME      SHARE\n"
            "rpi4-01  2     4 m 20 s  86.7 %\n"
            "rpi4-02  1     40 s      13.3 %\n");
  EXPECT_EQ(usage_table(usage, UsageBy::kRequest, names_, now_).render(false),
            "REQUEST  OWNER  WORKER   STARTED  TIME      SHARE   STATE\n"
            "2        bob    rpi4-01  -        3 m 20 s  66.7 %  DONE\n"
            "1        alice  rpi4-01  -        1 m 00 s  20.0 %  DONE\n"
            "3        alice  rpi4-02  -        40 s      13.3 %  DONE\n");
  EXPECT_EQ(describe_total(usage), "3 jobs, 5 m 00 s in all");
}

TEST_F(HistoryViews, ShareNothingWhereNothingWasUsed) {
  EXPECT_EQ(usage_table({job(1, "alice", "u", 0s)}, UsageBy::kOwner, names_, now_).render(false),
            "OWNER  JOBS  TIME  SHARE\n"
            "alice  1     0 s   -\n");
}

TEST_F(HistoryViews, TakeATimeThatHasPassed) {
  EXPECT_EQ(parse_since("--since", "7d", now_), "168h");
  EXPECT_EQ(parse_since("--since", "13:00", now_), "2030-03-06T13:00:00Z");
  EXPECT_EQ(parse_since("--since", "15:00", now_), "2030-03-05T15:00:00Z") << "yesterday's";
  EXPECT_EQ(parse_since("--since", "2030-01-02", now_), "2030-01-02T00:00:00Z");
  EXPECT_EQ(parse_since("--since", "2030-01-02T03:04:05+01:00", now_), "2030-01-02T03:04:05+01:00");
  for (const auto* wrong : {"", "0s", "yesterday", "2031-01-01", "-7d"}) {
    EXPECT_FALSE(parse_since("--since", wrong, now_).has_value()) << wrong;
  }
}

}  // namespace
}  // namespace boruta::cli

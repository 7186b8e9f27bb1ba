#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <cstdlib>
#include <string>
#include <vector>

#include "cli/progress.hpp"
#include "cli/table.hpp"
#include "cli/views.hpp"
#include "cli/worker_names.hpp"

namespace boruta::cli {
namespace {

using namespace std::chrono_literals;
using client::RequestInfo;
using client::RequestState;
using client::WorkerInfo;
using client::WorkerState;

constexpr const char* kUuidHead = "00000000-0000-4000-8000-00000000";

WorkerInfo worker(const std::string& tail, Capabilities caps, WorkerState state = WorkerState::kIdle,
                  Groups groups = {}) {
  WorkerInfo info;
  info.uuid = kUuidHead + tail;
  info.caps = std::move(caps);
  info.caps["UUID"] = info.uuid;
  info.state = state;
  info.groups = std::move(groups);
  return info;
}

TEST(Table, LinesUpColumnsAndMarksWhatIsEmpty) {
  Table table({"NAME", "STATE", ""});
  table.add({{"漢"}, {"IDLE", Tone::kGood}, {""}});
  table.add({{"long-name"}, {""}, {"why\x1b[0m"}});
  EXPECT_EQ(table.render(false),
            "NAME       STATE\n"
            "漢         IDLE\n"
            "long-name  -      why\uFFFD[0m\n");
  EXPECT_EQ(table.render(true),
            "NAME       STATE\n"
            "漢         \x1b[32mIDLE\x1b[0m\n"
            "long-name  -      why\uFFFD[0m\n");
}

TEST(WorkerNames, AreTheServersOrTheCapabilityOrMadeFromTheUuid) {
  auto named = worker("0001", {{"name", "cap"}, {"board", "rpi4"}});
  named.name = "server-says";
  const auto names = name_workers(
      {named, worker("0002", {{"name", "desk"}}), worker("0003", {{"board", "rpi4"}}), worker("0004", {})});
  EXPECT_EQ(names.at(kUuidHead + std::string("0001")), "server-says");
  EXPECT_EQ(names.at(kUuidHead + std::string("0002")), "desk");
  EXPECT_EQ(names.at(kUuidHead + std::string("0003")), "rpi4-0003");
  EXPECT_EQ(names.at(kUuidHead + std::string("0004")), "worker-0004");
}

TEST(WorkerNames, TellWorkersOfOneNameApart) {
  const std::vector<WorkerInfo> workers{worker("0001", {{"name", "desk"}}), worker("0002", {{"name", "desk"}}),
                                        worker("0003", {{"name", "shelf"}})};
  const auto names = name_workers(workers);
  EXPECT_EQ(names.at(workers[0].uuid), "desk~0001");
  EXPECT_EQ(names.at(workers[1].uuid), "desk~0002");
  EXPECT_EQ(names.at(workers[2].uuid), "shelf");
}

TEST(WorkerNames, TellWorkersOfOneNameAndOneTailApart) {
  auto first = worker("0001", {{"name", "desk"}});
  auto second = worker("0001", {{"name", "desk"}});
  second.uuid = "11111111-0000-4000-8000-000000000001";
  const auto names = name_workers({first, second});
  EXPECT_NE(names.at(first.uuid), names.at(second.uuid));
}

TEST(WorkerNames, FindAWorkerByNameUuidOrItsBeginning) {
  std::vector<WorkerInfo> workers{worker("0001", {{"name", "desk"}}), worker("0002", {{"name", "desk"}}),
                                  worker("0003", {{"name", "shelf"}})};
  workers[2].uuid = "abcdef00-0000-4000-8000-000000000003";
  EXPECT_EQ(find_worker(workers, "shelf").value(), &workers[2]);
  EXPECT_EQ(find_worker(workers, "desk~0002").value(), &workers[1]);
  EXPECT_EQ(find_worker(workers, workers[0].uuid).value(), &workers[0]);
  EXPECT_EQ(find_worker(workers, "abcdef00").value(), &workers[2]);
  EXPECT_EQ(find_worker(workers, "abcdef").error(), "there is no worker abcdef") << "too short to mean one";
}

TEST(WorkerNames, ListThoseThatAWordMayMean) {
  const std::vector<WorkerInfo> workers{worker("0001", {{"name", "desk"}}), worker("0002", {{"name", "desk"}})};
  EXPECT_EQ(find_worker(workers, "desk").error(),
            "desk may mean 2 workers: desk~0001 (00000000-0000-4000-8000-000000000001) and "
            "desk~0002 (00000000-0000-4000-8000-000000000002)");
  EXPECT_EQ(find_worker(workers, "dekt~0001").error(), "there is no worker dekt~0001; did you mean desk~0001?");
}

struct Wait {
  WaitStatus status;
  const char* text;
};

TEST(Progress, SaysHowARequestWaits) {
  const Wait table[] = {
      {{}, "for a worker"},
      {{.position = 2, .queue = 3, .fits = 2, .fits_idle = 0, .count = FitCount{0, 2, 0}},
       "2nd of 3 · 2 workers fit, both busy"},
      {{.position = 1, .queue = 1, .fits = 1, .fits_idle = 0, .count = FitCount{0, 1, 0}, .not_later_than = "14:32"},
       "1st of 1 · 1 worker fits, busy · not later than 14:32"},
      {{.position = 1, .queue = 1, .fits = 1, .fits_idle = 1, .count = FitCount{1, 0, 0}, .held = "alice has 1 job"},
       "1st of 1 · 1 worker fits, idle · alice has 1 job"},
      {{.position = 1, .queue = 1, .fits = 3, .fits_idle = 0, .count = FitCount{0, 2, 1}},
       "1st of 1 · 3 workers fit, 2 busy, 1 out of service"},
      {{.position = 1, .queue = 1, .fits = 3, .fits_idle = 0, .count = FitCount{0, 0, 3}},
       "1st of 1 · 3 workers fit, all out of service"},
      {{.position = 1, .queue = 1, .fits = 3, .fits_idle = 0, .count = FitCount{0, 1, 0}},
       "1st of 1 · 3 workers fit, none idle"},
      {{.position = 1, .queue = 1, .fits = 3, .fits_idle = 1}, "1st of 1 · 3 workers fit, 1 idle"},
      {{.fits = 0, .fits_idle = 0}, "no registered worker fits"},
      {{.position = 1, .queue = 1, .not_before = "17:30"}, "not before 17:30 · 1st of 1"},
      {{.position = 1, .trouble = "cannot reach x"}, "cannot reach x · 1st"},
  };
  for (const auto& [status, text] : table) EXPECT_EQ(describe_wait(status), text);
}

TEST(Progress, IsALinePerChangeWithoutATerminal) {
  std::string out;
  LiveLine live(false, [] { return std::size_t{80}; }, [&](std::string_view text) { out += text; });
  live.show("waiting", "2nd of 2", 0s);
  live.show("waiting", "2nd of 2", 1s);
  live.show("waiting", "1st of 1", 63s);
  live.keep();
  live.say("started");
  EXPECT_EQ(out,
            "waiting      2nd of 2 · 0 s\n"
            "waiting      1st of 1 · 1 m 03 s\n"
            "started\n");
}

TEST(Progress, IsRedrawnInPlaceOnATerminal) {
  std::string out;
  LiveLine live(true, [] { return std::size_t{20}; }, [&](std::string_view text) { out += text; });
  live.show("waiting", "2nd of 2", 8s);
  live.show("waiting", "1st", 9s);
  live.keep();
  live.keep();
  live.show("copying in", "x", 1s);
  live.say("started");
  EXPECT_EQ(out,
            "\r\x1b[Kwaiting      2nd o…"
            "\r\x1b[Kwaiting      1st ·…"
            "\n"
            "\r\x1b[Kcopying in   x · 1…"
            "\r\x1b[Kstarted\n");
}

class Views : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    ::setenv("TZ", "UTC", 1);
    ::tzset();
  }
  Instant now_ = parse_rfc3339("2030-03-06T14:00:00Z").time->at;
};

TEST_F(Views, ListWorkersByName) {
  auto running = worker("0002", {{"name", "rpi4-02"}, {"board", "rpi4"}}, WorkerState::kRunning);
  running.state_text = "RUNNING";
  running.job = RequestId{39};
  running.since = now_ - 40min;
  running.draining = true;
  auto broken = worker("0001", {{"name", "rpi4-01"}, {"board", "rpi4"}}, WorkerState::kMaintenance, {"kernel"});
  broken.state_text = "MAINTENANCE";
  broken.by = "bob";
  broken.reason = "SD card broken";
  broken.since = now_ - 46h;
  auto lost = worker("0003", {{"name", "zero"}}, WorkerState::kFailed);
  lost.state_text = "FAILED";
  lost.by = "server";
  lost.reason = "agent lost";
  lost.connected = false;
  EXPECT_EQ(workers_table({running, broken, lost}, {{39, "alice"}}, now_).render(false),
            "NAME     STATE        BOARD  JOB       SINCE      GROUPS\n"
            "rpi4-01  MAINTENANCE  rpi4   -         Mon 16:00  kernel  bob: SD card broken\n"
            "rpi4-02  RUNNING      rpi4   39 alice  13:20      -       drains\n"
            "zero     FAILED       -      -         -          -       agent lost\n");
}

TEST_F(Views, ShowWhichWorkersWaitForApproval) {
  auto fresh = worker("0001", {{"name", "b1"}}, WorkerState::kMaintenance);
  fresh.name = "b1";
  fresh.by = "b1";
  fresh.reason = "new";
  auto changed = fresh;
  changed.reason = "its capabilities or ports changed";
  auto refused = fresh;
  refused.by = "bob";
  auto serving = fresh;
  serving.state = WorkerState::kIdle;
  EXPECT_TRUE(awaits_approval(fresh));
  EXPECT_TRUE(awaits_approval(changed));
  EXPECT_FALSE(awaits_approval(refused)) << "an admin said so, who happens to call it new";
  EXPECT_FALSE(awaits_approval(serving));
  EXPECT_THAT(describe_worker("b1", changed, {}, now_), testing::HasSubstr("waits for approval: its capabilities"));
}

TEST_F(Views, ListRequests) {
  RequestInfo waiting;
  waiting.id = RequestId{42};
  waiting.priority = 8;
  waiting.owner = "alice";
  waiting.state = RequestState::kWaiting;
  waiting.state_text = "WAITING";
  waiting.caps = {{"board", "rpi4"}};
  waiting.created = now_ - 5min;
  waiting.position = 2;
  waiting.queue = 3;
  waiting.fits = 1;
  waiting.fits_idle = 0;
  RequestInfo running = waiting;
  running.id = RequestId{9};
  running.state = RequestState::kInProgress;
  running.state_text = "IN PROGRESS";
  running.caps = {};
  running.started = now_ - 1min;
  running.job = client::JobInfo{.worker_uuid = "u", .timeout = now_ + 32min};
  EXPECT_EQ(requests_table({waiting, running}, {{"u", "rpi4-01"}}, now_).render(false),
            "ID  STATE        OWNER  PRIO  WANTS       WORKER   SINCE\n"
            "42  WAITING      alice  8     board=rpi4  -        13:55  2nd of 3 · 1 worker fits, none idle\n"
            "9   IN PROGRESS  alice  8     anything    rpi4-01  13:59  until 14:32\n");
}

TEST_F(Views, ShowARequestThatEnded) {
  RequestInfo request;
  request.id = RequestId{42};
  request.priority = 3;
  request.owner = "alice";
  request.state = RequestState::kFailed;
  request.state_text = "FAILED";
  request.caps = {{"name", "left desk"}};
  request.reason = "agent lost\x1b[2J";
  request.created = now_ - 2h;
  request.started = now_ - 1h;
  request.ended = now_ - 30min;
  request.job = client::JobInfo{.worker_uuid = "u", .timeout = now_};
  EXPECT_EQ(describe_request(request, {{"u", "desk"}}, now_),
            "request 42   'name=left desk' · priority 3 · alice\n"
            "state        FAILED since 13:30 · agent lost\uFFFD[2J\n"
            "worker       desk\n"
            "filed        12:00\n"
            "started      13:00\n"
            "ran          30 m 00 s\n");
}

TEST_F(Views, ShowAWorker) {
  auto info = worker("0001", {{"board", "rpi4"}, {"ram", "2GiB"}}, WorkerState::kIdle);
  info.state_text = "IDLE";
  info.since = now_ - 1h;
  info.connected = false;
  EXPECT_EQ(describe_worker("rpi4-0001", info, {}, now_),
            "worker       rpi4-0001\n"
            "state        IDLE since 13:00 · not connected\n"
            "groups       none: serves everyone\n"
            "tunnel       not tried yet\n"
            "UUID         00000000-0000-4000-8000-000000000001\n"
            "capabilities board=rpi4\n"
            "             ram=2GiB\n");
  info.tunnel = "agent";
  EXPECT_NE(describe_worker("rpi4-0001", info, {}, now_).find("tunnel       through its agent\n"), std::string::npos);
}

TEST_F(Views, ShowWhoOneIs) {
  EXPECT_EQ(describe_identity({.name = "alice", .role = "admin", .groups = {"ci", "kernel"}}),
            "alice · admin · groups ci and kernel");
  EXPECT_EQ(describe_identity({.name = "anonymous", .role = "", .groups = {}}), "anonymous");
}

}  // namespace
}  // namespace boruta::cli

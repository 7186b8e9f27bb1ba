#include <boost/json/parse.hpp>
#include <boost/json/value.hpp>
#include <fmt/format.h>
#include <gtest/gtest.h>

#include "base/limits.hpp"
#include "http/api.hpp"
#include "http/api_harness.hpp"

namespace boruta::http {
namespace {

using namespace std::chrono_literals;
namespace json = boost::json;

constexpr std::string_view kUuid = "fa4e0000-0000-4000-8000-000000000001";

std::vector<std::string> fields_of(const json::value& list, std::string_view name) {
  std::vector<std::string> values;
  for (const auto& item : list.as_array()) values.emplace_back(item.at(name).as_string());
  return values;
}

std::size_t count_of(std::string_view text, std::string_view part) {
  std::size_t count = 0;
  for (auto at = text.find(part); at != std::string_view::npos; at = text.find(part, at + 1)) ++count;
  return count;
}

class Histories : public testing::Test {
 protected:
  /// The first use of a token is an event too, and over before the test.
  Histories() {
    for (const auto& user : {admin_, alice_}) harness_.status("GET", "/api/v1/whoami", {}, user);
    harness_.settle();
  }

  ApiHarness::Headers admin_as(const std::string& last_event_id) {
    auto headers = admin_;
    headers.emplace_back("Last-Event-ID", last_event_id);
    return headers;
  }

  std::shared_ptr<BodyStream> listen(const ApiHarness::Headers& headers, std::string_view query = {}) {
    const auto response = harness_.call("GET", "/api/v1/events" + std::string(query), {}, headers);
    EXPECT_EQ(response.status, 200U);
    return response.stream;
  }

  std::string next(const std::shared_ptr<BodyStream>& stream) {
    const auto pulled = harness_.pull(stream);
    EXPECT_TRUE(pulled->done);
    return pulled->piece.value_or("the end");
  }

  void file_requests(std::size_t count) {
    for (std::size_t done = 0; done < count; ++done) {
      ASSERT_EQ(harness_.status("POST", "/api/v1/reqs/", R"({"Priority":8,"Caps":{"board":"none"}})", alice_), 201U);
    }
  }

  std::uint64_t newest() { return harness_.farm().last_event().value; }

  /// Request 1 runs on the one worker and is closed.
  void run_a_job() {
    const auto path = "/api/v1/workers/" + std::string(kUuid);
    harness_.add_worker(kUuid, {});
    harness_.call("POST", path + "/setstate", R"({"WorkerState":"IDLE"})", admin_);
    harness_.run_agents();
    harness_.call("POST", "/api/v1/reqs/", R"({"Priority":8})", alice_);
    harness_.run_agents();
    harness_.pass_time(90s);
    harness_.call("POST", "/api/v1/reqs/1/close", {}, alice_);
    harness_.run_agents();
  }

  ApiHarness harness_{farm::Policy{}};
  ApiHarness::Headers admin_{{"Authorization", harness_.add_user("root", farm::Role::kAdmin)}};
  ApiHarness::Headers alice_{{"Authorization", harness_.add_user("alice", farm::Role::kUser)}};
};

TEST_F(Histories, TellFromWhatToWhatAndWhy) {
  run_a_job();
  const auto request = json::parse(harness_.call("GET", "/api/v1/reqs/1/events", {}, alice_).body);
  EXPECT_EQ(fields_of(request, "Type"),
            (std::vector<std::string>{"request created", "job started", "job granted", "request ended"}));
  EXPECT_EQ(fields_of(request, "From"), (std::vector<std::string>{"", "WAITING", "", "IN PROGRESS"}));
  EXPECT_EQ(fields_of(request, "To"), (std::vector<std::string>{"WAITING", "IN PROGRESS", "", "DONE"}));
  EXPECT_EQ(request.as_array().back().at("Reason").as_string(), "closed by alice");
  EXPECT_EQ(request.as_array().back().at("Actor").as_string(), "alice");
  EXPECT_EQ(request.as_array()[1].at("WorkerUUID").as_string(), kUuid);

  const auto worker =
      json::parse(harness_.call("GET", "/api/v1/workers/" + std::string(kUuid) + "/events", {}, alice_).body);
  std::vector<std::string> states;
  for (const auto& state : fields_of(worker, "To")) {
    if (!state.empty()) states.push_back(state);
  }
  EXPECT_EQ(states, (std::vector<std::string>{"MAINTENANCE", "PREPARE", "IDLE", "RUNNING", "PREPARE", "IDLE"}));
}

TEST_F(Histories, OutliveTheirWorker) {
  run_a_job();
  const auto path = "/api/v1/workers/" + std::string(kUuid);
  harness_.call("POST", path + "/setstate", R"({"WorkerState":"MAINTENANCE"})", admin_);
  harness_.run_agents();
  EXPECT_EQ(harness_.status("POST", path + "/deregister", {}, admin_), 204U);
  EXPECT_EQ(harness_.status("GET", path, {}, alice_), 404U);
  const auto events = json::parse(harness_.call("GET", path + "/events", {}, alice_).body).as_array();
  EXPECT_EQ(events.back().at("Type").as_string(), "worker deregistered");
  EXPECT_EQ(harness_.status("GET", "/api/v1/workers/fa4e0000-0000-4000-8000-00000000ffff/events", {}, alice_), 404U);
}

TEST_F(Histories, ComePageByPage) {
  run_a_job();
  const auto path = "/api/v1/workers/" + std::string(kUuid) + "/events";
  const auto all = json::parse(harness_.call("GET", path, {}, alice_).body).as_array();
  const auto first = json::parse(harness_.call("GET", path + "?limit=3", {}, alice_).body).as_array();
  ASSERT_EQ(first.size(), 3U);
  const auto after = first.back().at("Seq").to_number<std::uint64_t>();
  const auto rest = json::parse(harness_.call("GET", fmt::format("{}?after={}", path, after), {}, alice_).body);
  EXPECT_EQ(rest.as_array().size(), all.size() - 3);
  EXPECT_EQ(rest.as_array().front(), all[3]);
  EXPECT_EQ(harness_.status("GET", path + "?after=x", {}, alice_), 400U);
  EXPECT_EQ(harness_.status("GET", path + "?limit=65536", {}, alice_), 400U);
}

TEST_F(Histories, StreamWhatHappensAsItHappens) {
  const auto stream = listen(alice_);
  EXPECT_EQ(next(stream), fmt::format("retry: 1000\nid: {}\n\n", newest()));
  const auto pulled = harness_.pull(stream);
  EXPECT_FALSE(pulled->done);
  file_requests(1);
  ASSERT_TRUE(pulled->done);
  EXPECT_TRUE(
      pulled->piece->starts_with(fmt::format("id: {}\nevent: request created\ndata: {{\"Seq\":{}", newest(), newest())))
      << *pulled->piece;
  EXPECT_TRUE(pulled->piece->ends_with("}\n\n"));
}

TEST_F(Histories, ResumeWithoutAGapOrARepeat) {
  const auto begin = newest();
  file_requests(700);
  // From the journal, several pages, then from memory.
  const auto stream = listen(admin_as(std::to_string(begin)));
  next(stream);
  std::string text;
  while (text.find(fmt::format("id: {}\n", newest())) == std::string::npos) text += next(stream);
  const auto pulled = harness_.pull(stream);
  EXPECT_FALSE(pulled->done);
  file_requests(1);
  text += pulled->piece.value_or("nothing");
  EXPECT_EQ(count_of(text, "event: request created"), 701U);
  for (auto id = begin + 1; id <= newest(); ++id) {
    ASSERT_EQ(count_of(text, fmt::format("id: {}\nevent", id)), 1U) << id;
  }
}

TEST_F(Histories, DropAReaderThatFallsBehindAndSayHowToGoOn) {
  const auto stream = listen(admin_);
  next(stream);
  const auto pulled = harness_.pull(stream);
  file_requests(1);
  ASSERT_TRUE(pulled->done);
  const auto last_seen = newest();
  file_requests(limits::kSubscriberBacklog);
  EXPECT_EQ(count_of(next(stream), "event: request created"), 256U) << "so far behind is still allowed";
  file_requests(limits::kSubscriberBacklog + 1);
  EXPECT_EQ(next(stream), fmt::format("event: dropped\ndata: {{\"message\":\"you fell more than 1024 events behind; "
                                      "resume with Last-Event-ID {}\"}}\n\n",
                                      last_seen + 256));
  EXPECT_EQ(next(stream), "the end");
  const auto resumed = listen(admin_as(std::to_string(last_seen + 256)));
  next(resumed);
  EXPECT_TRUE(next(resumed).starts_with(fmt::format("id: {}\n", last_seen + 257)));
}

TEST_F(Histories, SayThatAStreamStillLives) {
  const auto stream = listen(alice_);
  next(stream);
  const auto pulled = harness_.pull(stream);
  harness_.pass_time(14s);
  EXPECT_FALSE(pulled->done);
  harness_.pass_time(2s);
  EXPECT_EQ(pulled->piece.value_or("nothing"), ": still here\n\n");
}

TEST_F(Histories, KeepUsersAndTokensForAdmins) {
  const auto seen_by_alice = listen(alice_);
  const auto seen_by_root = listen(admin_);
  next(seen_by_alice);
  next(seen_by_root);
  const auto created = harness_.call("POST", "/api/v1/users/", R"({"Name":"carol"})", admin_);
  EXPECT_EQ(created.status, 201U);
  EXPECT_EQ(next(seen_by_alice), fmt::format("id: {}\n\n", newest()));
  const auto text = next(seen_by_root);
  EXPECT_EQ(count_of(text, "event: user created"), 1U);
  EXPECT_EQ(count_of(text, "\"hash\":\"\""), count_of(text, "event: token created"));
  EXPECT_EQ(count_of(text, "\"hash\""), count_of(text, "event: token created"));
}

TEST_F(Histories, EndAStreamWhoseTokenIsRevoked) {
  const auto stream = listen(alice_);
  next(stream);
  EXPECT_LT(harness_.status("DELETE", "/api/v1/users/alice", {}, admin_), 300U);
  EXPECT_EQ(next(stream), "the end");
}

TEST_F(Histories, StreamOneRequestOrWorkerAlone) {
  const auto stream = listen(alice_, "?request=2");
  next(stream);
  file_requests(3);
  const auto text = next(stream);
  EXPECT_EQ(count_of(text, "event: "), 1U);
  EXPECT_EQ(count_of(text, "\"ReqID\":2"), 1U);
  EXPECT_TRUE(text.ends_with(fmt::format("id: {}\n\n", newest())));
  EXPECT_EQ(harness_.status("GET", "/api/v1/events?request=x", {}, alice_), 400U);
  EXPECT_EQ(harness_.status("GET", "/api/v1/events?worker=x", {}, alice_), 400U);
}

TEST_F(Histories, RefuseALastEventIdThatIsNone) {
  const auto tell = [this](const std::string& id) {
    const auto answer = harness_.call("GET", "/api/v1/events", {}, admin_as(id));
    EXPECT_EQ(answer.status, 400U);
    return std::string(json::parse(answer.body).at("message").as_string());
  };
  // That the token is used for the first time is an event, too.
  tell("x");
  EXPECT_EQ(tell("x"), fmt::format("invalid request: Last-Event-ID is \"x\": a number from 0 to {}, the newest "
                                   "event's, is expected",
                                   newest()));
  tell(std::to_string(newest() + 1));
  tell("-1");
}

TEST_F(Histories, SayThatWhatCameAfterALastEventIdIsKeptNoLonger) {
  file_requests(3);
  const auto oldest = newest();
  harness_.forget_events();
  EXPECT_EQ(harness_.call("GET", "/api/v1/events", {}, admin_as(std::to_string(oldest - 1))).status, 200U);
  const auto answer = harness_.call("GET", "/api/v1/events", {}, admin_as(std::to_string(oldest - 2)));
  EXPECT_EQ(answer.status, 410U);
  EXPECT_EQ(json::parse(answer.body).at("message").as_string(),
            fmt::format("what came after event {} is not kept any more: connect without Last-Event-ID, and look at "
                        "requests and workers for what was missed",
                        oldest - 2));
  EXPECT_EQ(harness_.call("GET", "/api/v1/reqs/1/events", {}, alice_).body, "[]");
}

TEST_F(Histories, DropAStreamWhoseNextEventsAreForgottenBeforeItHasReadThem) {
  file_requests(1);
  const auto from = newest();
  file_requests(2);
  const auto stream = listen(admin_as(std::to_string(from)));
  next(stream);
  harness_.forget_events();
  EXPECT_TRUE(next(stream).starts_with(
      fmt::format("event: dropped\ndata: {{\"message\":\"what came after event {} is not kept", from)));
  EXPECT_EQ(next(stream), "the end");
}

std::string known_since(const HttpResponse& response) {
  for (const auto& [name, value] : response.headers) {
    if (name == "Boruta-Known-Since") return value;
  }
  return {};
}

TEST(HistoriesOfFewDays, SayFromWhenOnUseIsKnown) {
  ApiHarness harness(farm::Policy{.access_control = false, .keep_requests = 48h});
  harness.call("POST", "/api/v1/reqs/", R"({"Priority":8,"Caps":{"board":"none"}})");
  ASSERT_EQ(harness.status("POST", "/api/v1/reqs/1/close"), 204U);
  const auto ended = harness.clock().now().wall;
  harness.pass_time(48h);
  EXPECT_EQ(known_since(harness.call("GET", "/api/v1/usage?since=9d")), "");
  ASSERT_TRUE(harness.submit(farm::ForgetRequests{}));
  EXPECT_EQ(harness.status("GET", "/api/v1/reqs/1"), 404U);
  EXPECT_EQ(harness.status("GET", "/api/v1/reqs/1/events"), 404U);
  EXPECT_EQ(known_since(harness.call("GET", "/api/v1/usage?since=9d")), format_rfc3339(WallTime{.at = ended}));
  EXPECT_EQ(known_since(harness.call("GET", "/api/v1/usage?since=1h")), "");
}

TEST_F(Histories, TellWhoHadWhatForHowLong) {
  run_a_job();
  harness_.call("POST", "/api/v1/reqs/", R"({"Priority":8})", alice_);
  harness_.run_agents();
  harness_.pass_time(30s);
  file_requests(1);
  const auto usage = json::parse(harness_.call("GET", "/api/v1/usage?since=1h", {}, admin_).body).as_array();
  ASSERT_EQ(usage.size(), 2U);
  EXPECT_EQ(usage[0].at("ReqID").as_int64(), 1);
  EXPECT_EQ(usage[0].at("Owner").at("Name").as_string(), "alice");
  EXPECT_EQ(usage[0].at("WorkerUUID").as_string(), kUuid);
  EXPECT_EQ(usage[0].at("Seconds").as_int64(), 90);
  EXPECT_EQ(usage[0].at("Reason").as_string(), "closed by alice");
  EXPECT_EQ(usage[1].at("Seconds").as_int64(), 30);
  EXPECT_TRUE(usage[1].at("Ended").is_null());
  const auto recent = json::parse(harness_.call("GET", "/api/v1/usage?since=10s", {}, admin_).body).as_array();
  EXPECT_EQ(recent.size(), 1U);
  EXPECT_EQ(harness_.status("GET", "/api/v1/usage?since=yesterday", {}, admin_), 400U);
}

}  // namespace
}  // namespace boruta::http

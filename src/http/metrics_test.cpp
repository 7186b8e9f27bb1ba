#include <gtest/gtest.h>

#include <set>
#include <string>

#include "http/api_harness.hpp"

namespace boruta::http {
namespace {

using namespace std::chrono_literals;

constexpr std::string_view kUuid = "fa4e0000-0000-4000-8000-000000000001";
constexpr std::string_view kOther = "fa4e0000-0000-4000-8000-0000000a0001";

class MetricsPage : public testing::Test {
 protected:
  std::string page() { return harness_.call("GET", "/metrics").body; }

  /// The value of a series as it is written; "missing" if there is none.
  static std::string value_in(const std::string& page, const std::string& series) {
    const auto line = page.find("\n" + series + " ");
    if (line == std::string::npos) return "missing";
    const auto begin = line + series.size() + 2;
    return page.substr(begin, page.find('\n', begin) - begin);
  }
  std::string value(const std::string& series) { return value_in(page(), series); }

  static std::set<std::string> series_in(const std::string& page) {
    std::set<std::string> series;
    for (std::size_t begin = 0; begin < page.size();) {
      const auto end = page.find('\n', begin);
      const auto line = page.substr(begin, end - begin);
      if (!line.starts_with('#')) series.insert(line.substr(0, line.rfind(' ')));
      begin = end + 1;
    }
    return series;
  }

  void make_idle(std::string_view uuid) {
    EXPECT_EQ(
        harness_.status("POST", "/api/v1/workers/" + std::string(uuid) + "/setstate", R"({"WorkerState":"IDLE"})"),
        202U);
    harness_.run_agents();
  }

  static farm::Policy policy() {
    farm::Policy policy;
    policy.access_control = false;
    return policy;
  }

  ApiHarness harness_{policy()};
};

TEST_F(MetricsPage, IsTextThatPrometheusReads) {
  const auto response = harness_.call("GET", "/metrics");
  EXPECT_EQ(response.status, 200U);
  EXPECT_EQ(values_of(response, "Content-Type"), std::vector<std::string>{"text/plain; version=0.0.4; charset=utf-8"});
  EXPECT_NE(response.body.find("\n# TYPE boruta_jobs_started_total counter\n"), std::string::npos);
  EXPECT_NE(response.body.find("\n# TYPE boruta_commit_seconds histogram\n"), std::string::npos);
}

TEST_F(MetricsPage, CountsWorkersByStateAndThoseConnected) {
  EXPECT_EQ(value("boruta_workers{state=\"IDLE\"}"), "0");
  harness_.add_worker(kUuid, {});
  harness_.add_worker(kOther, {});
  make_idle(kOther);
  const auto all = page();
  EXPECT_EQ(value_in(all, "boruta_workers{state=\"MAINTENANCE\"}"), "1");
  EXPECT_EQ(value_in(all, "boruta_workers{state=\"IDLE\"}"), "1");
  EXPECT_EQ(value_in(all, "boruta_agents_connected"), "2");
  harness_.submit(
      farm::DisconnectAgent{.uuid = *WorkerUuid::parse(kOther), .last_heard = harness_.clock().now().lease});
  EXPECT_EQ(value("boruta_agents_connected"), "1");
}

TEST_F(MetricsPage, TellsHowLongTheQueueIsAndHowOld) {
  harness_.call("POST", "/api/v1/reqs/", R"({"Priority":8,"Caps":{"board":"none"}})");
  harness_.pass_time(10s);
  harness_.call("POST", "/api/v1/reqs/", R"({"Priority":8,"Caps":{"board":"none"}})");
  harness_.call("POST", "/api/v1/reqs/", R"({"Priority":16,"Caps":{"board":"none"}})");
  harness_.call("POST", "/api/v1/reqs/", R"({"Priority":1,"ValidAfter":"2019-12-20T00:00:20Z"})");
  harness_.pass_time(5s);
  const auto all = page();
  EXPECT_EQ(value_in(all, "boruta_queue_length{priority=\"8\"}"), "2");
  EXPECT_EQ(value_in(all, "boruta_queue_oldest_age_seconds{priority=\"8\"}"), "15");
  EXPECT_EQ(value_in(all, "boruta_queue_length{priority=\"16\"}"), "1");
  EXPECT_EQ(value_in(all, "boruta_queue_oldest_age_seconds{priority=\"16\"}"), "5");
  EXPECT_EQ(value_in(all, "boruta_queue_length{priority=\"2\"}"), "0");
  EXPECT_EQ(value_in(all, "boruta_queue_oldest_age_seconds{priority=\"2\"}"), "0");
  // It waits for its ValidAfter, not for a worker.
  EXPECT_EQ(value_in(all, "boruta_queue_length{priority=\"1\"}"), "1");
  EXPECT_EQ(value_in(all, "boruta_queue_oldest_age_seconds{priority=\"1\"}"), "0");
  harness_.call("POST", "/api/v1/reqs/1/close");
  EXPECT_EQ(value("boruta_queue_length{priority=\"8\"}"), "1");
  EXPECT_EQ(value("boruta_queue_oldest_age_seconds{priority=\"8\"}"), "5");
}

TEST_F(MetricsPage, CountsAQueueTooLongForOneTurn) {
  constexpr int kWaiting = 11'000;
  for (int i = 0; i < kWaiting; ++i) {
    harness_.call("POST", "/api/v1/reqs/", R"({"Priority":8,"Caps":{"board":"none"}})");
    if (i == 0) harness_.pass_time(10s);
  }
  const auto all = page();
  EXPECT_EQ(value_in(all, "boruta_queue_length{priority=\"8\"}"), std::to_string(kWaiting));
  EXPECT_EQ(value_in(all, "boruta_queue_oldest_age_seconds{priority=\"8\"}"), "10");
}

TEST_F(MetricsPage, TimesTheWaitForAWorkerAndTheJob) {
  harness_.add_worker(kUuid, {});
  harness_.call("POST", "/api/v1/reqs/", R"({"Priority":8})");
  harness_.pass_time(7s);
  EXPECT_EQ(value("boruta_request_waiting_seconds_count"), "0");
  make_idle(kUuid);
  EXPECT_EQ(value("boruta_jobs_started_total"), "1");
  EXPECT_EQ(value("boruta_request_waiting_seconds_count"), "1");
  EXPECT_EQ(value("boruta_request_waiting_seconds_sum"), "7");
  EXPECT_EQ(value("boruta_request_waiting_seconds_bucket{le=\"5\"}"), "0");
  EXPECT_EQ(value("boruta_request_waiting_seconds_bucket{le=\"15\"}"), "1");
  harness_.pass_time(40s);
  harness_.call("POST", "/api/v1/reqs/1/close");
  const auto all = page();
  EXPECT_EQ(value_in(all, "boruta_job_running_seconds_count"), "1");
  EXPECT_EQ(value_in(all, "boruta_job_running_seconds_sum"), "40");
  EXPECT_EQ(value_in(all, "boruta_requests_created_total"), "1");
  EXPECT_EQ(value_in(all, "boruta_requests_ended_total{state=\"DONE\"}"), "1");
}

TEST_F(MetricsPage, CountsNoJobForARequestThatNeverHadOne) {
  harness_.call("POST", "/api/v1/reqs/", R"({"Priority":8})");
  harness_.call("POST", "/api/v1/reqs/1/close");
  EXPECT_EQ(value("boruta_requests_ended_total{state=\"CANCELLED\"}"), "1");
  EXPECT_EQ(value("boruta_job_running_seconds_count"), "0");
}

TEST_F(MetricsPage, TimesEveryCommit) {
  const auto before = std::stoi(value("boruta_commit_seconds_count"));
  harness_.call("POST", "/api/v1/reqs/", R"({"Priority":8})");
  EXPECT_EQ(value("boruta_commit_seconds_count"), std::to_string(before + 1));
  EXPECT_EQ(value("boruta_commit_seconds_sum"), "0");
}

TEST_F(MetricsPage, CountsRefusalsByTheirCode) {
  EXPECT_EQ(value(R"(boruta_refusals_total{client="user",code="invalid"})"), "missing");
  harness_.call("POST", "/api/v1/reqs/", R"({"Priority":17})");
  harness_.call("POST", "/api/v1/reqs/", "{");
  harness_.call("GET", "/api/v1/reqs/4711");
  const auto all = page();
  EXPECT_EQ(value_in(all, R"(boruta_refusals_total{client="user",code="invalid"})"), "2");
  EXPECT_EQ(value_in(all, R"(boruta_refusals_total{client="user",code="request_not_found"})"), "1");
}

TEST_F(MetricsPage, CountsAnswersByRouteAndStatus) {
  harness_.call("POST", "/api/v1/reqs/", R"({"Priority":8})");
  harness_.call("GET", "/api/v1/reqs/1");
  harness_.call("HEAD", "/api/v1/reqs/1");
  harness_.call("GET", "/api/v1/reqs/2");
  const auto all = page();
  EXPECT_EQ(value_in(all, R"(boruta_http_requests_total{method="POST",route="/api/v1/reqs/",status="201"})"), "1");
  EXPECT_EQ(value_in(all, R"(boruta_http_requests_total{method="GET",route="/api/v1/reqs/:id",status="200"})"), "2");
  EXPECT_EQ(value_in(all, R"(boruta_http_requests_total{method="GET",route="/api/v1/reqs/:id",status="404"})"), "1");
  EXPECT_EQ(value_in(all, R"(boruta_http_request_duration_seconds_count{method="GET",route="/api/v1/reqs/:id"})"), "3");
}

TEST_F(MetricsPage, GrowsByNoSeriesWhateverPathsAreAskedFor) {
  harness_.call("GET", "/first");
  harness_.call("GET", "/api/v1/first");
  harness_.call("GET", "/api/v1/reqs/1");
  page();
  const auto before = series_in(page());
  constexpr int kMany = 200;
  for (int number = 0; number < kMany; ++number) {
    const auto name = "x" + std::to_string(number);
    harness_.call("GET", "/" + name);
    harness_.call("GET", "/api/v1/" + name);
    harness_.call("GET", "/api/v1/reqs/" + std::to_string(number + 1));
  }
  const auto all = page();
  EXPECT_EQ(series_in(all), before);
  EXPECT_EQ(value_in(all, R"(boruta_http_requests_total{route="unrouted",status="404"})"),
            std::to_string(2 * (kMany + 1)));
}

TEST_F(MetricsPage, CountsWhatTheSessionAnsweredByItself) {
  harness_.api().on_answered_by_session(nullptr, 431);
  HttpRequest request{.method = Method::kPost, .path = "/api/v1/reqs/1/acquire_worker"};
  harness_.api().on_answered_by_session(&request, 503);
  harness_.api().on_answered_by_session(&request, 599);
  const auto all = page();
  EXPECT_EQ(value_in(all, R"(boruta_http_requests_total{route="unrouted",status="431"})"), "1");
  const std::string acquire = R"(boruta_http_requests_total{method="POST",route="/api/v1/reqs/:id/acquire_worker",)";
  EXPECT_EQ(value_in(all, acquire + R"(status="503"})"), "1");
  EXPECT_EQ(value_in(all, acquire + R"(status="other"})"), "1");
}

TEST_F(MetricsPage, CountsWhatWentThroughTunnels) {
  EXPECT_EQ(value(R"(boruta_tunnel_bytes_total{to="worker"})"), "0");
  harness_.tunnels().all = {.bytes_to_worker = 1,
                            .bytes_to_user = 2,
                            .direct_connections = 3,
                            .agent_connections = 4,
                            .failed_connections = 5,
                            .refused_connections = 6,
                            .open_connections = 7};
  const auto all = page();
  EXPECT_EQ(value_in(all, R"(boruta_tunnel_bytes_total{to="worker"})"), "1");
  EXPECT_EQ(value_in(all, R"(boruta_tunnel_bytes_total{to="user"})"), "2");
  EXPECT_EQ(value_in(all, R"(boruta_tunnel_connections_total{way="direct"})"), "3");
  EXPECT_EQ(value_in(all, R"(boruta_tunnel_connections_total{way="agent"})"), "4");
  EXPECT_EQ(value_in(all, R"(boruta_tunnel_connections_total{way="none"})"), "5");
  EXPECT_EQ(value_in(all, R"(boruta_tunnel_connections_total{way="refused"})"), "6");
  EXPECT_EQ(value_in(all, "boruta_tunnel_open_connections"), "7");
}

TEST_F(MetricsPage, IsThereWhileTheStoreCannotBeWritten) {
  EXPECT_EQ(value("boruta_store_stalled"), "0");
  harness_.committer().set_stalled(true);
  EXPECT_EQ(value("boruta_store_stalled"), "1");
}

TEST_F(MetricsPage, TellsOfTheProcess) {
  const auto all = page();
  for (const char* series :
       {"process_resident_memory_bytes", "process_virtual_memory_bytes", "process_cpu_seconds_total",
        "process_open_fds", "process_max_fds", "process_start_time_seconds"}) {
    EXPECT_GT(std::stod(value_in(all, series)), 0) << series;
  }
}

TEST(MetricsPageUnderAccessControl, AsksForNoToken) {
  ApiHarness harness(farm::Policy{});
  EXPECT_EQ(harness.status("GET", "/metrics"), 200U);
  EXPECT_EQ(harness.status("GET", "/api/v1/whoami"), 401U);
  EXPECT_NE(harness.call("GET", "/metrics").body.find(R"({client="user",code="unauthenticated"} 1)"),
            std::string::npos);
}

}  // namespace
}  // namespace boruta::http

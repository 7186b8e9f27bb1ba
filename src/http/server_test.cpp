#include "http/server.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <gtest/gtest.h>

#include <array>

#include "http/api_harness.hpp"
#include "http/memory_stream.hpp"

namespace boruta::http {
namespace {

using namespace std::chrono_literals;
using asio::ip::tcp;

farm::Policy open_policy() {
  farm::Policy policy;
  policy.access_control = false;
  return policy;
}

TEST(Acquire, IsGivenUpWhenTheClientHangsUp) {
  ApiHarness harness(farm::Policy{});
  const auto token = harness.add_user("alice", farm::Role::kUser);
  const ApiHarness::Headers headers{{"Authorization", token}};
  ASSERT_EQ(harness.status("POST", "/api/v1/reqs/", R"({"Priority":8})", headers), 201U);
  const auto executor = harness.context().get_executor();
  Wire wire(executor);
  SessionContext context(executor);
  context.application = &harness.api();
  const auto session = make_session(std::make_unique<MemoryStream>(&wire), &context, "192.0.2.1", "192.0.2.9");
  runtime::TaskGroup tasks(executor);
  tasks.spawn("session", session->run());
  wire.send("POST /api/v1/reqs/1/acquire_worker HTTP/1.1\r\nAuthorization: " + token + "\r\n\r\n");
  harness.settle();
  EXPECT_FALSE(wire.closed);
  wire.hang_up();
  harness.settle();
  EXPECT_TRUE(wire.closed);
  EXPECT_EQ(tasks.size(), 0U);

  const auto uuid = harness.add_worker("fa4e0000-0000-4000-8000-000000000001", {});
  EXPECT_TRUE(harness.submit(farm::SetWorkerState{.uuid = uuid, .state = farm::WorkerState::kIdle}));
  harness.run_agents();
  const auto& job = harness.farm().find_open_request(RequestId{1})->job;
  ASSERT_TRUE(job);
  EXPECT_TRUE(job->claim_by) << "somebody acquired the worker";
}

TEST(Acquire, AnswersOnceTheWorkerIsThere) {
  ApiHarness harness(open_policy());
  ASSERT_EQ(harness.status("POST", "/api/v1/reqs/", R"({"Priority":8})"), 201U);
  const auto executor = harness.context().get_executor();
  Wire wire(executor);
  SessionContext context(executor);
  context.application = &harness.api();
  const auto session = make_session(std::make_unique<MemoryStream>(&wire), &context, "192.0.2.1", "192.0.2.9");
  runtime::TaskGroup tasks(executor);
  tasks.spawn("session", session->run());
  wire.send("POST /api/v1/reqs/1/acquire_worker?wait=10m HTTP/1.1\r\n\r\n");
  harness.settle();
  harness.pass_time(5min);
  EXPECT_EQ(wire.from_server, "");
  const auto uuid = harness.add_worker("fa4e0000-0000-4000-8000-000000000001", {});
  EXPECT_TRUE(harness.submit(farm::SetWorkerState{.uuid = uuid, .state = farm::WorkerState::kIdle}));
  harness.run_agents();
  EXPECT_TRUE(wire.from_server.starts_with("HTTP/1.1 200 OK")) << wire.from_server;
  wire.hang_up();
  harness.settle();
}

TEST(HostileBodies, AreRefusedAndTheNextOneIsServed) {
  struct Case {
    std::string body;
    unsigned status;
    std::string_view message;
  };
  const Case cases[] = {
      {std::string(100'000, '['), 400, "nests deeper than the 32 levels"},
      {R"({"Caps":)" + std::string(33, '[') + std::string(33, ']') + "}", 400, "nests deeper than the 32 levels"},
      {"\xFF\xFE{}", 400, "broken at byte 1"},
      {std::string("{\0}", 3), 400, "broken at byte 2"},
      {R"({"Priority":256})", 400, "Priority is 256: a whole number from 1 to 16"},
      {R"({"Priority":-1})", 400, "Priority is -1: a whole number from 1 to 16"},
      {R"({"Priority":18446744073709551616})", 400, "Priority is 18446744073709551616: a whole number from 1 to 16"},
      {R"({"Priority":1e400})", 400, "Priority is 1e400: a whole number from 1 to 16"},
      {R"({"Priority":)" + std::string(100'000, '9') + "}", 400, "999…: a whole number from 1 to 16"},
      {R"({"Priority":8,"Lease":"9999999999h"})", 400, "Lease is"},
      {R"({"Priority":8,"Deadline":"9999-12-31T23:59:59Z"})", 400, "Deadline is"},
  };
  ApiHarness harness(open_policy());
  for (const auto& [body, status, message] : cases) {
    SCOPED_TRACE(body.substr(0, 60));
    const auto answer = harness.call("POST", "/api/v1/reqs/", body);
    EXPECT_EQ(answer.status, status) << answer.body;
    EXPECT_NE(answer.body.find(message), std::string::npos) << answer.body;
    EXPECT_LT(answer.body.size(), 300U);
    EXPECT_EQ(harness.status("POST", "/api/v1/reqs/", R"({"Priority":8})"), 201U);
  }
}

TEST(HostileBodies, WithInvalidUtf8InTextAreTakenWithReplacementCharacters) {
  ApiHarness harness(open_policy());
  ASSERT_EQ(harness.status("POST", "/api/v1/reqs/", "{\"Priority\":8,\"Caps\":{\"a\":\"\xC3\x28\"}}"), 201U);
  const auto answer = harness.call("GET", "/api/v1/reqs/1");
  EXPECT_NE(answer.body.find("\"Caps\":{\"a\":\"\uFFFD(\"}"), std::string::npos) << answer.body;
}

Task<void> ask(tcp::endpoint where, std::string what, std::string* answer) {
  tcp::socket socket(co_await asio::this_coro::executor);
  co_await socket.async_connect(where, asio::use_awaitable);
  co_await asio::async_write(socket, asio::buffer(what), asio::use_awaitable);
  std::array<char, 4096> chunk{};
  while (true) {
    const auto [error, count] =
        co_await socket.async_read_some(asio::buffer(chunk), asio::as_tuple(asio::use_awaitable));
    answer->append(chunk.data(), count);
    if (error) co_return;
  }
}

Task<void> run_until_stopped(HttpServer* server, bool* stopped) {
  co_await server->run();
  *stopped = true;
}

TEST(HttpServer, AnswersOverTcpAndStops) {
  ApiHarness harness(open_policy());
  const auto executor = harness.context().get_executor();
  const HttpServer::Options options{.executor = executor, .clock = &harness.clock(), .application = &harness.api()};
  HttpServer server(options);
  const auto where = server.listen("127.0.0.1", 0);
  ASSERT_TRUE(where) << where.error();
  runtime::TaskGroup tasks(executor);
  bool stopped = false;
  std::string answer;
  std::string idle;
  tasks.spawn("server", run_until_stopped(&server, &stopped));
  tasks.spawn("client", ask(*where, "GET /healthz HTTP/1.1\r\nConnection: close\r\n\r\n", &answer));
  tasks.spawn("idle client", ask(*where, "GET /healthz HTTP/1.1\r\n\r\n", &idle));
  harness.context().restart();
  while (answer.empty() || idle.empty()) harness.context().run_one();
  EXPECT_TRUE(answer.starts_with("HTTP/1.1 200 OK\r\nDate: ")) << answer;
  EXPECT_NE(answer.find("\r\n\r\nok\n"), std::string::npos) << answer;
  server.request_stop();
  while (!stopped) harness.context().run_one();
  EXPECT_EQ(server.connections(), 0U);
  while (tasks.size() > 0) harness.context().run_one();
}

TEST(HttpServer, GivesOneClientNoMoreConnectionsThanItMayHave) {
  ApiHarness harness(open_policy());
  const auto executor = harness.context().get_executor();
  const HttpServer::Options options{.executor = executor,
                                    .clock = &harness.clock(),
                                    .application = &harness.api(),
                                    .connections_per_client = 2,
                                    .count_loopback = true};
  HttpServer server(options);
  const auto where = server.listen("127.0.0.1", 0);
  ASSERT_TRUE(where) << where.error();
  runtime::TaskGroup tasks(executor);
  bool stopped = false;
  tasks.spawn("server", run_until_stopped(&server, &stopped));
  const auto idle = std::make_unique<std::array<tcp::socket, 2>>(
      std::array{tcp::socket(harness.context()), tcp::socket(harness.context())});
  for (auto& socket : *idle) {
    socket.connect(*where);
    harness.settle();
  }
  EXPECT_EQ(server.connections(), 2U);
  std::string refused;
  tasks.spawn("third", ask(*where, "GET /healthz HTTP/1.1\r\nConnection: close\r\n\r\n", &refused));
  harness.context().restart();
  while (refused.empty()) harness.context().run_one();
  EXPECT_TRUE(refused.starts_with("HTTP/1.1 429 ")) << refused;
  EXPECT_NE(refused.find("you have 2 connections, which is as many as one client may have"), std::string::npos);
  // Who leaves makes room.
  idle->front().close();
  harness.context().restart();
  while (server.connections() == 2) harness.context().run_one();
  std::string answer;
  tasks.spawn("fourth", ask(*where, "GET /healthz HTTP/1.1\r\nConnection: close\r\n\r\n", &answer));
  harness.context().restart();
  while (answer.empty()) harness.context().run_one();
  EXPECT_TRUE(answer.starts_with("HTTP/1.1 200 OK")) << answer;
  server.request_stop();
  harness.context().restart();
  while (!stopped || tasks.size() > 0) harness.context().run_one();
}

TEST(HttpServer, SaysWhyItCannotListen) {
  ApiHarness harness(open_policy());
  const auto executor = harness.context().get_executor();
  const HttpServer::Options options{.executor = executor, .clock = &harness.clock(), .application = &harness.api()};
  HttpServer server(options);
  EXPECT_EQ(server.listen("localhost", 1).error(), "\"localhost\" is not an IP address");
  HttpServer first(options);
  const auto taken = first.listen("127.0.0.1", 0);
  ASSERT_TRUE(taken);
  const auto second = server.listen("127.0.0.1", taken->port());
  ASSERT_FALSE(second);
  EXPECT_NE(second.error().find("Address already in use"), std::string::npos) << second.error();
}

}  // namespace
}  // namespace boruta::http

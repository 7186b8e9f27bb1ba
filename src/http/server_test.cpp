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
  const auto& job = harness.farm().find_request(RequestId{1})->job;
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

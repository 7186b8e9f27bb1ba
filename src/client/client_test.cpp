#include "client/client.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_future.hpp>
#include <gtest/gtest.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <unistd.h>

#include "client/fake_server.hpp"

namespace boruta::client {
namespace {

using namespace std::chrono_literals;

/// Runs one call to its end.
template <class T>
T run(asio::io_context& io, Task<T> task) {
  auto future = asio::co_spawn(io, std::move(task), asio::use_future);
  io.restart();
  io.run();
  return future.get();
}

ClientOptions options_for(std::uint16_t port) {
  ClientOptions options;
  options.url = {.tls = false, .host = "127.0.0.1", .port = port, .prefix = ""};
  options.retry_delay = 1ms;
  options.connect_limit = 5s;
  options.answer_limit = 5s;
  return options;
}

struct Fixture {
  explicit Fixture(FakeServer::Handler handler) : server(std::move(handler)) { use(options_for(server.port())); }

  void use(ClientOptions options) { client = Client::make(io.get_executor(), std::move(options)).value(); }

  FakeServer server;
  asio::io_context io;
  std::unique_ptr<Client> client;
};

FakeAnswer json(unsigned status, std::string body) {
  FakeAnswer answer;
  answer.status = status;
  answer.body = std::move(body);
  answer.extra_headers = "Content-Type: application/json\r\n";
  return answer;
}

TEST(Client, SendsACreationAsTheApiWantsIt) {
  Fixture fixture([](const Received&) { return json(201, R"({"ReqID":7})"); });
  auto options = options_for(fixture.server.port());
  options.token = Secret("t0ken");
  options.url.prefix = "/farm";
  fixture.use(options);
  NewRequest request;
  request.caps = {{"board", "rpi4"}};
  const auto id = run(fixture.io, fixture.client->create_request(request, "key-1"));
  ASSERT_TRUE(id.has_value()) << id.error().message;
  EXPECT_EQ(id->value, RequestId{7});
  EXPECT_EQ(id->json, R"({"ReqID":7})");
  const auto received = fixture.server.received();
  ASSERT_EQ(received.size(), 1U);
  EXPECT_EQ(received[0].method, "POST");
  EXPECT_EQ(received[0].target, "/farm/api/v1/reqs/");
  EXPECT_EQ(received[0].body, R"({"Caps":{"board":"rpi4"},"Priority":8})");
  EXPECT_EQ(received[0].headers.at("authorization"), "Bearer t0ken");
  EXPECT_EQ(received[0].headers.at("idempotency-key"), "key-1");
  EXPECT_EQ(received[0].headers.at("content-type"), "application/json");
  EXPECT_EQ(received[0].headers.at("host"), "127.0.0.1:" + std::to_string(fixture.server.port()));
}

TEST(Client, TellsFromWhenOnUseIsKnown) {
  std::string since;
  Fixture fixture([&](const Received&) {
    auto answer = json(200, "[]");
    if (!since.empty()) answer.extra_headers += "Boruta-Known-Since: " + since + "\r\n";
    return answer;
  });
  const auto all = run(fixture.io, fixture.client->usage("7d"));
  ASSERT_TRUE(all.has_value()) << all.error().message;
  EXPECT_EQ(all->value.known_since, std::nullopt);
  EXPECT_EQ(all->json, "[]");
  since = "2030-01-02T03:04:05Z";
  const auto late = run(fixture.io, fixture.client->usage("7d"));
  ASSERT_TRUE(late.has_value()) << late.error().message;
  EXPECT_EQ(late->value.known_since, parse_rfc3339(since).time->at);
  since = "long ago";
  const auto wrong = run(fixture.io, fixture.client->usage("7d"));
  ASSERT_FALSE(wrong.has_value());
  EXPECT_EQ(wrong.error().kind, ErrorKind::kProtocol);
  EXPECT_EQ(fixture.server.received().back().target, "/api/v1/usage?since=7d");
}

TEST(Client, SendsNoTokenWhenThereIsNone) {
  Fixture fixture([](const Received&) { return json(200, R"({"Server":"1"})"); });
  ASSERT_TRUE(run(fixture.io, fixture.client->version()).has_value());
  EXPECT_FALSE(fixture.server.received()[0].headers.contains("authorization"));
}

TEST(Client, RepeatsACreationWithTheSameKeyWhileTheConnectionBreaks) {
  std::atomic<int> calls = 0;
  Fixture fixture([&](const Received&) -> std::optional<FakeAnswer> {
    if (++calls < 3) return std::nullopt;
    return json(201, R"({"ReqID":1})");
  });
  const auto id = run(fixture.io, fixture.client->create_request(NewRequest{}, "same"));
  ASSERT_TRUE(id.has_value()) << id.error().message;
  const auto received = fixture.server.received();
  ASSERT_EQ(received.size(), 3U);
  for (const auto& one : received) EXPECT_EQ(one.headers.at("idempotency-key"), "same");
}

TEST(Client, GivesUpAfterAsManyAttemptsAsItWasTold) {
  Fixture fixture([](const Received&) { return std::nullopt; });
  const auto answer = run(fixture.io, fixture.client->get_request(RequestId{1}));
  ASSERT_FALSE(answer.has_value());
  EXPECT_EQ(answer.error().kind, ErrorKind::kUnreachable);
  EXPECT_EQ(fixture.server.received().size(), 3U);
}

TEST(Client, SendsOtherChangesOnlyOnce) {
  Fixture fixture([](const Received&) { return std::nullopt; });
  const auto answer = run(fixture.io, fixture.client->close_request(RequestId{1}));
  ASSERT_FALSE(answer.has_value());
  EXPECT_EQ(answer.error().kind, ErrorKind::kUnreachable);
  EXPECT_EQ(fixture.server.received().size(), 1U);
}

TEST(Client, SendsWhatIsAnsweredWithASecretOnlyOnceAndWithoutAKey) {
  Fixture fixture([](const Received&) { return std::nullopt; });
  NewUser alice;
  alice.name = "alice";
  const auto user = run(fixture.io, fixture.client->add_user(alice));
  const auto token = run(fixture.io, fixture.client->add_token({.name = "rpi4-05", .role = "worker"}));
  ASSERT_FALSE(user.has_value() || token.has_value());
  EXPECT_EQ(user.error().kind, ErrorKind::kUnreachable);
  EXPECT_EQ(token.error().kind, ErrorKind::kUnreachable);
  EXPECT_TRUE(may_have_acted(user.error()));
  const auto received = fixture.server.received();
  ASSERT_EQ(received.size(), 2U);
  for (const auto& one : received) EXPECT_FALSE(one.headers.contains("idempotency-key")) << one.target;
}

TEST(Client, KeepsTheConnectionAlive) {
  Fixture fixture([](const Received&) { return json(204, ""); });
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(run(fixture.io, fixture.client->prolong(RequestId{1})).has_value());
  EXPECT_EQ(fixture.server.received().back().connection, 0U);
}

TEST(Client, OpensAnotherConnectionWhenTheServerClosedTheOld) {
  Fixture fixture([](const Received&) {
    auto answer = json(204, "");
    answer.close_after = true;
    return answer;
  });
  for (int i = 0; i < 2; ++i) ASSERT_TRUE(run(fixture.io, fixture.client->prolong(RequestId{1})).has_value());
  EXPECT_EQ(fixture.server.received().back().connection, 1U);
}

TEST(Client, NoticesASilentlyClosedConnectionBeforeItSendsAChange) {
  Fixture fixture([](const Received&) -> std::optional<FakeAnswer> {
    FakeAnswer answer;
    answer.raw = "HTTP/1.1 204 X\r\n\r\n";  // says nothing of closing, and closes
    answer.close_after = true;
    return answer;
  });
  ASSERT_TRUE(run(fixture.io, fixture.client->prolong(RequestId{1})).has_value());
  std::this_thread::sleep_for(50ms);  // for the end of the connection to arrive from the other thread
  const auto second = run(fixture.io, fixture.client->prolong(RequestId{1}));
  EXPECT_TRUE(second.has_value()) << second.error().message;
  EXPECT_EQ(fixture.server.received().back().connection, 1U);
}

struct Refused {
  unsigned status;
  ErrorKind kind;
  const char* body;
  const char* message;
};

TEST(Client, TellsRefusalsFromAnswersThatAreNotTheServers) {
  const Refused table[] = {
      {404, ErrorKind::kRefused, R"({"message":"Request not found"})", "Request not found"},
      {401, ErrorKind::kRefused, R"({"message":"token unknown"})", "token unknown"},
      {400, ErrorKind::kRefused, R"({"message":"invalid request: x"})", "invalid request: x"},
      {502, ErrorKind::kRefused, "<html>bad gateway</html>", "HTTP 502"},
      {404, ErrorKind::kProtocol, "<html>no</html>", "the answer is a bare HTTP 404"},
      {500, ErrorKind::kProtocol, "", "the answer is a bare HTTP 500"},
      {200, ErrorKind::kProtocol, "nonsense", "the answer is not JSON"},
  };
  for (const auto& row : table) {
    Fixture fixture([&](const Received&) { return json(row.status, row.body); });
    const auto answer = run(fixture.io, fixture.client->get_request(RequestId{1}));
    ASSERT_FALSE(answer.has_value()) << row.status;
    EXPECT_EQ(answer.error().kind, row.kind) << row.status;
    EXPECT_EQ(answer.error().status, row.status);
    EXPECT_EQ(answer.error().message, row.message);
    EXPECT_EQ(fixture.server.received().size(), 1U) << "an answer is final";
  }
}

TEST(Client, NamesWhereARedirectLeads) {
  Fixture fixture([](const Received&) {
    auto answer = json(308, "");
    answer.extra_headers = "Location: https://farm/\r\n";
    return answer;
  });
  const auto answer = run(fixture.io, fixture.client->version());
  ASSERT_FALSE(answer.has_value());
  EXPECT_EQ(answer.error().kind, ErrorKind::kProtocol);
  EXPECT_NE(answer.error().message.find("https://farm/"), std::string::npos);
}

TEST(Client, RefusesAnswersThatAreNotHttp) {
  Fixture fixture([](const Received&) {
    FakeAnswer answer;
    answer.raw = "SSH-2.0-OpenSSH_9.2\r\n\r\n";
    return answer;
  });
  const auto answer = run(fixture.io, fixture.client->version());
  ASSERT_FALSE(answer.has_value());
  EXPECT_EQ(answer.error().kind, ErrorKind::kProtocol);
}

TEST(Client, DoesNotWaitForEver) {
  std::atomic<bool> over = false;
  Fixture fixture([&](const Received&) -> std::optional<FakeAnswer> {
    while (!over) std::this_thread::sleep_for(1ms);
    return std::nullopt;
  });
  auto options = options_for(fixture.server.port());
  options.answer_limit = 50ms;
  options.attempts = 1;
  fixture.use(options);
  const auto answer = run(fixture.io, fixture.client->version());
  over = true;
  ASSERT_FALSE(answer.has_value());
  EXPECT_EQ(answer.error().kind, ErrorKind::kUnreachable);
  EXPECT_EQ(answer.error().message, "no answer within 0.05 s");
}

TEST(Client, AddsTheWaitOfAcquireToItsDeadline) {
  Fixture fixture([&](const Received&) {
    std::this_thread::sleep_for(150ms);
    return json(200, R"({"Addr":{"IP":"127.0.0.1","Port":1,"Zone":""},"Key":"k","Username":"u","HostKeys":[]})");
  });
  auto options = options_for(fixture.server.port());
  options.answer_limit = 50ms;
  fixture.use(options);
  const auto access = run(fixture.io, fixture.client->acquire_worker(RequestId{5}, 2s));
  ASSERT_TRUE(access.has_value()) << access.error().message;
  EXPECT_EQ(fixture.server.received()[0].target, "/api/v1/reqs/5/acquire_worker?wait=2s");
}

TEST(Client, EndsACallThatIsAborted) {
  std::atomic<bool> over = false;
  std::atomic<bool> asked = false;
  Fixture fixture([&](const Received&) -> std::optional<FakeAnswer> {
    asked = true;
    while (!over) std::this_thread::sleep_for(1ms);
    return std::nullopt;
  });
  std::thread aborter([&] {
    while (!asked) std::this_thread::sleep_for(1ms);
    asio::post(fixture.io, [&] { fixture.client->abort(); });
  });
  const auto answer = run(fixture.io, fixture.client->version());
  over = true;
  aborter.join();
  ASSERT_FALSE(answer.has_value());
  EXPECT_EQ(answer.error().kind, ErrorKind::kUnreachable);
  EXPECT_EQ(fixture.server.received().size(), 1U) << "an aborted call is not repeated";
}

TEST(Client, SaysWhyAConnectionWasNotMade) {
  std::uint16_t port = 0;
  {
    const FakeServer gone([](const Received&) { return std::nullopt; });
    port = gone.port();
  }
  asio::io_context io;
  const auto client = Client::make(io.get_executor(), options_for(port)).value();
  const auto answer = run(io, client->version());
  ASSERT_FALSE(answer.has_value());
  EXPECT_EQ(answer.error().kind, ErrorKind::kUnreachable);
  EXPECT_EQ(answer.error().message, "Connection refused");
  EXPECT_FALSE(may_have_acted(answer.error()));
}

TEST(Client, ReachesAnIpv6Literal) {
  std::unique_ptr<FakeServer> server;
  try {
    server = std::make_unique<FakeServer>([](const Received&) { return json(200, R"({"Server":"1"})"); }, false, "::1");
  } catch (const std::exception&) {
    GTEST_SKIP() << "no IPv6 here";
  }
  asio::io_context io;
  auto options = options_for(server->port());
  options.url.host = "::1";
  const auto client = Client::make(io.get_executor(), options).value();
  ASSERT_TRUE(run(io, client->version()).has_value());
  EXPECT_EQ(server->received()[0].headers.at("host"), "[::1]:" + std::to_string(server->port()));
}

TEST(Client, MakesADifferentKeyForEachCreation) { EXPECT_NE(make_idempotency_key(), make_idempotency_key()); }

class ClientTls : public testing::Test {
 protected:
  ClientTls() : server_([](const Received&) { return json(200, R"({"Server":"1"})"); }, true, "0.0.0.0") {
    path_ = std::filesystem::temp_directory_path() / ("boruta-client-test-" + std::to_string(::getpid()) + ".pem");
    std::ofstream(path_) << server_.ca_pem();
  }
  ~ClientTls() override { std::filesystem::remove(path_); }

  Answer<Reply<VersionInfo>> ask(const std::string& host, const std::string& ca) {
    auto options = options_for(server_.port());
    options.url.tls = true;
    options.url.host = host;
    options.ca_file = ca;
    options.attempts = 1;
    asio::io_context io;
    const auto client = Client::make(io.get_executor(), options).value();
    return run(io, client->version());
  }

  FakeServer server_;
  std::filesystem::path path_;
};

TEST_F(ClientTls, TrustsTheGivenCa) {
  const auto by_name = ask("localhost", path_);
  EXPECT_TRUE(by_name.has_value()) << by_name.error().message;
  const auto by_address = ask("127.0.0.1", path_);
  EXPECT_TRUE(by_address.has_value()) << by_address.error().message;
}

TEST_F(ClientTls, RefusesACertificateThatNobodyVouchesFor) {
  const auto answer = ask("localhost", "");
  ASSERT_FALSE(answer.has_value());
  EXPECT_EQ(answer.error().kind, ErrorKind::kTls);
  EXPECT_NE(answer.error().message.find("not trusted"), std::string::npos) << answer.error().message;
  EXPECT_TRUE(server_.received().empty());
}

TEST_F(ClientTls, RefusesACertificateOfAnotherHost) {
  const auto answer = ask("127.0.0.2", path_);
  ASSERT_FALSE(answer.has_value());
  EXPECT_EQ(answer.error().kind, ErrorKind::kTls);
  EXPECT_NE(answer.error().message.find("mismatch"), std::string::npos) << answer.error().message;
  EXPECT_TRUE(server_.received().empty());
}

TEST_F(ClientTls, SaysThatACaFileIsNoGood) {
  asio::io_context io;
  auto options = options_for(1);
  options.url.tls = true;
  options.ca_file = "/nonexistent/ca.pem";
  const auto made = Client::make(io.get_executor(), options);
  ASSERT_FALSE(made.has_value());
  EXPECT_EQ(made.error().kind, ErrorKind::kTls);
  EXPECT_NE(made.error().message.find("/nonexistent/ca.pem"), std::string::npos);
}

}  // namespace
}  // namespace boruta::client

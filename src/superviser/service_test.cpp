#include "superviser/service.hpp"

#include <boost/asio/ip/tcp.hpp>
#include <fmt/format.h>
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include <atomic>
#include <thread>
#include <utility>
#include <vector>

#include "server/access.hpp"
#include "superviser/fragile_network_fixture.hpp"
#include "superviser/service_fixture.hpp"

namespace boruta::superviser {
namespace {

using namespace std::chrono_literals;
using asio::ip::tcp;

using Superviser = ServiceTest;

TEST_F(Superviser, RegistersTheWorkerAtTheAddressThatItCallsFrom) {
  TestAgent agent(address_);
  agent.send(hello());
  const auto answer = agent.receive();
  ASSERT_TRUE(answer.has_value());
  EXPECT_EQ(std::get<agent::Welcome>(*answer), (agent::Welcome{.heartbeat_every = 10s, .lost_grace = 10min}));
  const auto registered = events<farm::WorkerRegistered>();
  ASSERT_EQ(registered.size(), 1U);
  const auto expected = hello();
  EXPECT_EQ(registered[0].registration, (farm::Registration{.caps = expected.caps,
                                                            .ssh_address = "127.0.0.1",
                                                            .ssh_port = expected.ssh_port,
                                                            .host_keys = expected.host_keys}));
  EXPECT_TRUE(connected());
}

TEST_F(Superviser, RefusesAFirstMessageThatIsNotRegister) {
  TestAgent agent(address_);
  agent.send(agent::Heartbeat{});
  const auto status = agent.wait_for_end();
  EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(status.error_message(), "invalid request: the first message must be Register, not Heartbeat");
}

TEST_F(Superviser, RefusesAFirstMessageWithoutBody) {
  TestAgent agent(address_);
  agent.send_nothing_known();
  const auto status = agent.wait_for_end();
  EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(status.error_message(),
            "invalid request: the first message must be Register, not one that the server does not know");
}

TEST_F(Superviser, RefusesAStreamThatEndsWithoutAMessage) {
  TestAgent agent(address_);
  agent.end();
  const auto status = agent.wait_for_end();
  EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(status.error_message(), "invalid request: the stream ended without Register");
}

TEST_F(Superviser, RefusesAWorkerWithoutUuidAndSaysSo) {
  TestAgent agent(address_);
  auto message = hello();
  message.caps.erase("UUID");
  agent.send(message);
  const auto status = agent.wait_for_end();
  EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_NE(status.error_message().find("UUID"), std::string::npos) << status.error_message();
  EXPECT_FALSE(worker().has_value());
}

TEST_F(Superviser, EndsAStreamThatRegistersTwice) {
  TestAgent agent(address_);
  ASSERT_TRUE(agent.join());
  agent.send(hello());
  EXPECT_EQ(agent.wait_for_end().error_message(), "invalid request: Register may only be the first message");
  EXPECT_TRUE(eventually([&] { return !connected(); }));
}

TEST_F(Superviser, EndsAStreamWithAMessageThatItDoesNotKnow) {
  TestAgent agent(address_);
  ASSERT_TRUE(agent.join());
  agent.send_nothing_known();
  const auto status = agent.wait_for_end();
  EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(status.error_message(), "invalid request: a message that the server does not know");
}

TEST_F(Superviser, RefusesAMessageBeyondTheLimit) {
  TestAgent agent(address_);
  ASSERT_TRUE(agent.join());
  agent.send(agent::Warning{.text = std::string(2'000'000, 'x')});
  EXPECT_FALSE(agent.wait_for_end().ok());
  EXPECT_TRUE(eventually([&] { return !connected(); }));
  EXPECT_TRUE(events<farm::WorkerNoted>().empty());
}

TEST_F(Superviser, RefusesAnotherAgentWithTheSameUuid) {
  TestAgent first(address_);
  ASSERT_TRUE(first.join("first"));
  TestAgent second(address_);
  second.send(hello("second"));
  EXPECT_EQ(second.wait_for_end().error_code(), grpc::StatusCode::ALREADY_EXISTS);
  EXPECT_TRUE(send(agent::JobRemaining{}).has_value());
  const auto message = first.receive();
  ASSERT_TRUE(message.has_value());
  EXPECT_TRUE(std::holds_alternative<agent::JobRemaining>(*message));
}

TEST_F(Superviser, ReplacesTheOldStreamOfTheSameAgent) {
  TestAgent older(address_);
  ASSERT_TRUE(older.join());
  TestAgent newer(address_);
  ASSERT_TRUE(newer.join());
  EXPECT_TRUE(older.wait_for_end().ok());
  EXPECT_TRUE(connected());
  EXPECT_TRUE(send(agent::JobRemaining{}).has_value());
  EXPECT_TRUE(newer.receive().has_value());
  // The end of the old stream is not taken for the worker's.
  EXPECT_TRUE(events<farm::WorkerDisconnected>().empty());
}

TEST_F(Superviser, LetsOneOfTwoAgentsWithTheSameStateServe) {
  // They push each other off, each coming back as soon as it was pushed.
  std::vector<std::unique_ptr<TestAgent>> streams;
  bool joined = true;
  while (joined && streams.size() < 20) {
    streams.push_back(std::make_unique<TestAgent>(address_));
    joined = streams.back()->join();
  }
  EXPECT_EQ(streams.size(), 7U) << "six streams, of which five took the place of one that was alive";
  const auto refused = streams.back()->wait_for_end();
  EXPECT_EQ(refused.error_code(), grpc::StatusCode::ALREADY_EXISTS);
  EXPECT_NE(refused.error_message().find("copied SD card"), std::string::npos) << refused.error_message();
  EXPECT_TRUE(connected());
  EXPECT_TRUE(send(agent::JobRemaining{}).has_value());
  EXPECT_TRUE(streams.at(5)->receive().has_value()) << "the one that serves goes on";
  streams.at(5)->cancel();
  EXPECT_TRUE(eventually([&] { return !connected(); }));
  EXPECT_TRUE(TestAgent(address_).join()) << "the other may serve once the one has gone";
}

TEST_F(Superviser, TellsOnceThatAnAgentVanished) {
  TestAgent agent(address_);
  ASSERT_TRUE(agent.join());
  agent.cancel();
  EXPECT_TRUE(eventually([&] { return !connected(); }));
  stop();
  EXPECT_EQ(events<farm::WorkerDisconnected>().size(), 1U);
}

TEST_F(Superviser, DeliversWhatWasSaidBeforeTheAgentEnded) {
  TestAgent agent(address_);
  ASSERT_TRUE(agent.join());
  agent.send(agent::SetFail{.reason = "no power"});
  agent.end();
  EXPECT_TRUE(agent.wait_for_end().ok());
  EXPECT_TRUE(eventually([&] { return !connected(); }));
  const auto notes = events<farm::WorkerNoted>();
  ASSERT_EQ(notes.size(), 1U);
  EXPECT_NE(notes[0].text.find("no power"), std::string::npos);
}

TEST_F(Superviser, DeliversMoreMessagesThanItQueuesInOrder) {
  constexpr std::size_t kMessages = 500;
  TestAgent agent(address_);
  ASSERT_TRUE(agent.join());
  for (std::size_t i = 0; i < kMessages; ++i) ASSERT_TRUE(agent.send(agent::Warning{.text = std::to_string(i)}));
  agent.end();
  EXPECT_TRUE(agent.wait_for_end().ok());
  EXPECT_TRUE(eventually([&] { return !connected(); }));
  const auto notes = events<farm::WorkerNoted>();
  ASSERT_EQ(notes.size(), kMessages);
  for (std::size_t i = 0; i < kMessages; ++i) EXPECT_EQ(notes[i].text, std::to_string(i));
}

TEST_F(Superviser, SendsWhatIsQueuedBeforeItEndsTheStream) {
  TestAgent agent(address_);
  ASSERT_TRUE(agent.join());
  on_strand([&] {
    const auto uuid = WorkerUuid::parse(kUuid).value();
    for (std::uint64_t i = 1; i <= 200; ++i) agents_.send(uuid, agent::JobRemaining{.job = RequestId{i}});
    agents_.deregister(uuid);
  });
  for (std::uint64_t i = 1; i <= 200; ++i) {
    const auto message = agent.receive();
    ASSERT_TRUE(message.has_value());
    EXPECT_EQ(std::get<agent::JobRemaining>(*message).job, RequestId{i});
  }
  const auto last = agent.receive();
  ASSERT_TRUE(last.has_value());
  EXPECT_TRUE(std::holds_alternative<agent::Deregistered>(*last));
  EXPECT_TRUE(agent.wait_for_end().ok());
}

TEST_F(Superviser, EndsTheStreamOfAnAgentThatDoesNotTakeItsMessages) {
  TestAgent agent(address_);
  ASSERT_TRUE(agent.join());
  on_strand([&] {
    for (int i = 0; i < 300; ++i) agents_.send(WorkerUuid::parse(kUuid).value(), agent::JobRemaining{});
  });
  EXPECT_TRUE(eventually([&] { return !connected(); }));
  EXPECT_EQ(agent.wait_for_end().error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
}

TEST_F(Superviser, EndsAllStreamsWhenItStops) {
  TestAgent registered(address_);
  ASSERT_TRUE(registered.join());
  TestAgent silent(address_);
  ASSERT_TRUE(eventually([&] { return stream_count() == 2; }));
  stop();
  EXPECT_EQ(registered.wait_for_end().error_code(), grpc::StatusCode::UNAVAILABLE);
  EXPECT_EQ(silent.wait_for_end().error_code(), grpc::StatusCode::UNAVAILABLE);
  TestAgent late(address_);
  EXPECT_EQ(late.wait_for_end().error_code(), grpc::StatusCode::UNAVAILABLE);
}

TEST_F(Superviser, SurvivesAgentsThatComeAndGo) {
  for (int round = 0; round < 100; ++round) {
    TestAgent agent(address_);
    agent.send(hello());
    if (round % 2 == 0) agent.receive();
    agent.cancel();
  }
  EXPECT_TRUE(eventually([&] { return stream_count() == 0; }));
  EXPECT_FALSE(connected());
}

TEST_F(Superviser, SaysSoWhenThePortIsTaken) {
  Options options;
  options.listen_address = address_;
  Service second(strand_, clock_.get(), &agents_, &tunnels_, options);
  const auto port = second.listen();
  ASSERT_FALSE(port.has_value());
  EXPECT_NE(port.error().find(address_), std::string::npos) << port.error();
}

Options impatient_options() {
  auto options = options_with_any_port();
  options.hello_within = 1s;
  options.streams = 2;
  options.keepalive_every = 1s;
  options.keepalive_timeout = 1s;
  return options;
}

class ImpatientSuperviser : public ServiceTest {
 protected:
  ImpatientSuperviser() : ServiceTest(impatient_options()) {}
};

TEST_F(ImpatientSuperviser, CutsAnAgentThatSaysNothing) {
  TestAgent agent(address_);
  const auto status = agent.wait_for_end();
  EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(status.error_message(), "invalid request: no Register came within 1 s");
}

TEST_F(ImpatientSuperviser, RefusesMoreStreamsThanItMayHave) {
  TestAgent first(address_);
  ASSERT_TRUE(first.join());
  TestAgent second(address_);
  auto other = hello();
  other.caps["UUID"] = "7f9c24e5-2a4e-4d0a-9a4f-0c8d2f6b1a02";
  second.send(other);
  ASSERT_TRUE(second.receive().has_value());
  TestAgent third(address_);
  EXPECT_EQ(third.wait_for_end().error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
}

TEST_F(ImpatientSuperviser, NoticesAConnectionThatIsOnlyHalfThere) {
  FragileNetwork network(static_cast<std::uint16_t>(std::stoi(address_.substr(address_.rfind(':') + 1))));
  TestAgent agent(network.address());
  EXPECT_TRUE(agent.join());
  network.fall_silent();
  EXPECT_TRUE(eventually([&] { return !connected(); }));
  network.go();
}

class GuardedSuperviser : public ServiceTest {
 protected:
  GuardedSuperviser() : ServiceTest(options_with_any_port(), farm::Policy{}) {}

  Secret make_worker_token() {
    auto token = server::make_token();
    farm::Command command{
        .actor = {.kind = farm::Actor::Kind::kAdmin},
        .body = farm::CreateToken{.role = farm::Role::kWorker, .name = "bench", .hash = server::hash_of(token)}};
    EXPECT_TRUE(wait_for(coordinator_.submit(std::move(command))).has_value());
    return token;
  }

  /// What a probe of the worker is told; empty: it would be let in.
  std::string probe(const std::string& token) {
    const auto stub = v1::Superviser::NewStub(grpc::CreateChannel(address_, grpc::InsecureChannelCredentials()));
    grpc::ClientContext context;
    context.AddMetadata("authorization", "Bearer " + token);
    v1::ProbeRequest request;
    request.set_uuid(std::string(kUuid));
    v1::ProbeAnswer answer;
    EXPECT_TRUE(stub->Probe(&context, request, &answer).ok());
    const Instant told{std::chrono::microseconds(answer.time_us())};
    EXPECT_LT(std::chrono::abs(clock_->now().wall - told), 10s);
    return answer.admitted() ? "" : answer.reason();
  }
};

TEST_F(GuardedSuperviser, TellsAProbeWhetherItsTokenLetsTheWorkerInAndRegistersNothing) {
  EXPECT_EQ(probe("boruta_wrong"), "the token is unknown, expired or revoked");
  EXPECT_EQ(probe(std::string(make_worker_token().reveal())), "");
  EXPECT_FALSE(worker().has_value());
  EXPECT_TRUE(events<farm::TokenBound>().empty());
}

TEST_F(GuardedSuperviser, RefusesAnAgentWithoutOrWithAWrongToken) {
  for (const std::string token : {"", "boruta_wrong"}) {
    TestAgent agent(address_, token);
    agent.send(hello());
    EXPECT_EQ(agent.wait_for_end().error_code(), grpc::StatusCode::UNAUTHENTICATED) << token;
  }
  EXPECT_FALSE(worker().has_value());
}

TEST_F(GuardedSuperviser, AdmitsAnAgentWithAWorkersToken) {
  const auto token = make_worker_token();
  TestAgent agent(address_, std::string(token.reveal()));
  EXPECT_TRUE(agent.join());
  EXPECT_TRUE(connected());
}

}  // namespace
}  // namespace boruta::superviser

#include "dryad/grpc_link.hpp"

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <fmt/format.h>
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <vector>

#include "agent.grpc.pb.h"
#include "proto/agent_codec.hpp"

namespace boruta::dryad {
namespace {

namespace asio = boost::asio;
using namespace std::chrono_literals;

/// A real server on a free port. Says Welcome to the first message, echoes the reasons of SetFail as messages for the
/// display, and ends the stream as `end_with` says, or when it has seen a Heartbeat.
class TestServer final : public v1::Superviser::Service {
 public:
  TestServer() {
    grpc::ServerBuilder builder;
    builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port_);
    builder.RegisterService(this);
    server_ = builder.BuildAndStart();
  }
  ~TestServer() override { server_->Shutdown(std::chrono::system_clock::now()); }

  [[nodiscard]] std::string address() const { return fmt::format("127.0.0.1:{}", port_); }

  grpc::Status Session(grpc::ServerContext* context,
                       grpc::ServerReaderWriter<v1::ToAgent, v1::FromAgent>* stream) override {
    const auto found = context->client_metadata().find("authorization");
    if (found != context->client_metadata().end()) authorization = {found->second.data(), found->second.size()};
    if (!end_with.ok()) return end_with;
    v1::FromAgent message;
    while (stream->Read(&message)) {
      if (message.has_register_())
        stream->Write(proto::encode(agent::Welcome{.heartbeat_every = 1s, .lost_grace = 2s}));
      if (message.has_set_fail()) {
        const agent::Command command{.generation = Generation{1},
                                     .body = agent::PutInMaintenance{.message = message.set_fail().reason()}};
        stream->Write(proto::encode(agent::ToAgent(command)));
      }
      if (message.has_heartbeat()) return grpc::Status::OK;
    }
    return grpc::Status::CANCELLED;
  }

  std::string authorization;
  grpc::Status end_with;

 private:
  int port_ = 0;
  std::unique_ptr<grpc::Server> server_;
};

class GrpcLinkTest : public testing::Test {
 protected:
  /// Opens a stream, says `messages` and runs until the stream has ended.
  void talk(const std::string& address, const std::vector<agent::FromAgent>& messages, bool close = false) {
    const auto connector =
        make_grpc_connector({.address = address, .ca_pem = {}, .token = Secret("tok")}, context_.get_executor());
    auto guard = asio::make_work_guard(context_);
    StreamHandler handler{.on_message = [&](agent::ToAgent message) { heard_.push_back(std::move(message)); },
                          .on_end =
                              [&](StreamEnd end) {
                                EXPECT_FALSE(end_.has_value()) << "once";
                                end_ = std::move(end);
                                guard.reset();
                              }};
    const auto stream = connector->open(std::move(handler));
    for (const auto& message : messages) stream->send(message);
    if (close) stream->close();
    context_.run_for(20s);
    stream->send(agent::Heartbeat{});
    stream->close();
  }

  asio::io_context context_;
  std::vector<agent::ToAgent> heard_;
  std::optional<StreamEnd> end_;
};

TEST_F(GrpcLinkTest, CarriesMessagesBothWaysInOrder) {
  const TestServer server;
  std::vector<agent::FromAgent> messages{agent::Register{}};
  for (int i = 0; i < 20; ++i) messages.emplace_back(agent::SetFail{.reason = std::to_string(i)});
  messages.emplace_back(agent::Heartbeat{});
  talk(server.address(), messages);
  ASSERT_EQ(heard_.size(), 21U);
  EXPECT_EQ(heard_.front(), (agent::ToAgent(agent::Welcome{.heartbeat_every = 1s, .lost_grace = 2s})));
  for (std::size_t i = 0; i < 20; ++i) {
    const auto& command = std::get<agent::Command>(heard_[i + 1]);
    EXPECT_EQ(std::get<agent::PutInMaintenance>(command.body).message, std::to_string(i));
  }
  ASSERT_TRUE(end_.has_value());
  EXPECT_EQ(end_->reason, StreamEndReason::kClosed);
  EXPECT_EQ(server.authorization, "Bearer tok");
}

TEST_F(GrpcLinkTest, EndsWithItsStreamOpen) {
  const TestServer server;
  for (int round = 0; round < 20; ++round) {
    auto connector = make_grpc_connector({.address = server.address(), .ca_pem = {}, .token = Secret("tok")},
                                         context_.get_executor());
    auto guard = asio::make_work_guard(context_);
    bool ended = false;
    StreamHandler handler{.on_message = [&](const agent::ToAgent&) { guard.reset(); },
                          .on_end = [&](const StreamEnd&) { ended = true; }};
    const auto stream = connector->open(std::move(handler));
    stream->send(agent::Register{});
    context_.run_for(20s);
    context_.restart();
    connector.reset();
    stream->send(agent::Heartbeat{});
    context_.run_for(20s);
    context_.restart();
    EXPECT_TRUE(ended);
  }
}

TEST_F(GrpcLinkTest, GivesTheServersWordsWhenItRefuses) {
  for (const auto code : {grpc::StatusCode::PERMISSION_DENIED, grpc::StatusCode::UNAUTHENTICATED,
                          grpc::StatusCode::INVALID_ARGUMENT, grpc::StatusCode::ALREADY_EXISTS}) {
    TestServer server;
    server.end_with = grpc::Status(code, "not you");
    end_.reset();
    talk(server.address(), {agent::Register{}});
    ASSERT_TRUE(end_.has_value());
    EXPECT_EQ(end_->reason, StreamEndReason::kRefused);
    EXPECT_EQ(end_->text, "not you");
    context_.restart();
  }
}

TEST_F(GrpcLinkTest, SaysThatNobodyIsThere) {
  talk("127.0.0.1:1", {agent::Register{}});
  ASSERT_TRUE(end_.has_value());
  EXPECT_EQ(end_->reason, StreamEndReason::kUnreachable);
  EXPECT_TRUE(heard_.empty());
}

TEST_F(GrpcLinkTest, EndsAtOnceWhenClosed) {
  const TestServer server;
  talk(server.address(), {agent::Register{}}, true);
  ASSERT_TRUE(end_.has_value());
  EXPECT_EQ(end_->reason, StreamEndReason::kClosed);
}

TEST_F(GrpcLinkTest, EndsWhenTheNetworkTakesNothingMore) {
  const TestServer server;
  const std::vector<agent::FromAgent> flood(1000, agent::FromAgent(agent::SetFail{.reason = std::string(60'000, 'x')}));
  talk(server.address(), flood);
  ASSERT_TRUE(end_.has_value()) << "64 messages wait at most";
}

}  // namespace
}  // namespace boruta::dryad

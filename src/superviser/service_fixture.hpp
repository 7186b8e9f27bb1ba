#pragma once

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/strand.hpp>
#include <boost/asio/use_future.hpp>
#include <fmt/format.h>
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include <array>
#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "agent.grpc.pb.h"
#include "proto/agent_codec.hpp"
#include "store/memory_journal.hpp"
#include "superviser/service.hpp"

namespace boruta::superviser {

inline constexpr std::string_view kUuid = "7f9c24e5-2a4e-4d0a-9a4f-0c8d2f6b1a01";

inline agent::Register hello(std::string instance = "first") {
  agent::Register message;
  message.caps = {{"UUID", std::string(kUuid)}, {"board", "rpi4"}};
  message.ssh_port = 22;
  message.host_keys = {"ssh-ed25519 AAAA"};
  message.instance = std::move(instance);
  return message;
}

/// An agent's end of the stream, used in a blocking way; whatever hangs ends with DEADLINE_EXCEEDED.
class TestAgent {
 public:
  explicit TestAgent(const std::string& address, const std::string& token = "") {
    grpc::ChannelArguments arguments;
    arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);  // a connection of its own
    stub_ = v1::Superviser::NewStub(grpc::CreateCustomChannel(address, grpc::InsecureChannelCredentials(), arguments));
    if (!token.empty()) context_.AddMetadata("authorization", "Bearer " + token);
    context_.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(20));
    stream_ = stub_->Session(&context_);
  }

  bool send(const agent::FromAgent& message) { return stream_->Write(proto::encode(message)); }
  bool send_nothing_known() { return stream_->Write(v1::FromAgent()); }
  void end() { stream_->WritesDone(); }

  std::optional<agent::ToAgent> receive() {
    v1::ToAgent message;
    if (!stream_->Read(&message)) return std::nullopt;
    return proto::decode(message);
  }

  /// Registers and takes the Welcome.
  bool join(std::string instance = "first") {
    send(hello(std::move(instance)));
    const auto answer = receive();
    return answer && std::holds_alternative<agent::Welcome>(*answer);
  }

  /// The status with which the server ends the stream.
  grpc::Status wait_for_end() {
    while (receive()) {
    }
    return stream_->Finish();
  }

  /// Vanishes.
  void cancel() {
    context_.TryCancel();
    wait_for_end();
  }

 private:
  std::unique_ptr<v1::Superviser::Stub> stub_;
  grpc::ClientContext context_;
  std::unique_ptr<grpc::ClientReaderWriter<v1::FromAgent, v1::ToAgent>> stream_;
};

inline farm::Policy open_policy() {
  farm::Policy policy;
  policy.access_control = false;
  return policy;
}

inline Options options_with_any_port() {
  Options options;
  options.listen_address = "127.0.0.1:0";
  return options;
}

/// The real coordinator over a journal in memory, and the service on a port of its own.
class ServiceTest : public testing::Test {
 protected:
  explicit ServiceTest(Options options = options_with_any_port(), farm::Policy policy = open_policy())
      : committer_(
            server::make_commit_thread(std::make_unique<store::MemoryJournal>(), strand_, std::chrono::seconds(30))),
        coordinator_({.strand = strand_, .clock = clock_.get(), .committer = committer_.get()}, policy, {}),
        agents_(&coordinator_),
        tunnels_(&coordinator_, &agents_),
        service_(strand_, clock_.get(), &agents_, &tunnels_, std::move(options)),
        tasks_(strand_) {
    tasks_.spawn("coordinator", coordinator_.run());
    for (auto& thread : threads_) thread = std::thread([this] { io_.run(); });
    const auto port = service_.listen();
    EXPECT_TRUE(port.has_value()) << port.error();
    address_ = fmt::format("127.0.0.1:{}", *port);
  }

  ~ServiceTest() override {
    stop();
    on_strand([this] { coordinator_.request_stop(); });
    wait_for(tasks_.join());
    committer_->stop();
    work_.reset();
    for (auto& thread : threads_) thread.join();
  }

  void stop() {
    if (std::exchange(stopped_, true)) return;
    on_strand([this] { service_.request_stop(); });
    wait_for(service_.join());
  }

  void on_strand(const std::function<void()>& call) { asio::post(strand_, asio::use_future(call)).get(); }

  template <class T>
  T wait_for(Task<T> task) {
    return asio::co_spawn(strand_, std::move(task), asio::use_future).get();
  }

  std::optional<farm::Worker> worker() {
    std::optional<farm::Worker> found;
    on_strand([&] {
      const auto* known = coordinator_.engine().farm().find_worker(WorkerUuid::parse(kUuid).value());
      if (known != nullptr) found = *known;
    });
    return found;
  }

  /// Durable events of type `T`, in order.
  template <class T>
  std::vector<T> events() {
    const store::EventQuery query{.limit = 10'000};
    const auto all = wait_for(coordinator_.read_events(query));
    std::vector<T> found;
    for (const auto& event : all.value()) {
      if (const auto* body = std::get_if<T>(&event.body)) found.push_back(*body);
    }
    return found;
  }

  static bool eventually(const std::function<bool()>& holds) {
    const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(10);
    while (!holds()) {
      if (std::chrono::steady_clock::now() > until) return false;
      std::this_thread::sleep_for(std::chrono::milliseconds(2));
    }
    return true;
  }

  bool connected() {
    const auto known = worker();
    return known && known->connected;
  }

  std::size_t stream_count() {
    std::size_t count = 0;
    on_strand([&] { count = service_.stream_count(); });
    return count;
  }

  std::optional<server::Agents::Session> send(agent::ToAgent message) {
    std::optional<server::Agents::Session> session;
    on_strand([&] { session = agents_.send(WorkerUuid::parse(kUuid).value(), std::move(message)); });
    return session;
  }

  asio::io_context io_;
  asio::executor_work_guard<asio::io_context::executor_type> work_ = asio::make_work_guard(io_);
  asio::any_io_executor strand_ = asio::make_strand(io_);
  std::unique_ptr<runtime::Clock> clock_ = runtime::make_system_clock(Instant{});
  std::unique_ptr<server::Committer> committer_;
  server::Coordinator coordinator_;
  server::Agents agents_;
  server::AgentTunnels tunnels_;
  Service service_;
  runtime::TaskGroup tasks_;
  std::array<std::thread, 2> threads_;
  std::string address_;
  bool stopped_ = false;
};

}  // namespace boruta::superviser

#pragma once

#include <cstddef>
#include <cstdint>
#include <expected>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <unordered_set>

#include "runtime/clock.hpp"
#include "runtime/task.hpp"
#include "server/agent_tunnels.hpp"
#include "server/agents.hpp"

namespace grpc {
class ServerCredentials;
class ServerUnaryReactor;
}  // namespace grpc

namespace boruta::v1 {
class ProbeAnswer;
}

namespace boruta::superviser {

class Stream;
class TunnelCall;

struct Options {
  /// "host:port", IPv6 as "[::1]:7175". Port 0: the system chooses.
  std::string listen_address = "127.0.0.1:7175";
  /// Null: plain gRPC.
  std::shared_ptr<grpc::ServerCredentials> credentials;
  /// An agent that has not said Register for so long is cut off.
  Duration hello_within = std::chrono::seconds(10);
  /// Streams whose other end vanished without a word are noticed after both together.
  Duration keepalive_every = std::chrono::seconds(10);
  Duration keepalive_timeout = std::chrono::seconds(10);
  /// At one time; one more is refused.
  std::size_t streams = 10'000;
  /// What is on its way from and to all who are connected, known or not, may take about so much: beyond it gRPC ends
  /// connections until it fits. Agents come back by themselves.
  std::size_t memory_bytes = std::size_t{1024} * 1024 * 1024;
};

/// Takes the agents' streams over gRPC and hands what they say to `agents`, each stream's messages in order; and the
/// connections that agents carry, which go to `tunnels`.
/// Threads: the coordinator's strand, on which its state lives; gRPC's own threads only post to it.
/// Stop: `request_stop` ends all streams and takes no more; the service must outlive `join`, and the strand must run
/// until it has returned.
class Service {
 public:
  /// `strand` is the coordinator's.
  Service(asio::any_io_executor strand, runtime::Clock* clock, server::Agents* agents, server::AgentTunnels* tunnels,
          Options options);
  Service(const Service&) = delete;
  Service& operator=(const Service&) = delete;
  /// REQUIRES: never listened, or `join` has returned.
  ~Service();

  /// Listens and serves from now on; the port. The error is for the log. Once.
  std::expected<std::uint16_t, std::string> listen();

  /// Streams that stand, also those of agents that have not registered yet. Thread: the strand.
  [[nodiscard]] std::size_t stream_count() const { return streams_.size(); }

  /// Thread: the strand. Once.
  void request_stop();
  /// Returns when no stream is left. REQUIRES: request_stop was or will be called.
  Task<void> join();

 private:
  class Endpoint;

  void admit(const std::shared_ptr<Stream>& stream);
  void admit(const std::shared_ptr<TunnelCall>& call);
  /// A call of Probe. Its answer and reactor live until it is finished.
  struct ProbeCall {
    std::optional<Secret> token;
    std::string uuid;
    v1::ProbeAnswer* answer = nullptr;
    grpc::ServerUnaryReactor* reactor = nullptr;
  };
  void admit(ProbeCall call);
  Task<void> answer(ProbeCall call);
  /// One stream from its first message to its end.
  Task<void> serve(std::shared_ptr<Stream> stream);
  Task<void> converse(std::shared_ptr<Stream> stream);
  /// The first message. When it is wrong or late, the stream is closed.
  Task<std::optional<agent::Register>> introduce(std::shared_ptr<Stream> stream);
  Task<void> deliver(std::shared_ptr<Stream> stream, server::Agents::Session session);
  Task<void> part(std::shared_ptr<Stream> stream);

  asio::any_io_executor strand_;
  runtime::Clock& clock_;
  server::Agents& agents_;
  server::AgentTunnels& tunnels_;
  Options options_;
  std::unique_ptr<Endpoint> endpoint_;
  std::unordered_set<std::shared_ptr<Stream>> streams_;
  std::size_t probes_ = 0;
  bool stopping_ = false;
  bool shut_down_ = false;
  runtime::Signal changed_;
  /// Waits for gRPC, which blocks.
  std::thread shutdown_;
  runtime::TaskGroup tasks_;
};

}  // namespace boruta::superviser

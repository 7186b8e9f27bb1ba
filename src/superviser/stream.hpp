#pragma once

#include <grpcpp/grpcpp.h>

#include <cstdint>
#include <deque>
#include <expected>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "agent.pb.h"
#include "base/agent_messages.hpp"
#include "base/refusal.hpp"
#include "base/secret.hpp"
#include "runtime/task.hpp"
#include "server/agents.hpp"

namespace boruta::superviser {

/// The server's end of one call of Session, between gRPC's threads and the strand.
/// Threads: the strand for everything but the reactions (On…), which come from gRPC and only post to the strand.
/// Bounded: reads the next message only when the queue has room; more unsent messages than the limit end the stream.
/// Lives until gRPC has called OnDone and nobody on the strand holds it any more.
class Stream final : public grpc::ServerBidiReactor<v1::FromAgent, v1::ToAgent>,
                     public server::AgentLink,
                     public std::enable_shared_from_this<Stream> {
 public:
  enum class End : std::uint8_t {
    kClosed,   ///< by the agent, the network or `close`
    kUnknown,  ///< a message that this server does not know
  };

  Stream(asio::any_io_executor strand, grpc::CallbackServerContext* context);

  /// Gives the stream to gRPC until OnDone. Thread: gRPC's, once, before it is returned from the call's handler.
  void hold();
  /// Begins to read.
  void start() { read_more(); }
  /// The agent may speak: of one that has not registered, one message at a time is taken.
  void admit();

  /// The IP literal from which the agent speaks; may be empty.
  [[nodiscard]] const std::string& peer() const { return peer_; }
  [[nodiscard]] const std::optional<Secret>& token() const { return token_; }

  /// The next message in the order of arrival. Obeys cancellation. One waiter at a time.
  Task<std::expected<agent::FromAgent, End>> next();
  void send(agent::ToAgent message) override;
  void close(std::optional<Refusal> why) override;
  /// Returns once gRPC is done with the call. Obeys cancellation. One waiter at a time.
  Task<void> finished();
  /// Breaks the call, whatever is still to be sent.
  void abort();

  void OnReadDone(bool ok) override;
  void OnWriteDone(bool ok) override;
  void OnDone() override;

 private:
  void read_more();
  void write_more();
  void on_read(bool ok, std::optional<agent::FromAgent> message);
  void on_written(bool ok);

  asio::any_io_executor strand_;
  std::string peer_;
  std::optional<Secret> token_;

  /// Belongs to gRPC while `reading_`.
  v1::FromAgent incoming_;
  bool reading_ = false;
  bool admitted_ = false;
  bool input_ended_ = false;
  /// Nothing stands for a message that cannot be decoded.
  std::deque<std::optional<agent::FromAgent>> inbound_;

  /// Belongs to gRPC while `writing_`.
  v1::ToAgent outgoing_;
  bool writing_ = false;
  std::deque<v1::ToAgent> outbound_;
  /// With which the call ends after what is queued.
  std::optional<grpc::Status> closing_;
  /// Finish was called: nothing may be started any more.
  bool finished_ = false;
  bool done_ = false;
  runtime::Signal changed_;

  std::mutex context_mutex_;
  /// Null once gRPC is done with the call.
  grpc::CallbackServerContext* context_;
  /// gRPC's share in the life of the stream.
  std::shared_ptr<Stream> held_by_grpc_;
};

}  // namespace boruta::superviser

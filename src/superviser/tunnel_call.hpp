#pragma once

#include <grpcpp/grpcpp.h>

#include <memory>
#include <optional>

#include "base/secret.hpp"
#include "proto/chunk_stream.hpp"

namespace boruta::superviser {

/// The server's end of one call of Tunnel.
/// Lives until gRPC has called OnDone and nobody else holds it any more. Threads: any.
class TunnelCall final : public proto::ChunkStream<grpc::ServerBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer>>,
                         public std::enable_shared_from_this<TunnelCall> {
 public:
  explicit TunnelCall(grpc::CallbackServerContext* context);

  /// Gives the call to gRPC until OnDone. Once, before it is returned from the call's handler.
  void hold() {
    const std::scoped_lock lock(mutex());
    held_by_grpc_ = shared_from_this();
  }
  /// The connection's token.
  [[nodiscard]] const std::optional<Secret>& token() const { return token_; }
  /// One of the two, once.
  void accept() { start_reading(); }
  void refuse(grpc::Status status);

  void OnCancel() override { call_done(); }
  void OnDone() override;

 private:
  void end_call(bool in_order) override;
  void written() override;

  std::optional<Secret> token_;
  /// Null once gRPC is done with the call.
  grpc::CallbackServerContext* context_;
  /// With which the call ends once nothing is being written.
  std::optional<grpc::Status> ending_;
  std::shared_ptr<TunnelCall> held_by_grpc_;
};

}  // namespace boruta::superviser

#include "dryad/grpc_tunnels.hpp"

#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/grpcpp.h>

#include <condition_variable>
#include <cstddef>
#include <mutex>
#include <utility>
#include <vector>

#include "dryad/grpc_channel.hpp"
#include "proto/chunk_stream.hpp"

namespace boruta::dryad {
namespace {

/// Called by its name, since its messages are taken apart by ChunkStream.
constexpr const char* kMethod = "/boruta.v1.Superviser/Tunnel";

class Call;

/// The calls that gRPC has. They are freed by threads of ours: one of gRPC's could outlive main, and meet a library
/// that is being torn down.
class Calls {
 public:
  ~Calls() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return under_way_ == 0; });
  }

  void begin() {
    std::vector<std::shared_ptr<Call>> freed;
    const std::scoped_lock lock(mutex_);
    ++under_way_;
    freed.swap(done_);
  }

  void end(std::shared_ptr<Call> call) {
    const std::scoped_lock lock(mutex_);
    done_.push_back(std::move(call));
    --under_way_;
    changed_.notify_all();
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::size_t under_way_ = 0;
  std::vector<std::shared_ptr<Call>> done_;
};

/// The agent's end of one call of Tunnel. Lives until gRPC has called OnDone and nobody else holds it any more.
class Call final : public proto::ChunkStream<grpc::ClientBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer>>,
                   public std::enable_shared_from_this<Call> {
 public:
  explicit Call(Calls* calls) : calls_(*calls) {}

  void start(grpc::GenericStub& stub, const Secret& token) {
    calls_.begin();
    held_by_grpc_ = shared_from_this();
    context_.AddMetadata("authorization", "Bearer " + std::string(token.reveal()));
    context_.set_wait_for_ready(true);
    stub.PrepareBidiStreamingCall(&context_, kMethod, {}, this);
    // Chunks are sent from outside the callbacks, which takes a hold of its own.
    AddHold();
    start_reading();
    StartCall();
  }

  void OnDone(const grpc::Status&) override {
    call_done();
    calls_.end(std::move(held_by_grpc_));
  }

 private:
  void end_call(bool in_order) override {
    if (!in_order) context_.TryCancel();
    RemoveHold();
  }

  Calls& calls_;
  grpc::ClientContext context_;
  std::shared_ptr<Call> held_by_grpc_;
};

class GrpcTunnelCaller final : public TunnelCaller {
 public:
  explicit GrpcTunnelCaller(const GrpcOptions& options) : stub_(make_tunnel_channel(options)) {}

  std::shared_ptr<runtime::BytePipe> call(const Secret& token) override {
    auto call = std::make_shared<Call>(&calls_);
    call->start(stub_, token);
    return call;
  }

 private:
  grpc::GenericStub stub_;
  Calls calls_;
};

}  // namespace

std::unique_ptr<TunnelCaller> make_grpc_tunnel_caller(const GrpcOptions& options) {
  return std::make_unique<GrpcTunnelCaller>(options);
}

}  // namespace boruta::dryad

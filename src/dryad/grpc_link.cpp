#include "dryad/grpc_link.hpp"

#include <boost/asio/post.hpp>
#include <grpcpp/grpcpp.h>

#include <cstddef>
#include <deque>
#include <mutex>
#include <optional>
#include <utility>

#include "agent.grpc.pb.h"
#include "dryad/grpc_channel.hpp"
#include "proto/agent_codec.hpp"

namespace boruta::dryad {
namespace {

/// Messages that wait for the network. Beyond it the server is as good as gone.
constexpr std::size_t kSendQueue = 64;

StreamEnd to_end(const grpc::Status& status) {
  switch (status.error_code()) {
    case grpc::StatusCode::PERMISSION_DENIED:
    case grpc::StatusCode::UNAUTHENTICATED:
    case grpc::StatusCode::INVALID_ARGUMENT:
    case grpc::StatusCode::ALREADY_EXISTS:
      return {.reason = StreamEndReason::kRefused, .text = status.error_message()};
    case grpc::StatusCode::OK:
    case grpc::StatusCode::CANCELLED:
      return {.reason = StreamEndReason::kClosed, .text = "the stream was closed"};
    default:
      return {.reason = StreamEndReason::kUnreachable, .text = status.error_message()};
  }
}

/// gRPC calls it from threads of its own, and keeps using it until OnDone, so it holds on to itself until then.
class GrpcStream final : public Stream,
                         public grpc::ClientBidiReactor<v1::FromAgent, v1::ToAgent>,
                         public std::enable_shared_from_this<GrpcStream> {
 public:
  GrpcStream(boost::asio::any_io_executor executor, StreamHandler handler)
      : executor_(std::move(executor)), handler_(std::make_shared<StreamHandler>(std::move(handler))) {}

  void start(v1::Superviser::Stub& stub, const Secret& token) {
    self_ = shared_from_this();
    if (!token.empty()) context_.AddMetadata("authorization", "Bearer " + std::string(token.reveal()));
    stub.async()->Session(&context_, this);
    // Messages are sent from outside the callbacks, which takes a hold of its own.
    AddHold();
    StartRead(&incoming_);
    StartCall();
  }

  void send(const agent::FromAgent& message) override {
    bool overflow = false;
    {
      const std::scoped_lock lock(mutex_);
      if (!open_) return;
      overflow = outgoing_.size() >= kSendQueue;
      if (!overflow) {
        outgoing_.push_back(proto::encode(message));
        if (outgoing_.size() == 1) StartWrite(&outgoing_.front());
      }
    }
    if (overflow) close();
  }

  void close() override {
    context_.TryCancel();
    let_go();
  }

  void OnReadDone(bool ok) override {
    if (!ok) {
      let_go();
      return;
    }
    // A body from a later version of the server is passed over.
    if (auto message = proto::decode(incoming_)) {
      boost::asio::post(executor_, [handler = handler_, message = *std::move(message)]() mutable {
        handler->on_message(std::move(message));
      });
    }
    StartRead(&incoming_);
  }

  void OnWriteDone(bool ok) override {
    const std::scoped_lock lock(mutex_);
    if (auto& sent = outgoing_.front(); sent.has_done()) wipe(*sent.mutable_done()->mutable_private_key());
    outgoing_.pop_front();
    if (ok && open_ && !outgoing_.empty()) StartWrite(&outgoing_.front());
  }

  void OnDone(const grpc::Status& status) override {
    // The stream and its call go on the executor: freed here, by a thread of gRPC's, they could outlive main and meet
    // a library that is being torn down. This may be gone before post returns.
    const auto executor = executor_;
    boost::asio::post(executor, [self = std::move(self_), handler = std::move(handler_),
                                 end = to_end(status)]() mutable { handler->on_end(std::move(end)); });
  }

 private:
  /// No write begins after this. The stream ends when what was begun has ended.
  void let_go() {
    {
      const std::scoped_lock lock(mutex_);
      if (!open_) return;
      open_ = false;
    }
    RemoveHold();
  }

  boost::asio::any_io_executor executor_;
  std::shared_ptr<StreamHandler> handler_;
  std::shared_ptr<GrpcStream> self_;
  grpc::ClientContext context_;
  v1::ToAgent incoming_;
  std::mutex mutex_;
  bool open_ = true;
  std::deque<v1::FromAgent> outgoing_;
};

class GrpcConnector final : public Connector {
 public:
  GrpcConnector(GrpcOptions options, boost::asio::any_io_executor executor)
      : executor_(std::move(executor)),
        token_(std::move(options.token)),
        stub_(v1::Superviser::NewStub(make_stream_channel(options))) {}

  std::shared_ptr<Stream> open(StreamHandler handler) override {
    auto stream = std::make_shared<GrpcStream>(executor_, std::move(handler));
    stream->start(*stub_, token_);
    return stream;
  }

 private:
  boost::asio::any_io_executor executor_;
  Secret token_;
  std::unique_ptr<v1::Superviser::Stub> stub_;
};

}  // namespace

std::unique_ptr<Connector> make_grpc_connector(GrpcOptions options, boost::asio::any_io_executor executor) {
  return std::make_unique<GrpcConnector>(std::move(options), std::move(executor));
}

}  // namespace boruta::dryad

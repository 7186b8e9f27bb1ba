#include "dryad/grpc_link.hpp"

#include <boost/asio/post.hpp>
#include <grpcpp/grpcpp.h>

#include <cstddef>
#include <deque>
#include <latch>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

#include "agent.grpc.pb.h"
#include "dryad/grpc_channel.hpp"
#include "proto/agent_codec.hpp"
#include "proto/completion_order.hpp"

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

void wipe_key(v1::FromAgent& message) {
  if (message.has_done()) wipe(*message.mutable_done()->mutable_private_key());
}

class GrpcStream;

/// What the queue of completions gives back: which of a stream's operations has ended.
struct Completion {
  GrpcStream* stream;
  void (GrpcStream::*then)(bool ok);
};

/// Not one of gRPC's reactors: their threads wake up ten times a second for as long as there is one.
/// Completions come on the connector's thread. Holds on to itself until the last of them.
class GrpcStream final : public Stream, public std::enable_shared_from_this<GrpcStream> {
 public:
  GrpcStream(boost::asio::any_io_executor executor, StreamHandler handler)
      : executor_(std::move(executor)), handler_(std::make_shared<StreamHandler>(std::move(handler))) {}
  GrpcStream(const GrpcStream&) = delete;
  GrpcStream& operator=(const GrpcStream&) = delete;
  ~GrpcStream() override {
    for (auto& unsent : outgoing_) wipe_key(unsent);
  }

  void start(v1::Superviser::Stub& stub, const Secret& token, grpc::CompletionQueue& queue) {
    self_ = shared_from_this();
    if (!token.empty()) context_.AddMetadata("authorization", "Bearer " + std::string(token.reveal()));
    call_ = stub.PrepareAsyncSession(&context_, &queue);
    proto::will_begin(&started_);
    call_->StartCall(&started_);
  }

  void send(const agent::FromAgent& message) override {
    bool overflow = false;
    {
      const std::scoped_lock lock(mutex_);
      if (!open_) return;
      overflow = outgoing_.size() >= kSendQueue;
      if (!overflow) outgoing_.push_back(proto::encode(message));
      write_next();
    }
    if (overflow) close();
  }

  void close() override {
    {
      const std::scoped_lock lock(mutex_);
      open_ = false;
    }
    context_.TryCancel();
  }

  /// Until nothing of it is in the queue of completions, and nothing comes there any more. Not on the connector's
  /// thread.
  void wait_until_ended() { ended_.wait(); }

 private:
  void on_started(bool ok) {
    if (!ok) {
      finish();
      return;
    }
    call_->Read(&incoming_, &read_);
    const std::scoped_lock lock(mutex_);
    ready_ = true;
    write_next();
  }

  void on_read(bool ok) {
    if (!ok) {
      finish();
      return;
    }
    // A body from a later version of the server is passed over.
    if (auto message = proto::decode(incoming_)) {
      boost::asio::post(executor_, [handler = handler_, message = *std::move(message)]() mutable {
        handler->on_message(std::move(message));
      });
    }
    call_->Read(&incoming_, &read_);
  }

  void on_wrote(bool ok) {
    {
      const std::scoped_lock lock(mutex_);
      writing_ = false;
      wipe_key(outgoing_.front());
      outgoing_.pop_front();
      // What has gone wrong, the read tells.
      if (ok) write_next();
    }
    end_if_over();
  }

  /// Under the lock: begins a write if there is something to write, and none is under way.
  void write_next() {
    if (!ready_ || !open_ || writing_ || outgoing_.empty()) return;
    writing_ = true;
    proto::will_begin(&wrote_);
    call_->Write(outgoing_.front(), &wrote_);
  }

  /// No write begins after this.
  void finish() {
    {
      const std::scoped_lock lock(mutex_);
      open_ = false;
    }
    call_->Finish(&status_, &finished_);
  }

  void on_finished(bool) {
    over_ = true;
    end_if_over();
  }

  void end_if_over() {
    if (!over_ || writing_) return;
    boost::asio::post(executor_, [handler = std::move(handler_), end = to_end(status_)]() mutable {
      handler->on_end(std::move(end));
    });
    ended_.count_down();
    // This may be gone behind it.
    self_.reset();
  }

  boost::asio::any_io_executor executor_;
  std::shared_ptr<StreamHandler> handler_;
  std::shared_ptr<GrpcStream> self_;
  grpc::ClientContext context_;
  std::unique_ptr<grpc::ClientAsyncReaderWriter<v1::FromAgent, v1::ToAgent>> call_;
  v1::ToAgent incoming_;
  grpc::Status status_;
  Completion started_{.stream = this, .then = &GrpcStream::on_started};
  Completion read_{.stream = this, .then = &GrpcStream::on_read};
  Completion wrote_{.stream = this, .then = &GrpcStream::on_wrote};
  Completion finished_{.stream = this, .then = &GrpcStream::on_finished};
  /// Of the connector's thread.
  bool over_ = false;
  std::latch ended_{1};
  std::mutex mutex_;
  bool open_ = true;
  bool ready_ = false;
  /// Cleared by the connector's thread, and set there or while the stream is open, so that that thread may read it when
  /// the stream is not.
  bool writing_ = false;
  std::deque<v1::FromAgent> outgoing_;
};

class GrpcConnector final : public Connector {
 public:
  GrpcConnector(GrpcOptions options, boost::asio::any_io_executor executor)
      : executor_(std::move(executor)),
        token_(std::move(options.token)),
        stub_(v1::Superviser::NewStub(make_stream_channel(options))),
        thread_([this] { complete(); }) {}
  GrpcConnector(const GrpcConnector&) = delete;
  GrpcConnector& operator=(const GrpcConnector&) = delete;
  ~GrpcConnector() override {
    // A queue that was shut down takes no further operation, not even the one that ends a call.
    for (const auto& opened : streams_) {
      const auto stream = opened.lock();
      if (!stream) continue;
      stream->close();
      stream->wait_until_ended();
    }
    queue_.Shutdown();
    thread_.join();
  }

  std::shared_ptr<Stream> open(StreamHandler handler) override {
    auto stream = std::make_shared<GrpcStream>(executor_, std::move(handler));
    std::erase_if(streams_, [](const auto& opened) { return opened.expired(); });
    streams_.push_back(stream);
    stream->start(*stub_, token_, queue_);
    return stream;
  }

 private:
  void complete() {
    void* tag = nullptr;
    bool ok = false;
    while (queue_.Next(&tag, &ok)) {
      proto::has_ended(tag);
      const auto completion = *static_cast<Completion*>(tag);
      (completion.stream->*completion.then)(ok);
    }
  }

  boost::asio::any_io_executor executor_;
  Secret token_;
  std::unique_ptr<v1::Superviser::Stub> stub_;
  /// Those that may still be on.
  std::vector<std::weak_ptr<GrpcStream>> streams_;
  grpc::CompletionQueue queue_;
  std::thread thread_;
};

}  // namespace

std::unique_ptr<Connector> make_grpc_connector(GrpcOptions options, boost::asio::any_io_executor executor) {
  return std::make_unique<GrpcConnector>(std::move(options), std::move(executor));
}

}  // namespace boruta::dryad

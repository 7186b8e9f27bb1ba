#include "superviser/service.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <fmt/format.h>
#include <grpcpp/grpcpp.h>
#include <grpcpp/resource_quota.h>

#include <chrono>
#include <utility>

#include "agent.grpc.pb.h"
#include "base/assert.hpp"
#include "base/limits.hpp"
#include "runtime/deadline.hpp"
#include "runtime/log.hpp"
#include "superviser/call_metadata.hpp"
#include "superviser/stream.hpp"
#include "superviser/tunnel_call.hpp"

namespace boruta::superviser {
namespace {

using namespace std::chrono_literals;

constexpr int kMessageBytes = 1024 * 1024;
/// At one time: they are for people, one for each worker that is set up.
constexpr std::size_t kProbes = 100;
/// For what is queued to reach the agent after its stream was closed.
constexpr Duration kFarewell = 2s;
/// Then gRPC breaks every call.
constexpr auto kShutdownLimit = 3s;
constexpr auto kHandshakeLimit = 10s;
/// Connections without a stream.
constexpr auto kIdleLimit = 60s;
/// Agents may ping as often as this. Theirs are 5 s apart at least, and may come late and then early.
constexpr auto kShortestPingInterval = 2s;

int in_milliseconds(Duration duration) {
  return static_cast<int>(std::chrono::duration_cast<std::chrono::milliseconds>(duration).count());
}

Refusal invalid(std::string detail) { return {.code = RefusalCode::kInvalid, .detail = std::move(detail)}; }

Refusal shutting_down() { return {.code = RefusalCode::kUnavailable, .detail = "the server is shutting down"}; }

std::string_view name_of(const agent::FromAgent& message) {
  struct Name {
    std::string_view operator()(const agent::Register&) const { return "Register"; }
    std::string_view operator()(const agent::Heartbeat&) const { return "Heartbeat"; }
    std::string_view operator()(const agent::SetFail&) const { return "SetFail"; }
    std::string_view operator()(const agent::Warning&) const { return "Warning"; }
    std::string_view operator()(const agent::Done&) const { return "Done"; }
    std::string_view operator()(const agent::TunnelFailed&) const { return "TunnelFailed"; }
    std::string_view operator()(const agent::BoardUsed&) const { return "BoardUsed"; }
    std::string_view operator()(const agent::ConsoleRead&) const { return "ConsoleRead"; }
  };
  return std::visit(Name{}, message);
}

void add_arguments(grpc::ServerBuilder& builder, const Options& options) {
  builder.SetMaxReceiveMessageSize(kMessageBytes);
  grpc::ResourceQuota quota("agents");
  quota.Resize(options.memory_bytes);
  builder.SetResourceQuota(quota);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIME_MS, in_milliseconds(options.keepalive_every));
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, in_milliseconds(options.keepalive_timeout));
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
  // Without this a quiet stream is pinged twice and then no more.
  builder.AddChannelArgument(GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0);
  builder.AddChannelArgument(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS,
                             in_milliseconds(kShortestPingInterval));
  builder.AddChannelArgument(GRPC_ARG_SERVER_HANDSHAKE_TIMEOUT_MS, in_milliseconds(kHandshakeLimit));
  builder.AddChannelArgument(GRPC_ARG_MAX_CONNECTION_IDLE_MS, in_milliseconds(kIdleLimit));
  // A stalled reader stalls its writer after so much, however fast the network is.
  builder.AddChannelArgument(GRPC_ARG_HTTP2_BDP_PROBE, 0);
  builder.AddChannelArgument(GRPC_ARG_HTTP2_STREAM_LOOKAHEAD_BYTES, static_cast<int>(limits::kTunnelWindowBytes));
  builder.AddChannelArgument(GRPC_ARG_HTTP2_MAX_FRAME_SIZE, static_cast<int>(limits::kTunnelChunkBytes));
  // Else two servers could share one port and each get some of the agents.
  builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
}

void fill(v1::ProbeAnswer& answer, const server::Agents::Probe& probe) {
  const auto time = probe.time.time_since_epoch();
  answer.set_time_us(std::chrono::duration_cast<std::chrono::microseconds>(time).count());
  answer.set_admitted(!probe.refusal);
  if (probe.refusal) answer.set_reason(message_of(*probe.refusal));
}

}  // namespace

/// Tunnel's messages are taken apart by ChunkStream.
using Methods = v1::Superviser::WithCallbackMethod_Session<
    v1::Superviser::WithRawCallbackMethod_Tunnel<v1::Superviser::WithCallbackMethod_Probe<v1::Superviser::Service>>>;

/// gRPC's side of the service.
class Service::Endpoint final : public Methods {
 public:
  explicit Endpoint(superviser::Service* service) : service_(*service) {}

  grpc::ServerBidiReactor<v1::FromAgent, v1::ToAgent>* Session(grpc::CallbackServerContext* context) override {
    const auto stream = std::make_shared<Stream>(service_.strand_, context);
    stream->hold();
    asio::post(service_.strand_, [service = &service_, stream] { service->admit(stream); });
    return stream.get();
  }

  grpc::ServerBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer>* Tunnel(grpc::CallbackServerContext* context) override {
    const auto call = std::make_shared<TunnelCall>(context);
    call->hold();
    asio::post(service_.strand_, [service = &service_, call] { service->admit(call); });
    return call.get();
  }

  grpc::ServerUnaryReactor* Probe(grpc::CallbackServerContext* context, const v1::ProbeRequest* request,
                                  v1::ProbeAnswer* answer) override {
    auto* reactor = context->DefaultReactor();
    ProbeCall call{.token = token_in(*context), .uuid = request->uuid(), .answer = answer, .reactor = reactor};
    asio::post(service_.strand_,
               [service = &service_, call = std::move(call)]() mutable { service->admit(std::move(call)); });
    return reactor;
  }

  std::expected<std::uint16_t, std::string> listen(const Options& options) {
    grpc::ServerBuilder builder;
    int port = 0;
    builder.AddListeningPort(options.listen_address,
                             options.credentials ? options.credentials : grpc::InsecureServerCredentials(), &port);
    builder.RegisterService(this);
    add_arguments(builder, options);
    server_ = builder.BuildAndStart();
    if (!server_ || port == 0) {
      return std::unexpected(
          fmt::format("cannot listen on {} for agents: the port is taken, or it is no address of this machine",
                      options.listen_address));
    }
    return static_cast<std::uint16_t>(port);
  }

  /// Returns when the last stream has ended. Blocks.
  void shut_down() {
    if (server_) server_->Shutdown(std::chrono::system_clock::now() + kShutdownLimit);
  }

 private:
  superviser::Service& service_;
  std::unique_ptr<grpc::Server> server_;
};

Service::Service(asio::any_io_executor strand, runtime::Clock* clock, server::Agents* agents,
                 server::AgentTunnels* tunnels, Options options)
    : strand_(std::move(strand)),
      clock_(*clock),
      agents_(*agents),
      tunnels_(*tunnels),
      options_(std::move(options)),
      changed_(strand_),
      tasks_(strand_) {}

Service::~Service() { BORUTA_ASSERT(!endpoint_ || shut_down_); }

std::expected<std::uint16_t, std::string> Service::listen() {
  auto endpoint = std::make_unique<Endpoint>(this);
  const auto port = endpoint->listen(options_);
  if (port) endpoint_ = std::move(endpoint);
  return port;
}

void Service::request_stop() {
  BORUTA_ASSERT(!stopping_);
  stopping_ = true;
  if (!endpoint_) {
    shut_down_ = true;
    changed_.notify_all();
    return;
  }
  for (const auto& stream : streams_) stream->close(shutting_down());
  shutdown_ = std::thread([this] {
    endpoint_->shut_down();
    asio::post(strand_, [this] {
      shut_down_ = true;
      changed_.notify_all();
    });
  });
}

Task<void> Service::join() {
  while (!shut_down_) co_await changed_.wait();
  if (shutdown_.joinable()) shutdown_.join();
  co_await tasks_.join();
}

void Service::admit(const std::shared_ptr<Stream>& stream) {
  if (stopping_) {
    stream->close(shutting_down());
  } else if (streams_.size() >= options_.streams) {
    runtime::log_warning("agent refused", {{"peer", stream->peer()}, {"reason", "too many agents are connected"}});
    stream->close(Refusal{.code = RefusalCode::kTooMany,
                          .detail = fmt::format("the server takes no more than {} agents", options_.streams)});
  }
  stream->start();
  streams_.insert(stream);
  tasks_.spawn("agent stream", serve(stream));
}

void Service::admit(const std::shared_ptr<TunnelCall>& call) {
  if (!stopping_ && call->token() && tunnels_.arrive(*call->token(), call)) {
    call->accept();
  } else {
    call->refuse(grpc::Status(grpc::StatusCode::PERMISSION_DENIED, "no connection waits for this call"));
  }
}

void Service::admit(ProbeCall call) {
  if (stopping_ || probes_ >= kProbes) {
    call.reactor->Finish(grpc::Status(grpc::StatusCode::UNAVAILABLE,
                                      stopping_ ? message_of(shutting_down()) : "too many probes at one time"));
    return;
  }
  ++probes_;
  tasks_.spawn("probe", answer(std::move(call)));
}

Task<void> Service::answer(ProbeCall call) {
  const auto worker = WorkerUuid::parse(call.uuid);
  const auto probe = co_await agents_.probe(call.token, worker);
  --probes_;
  if (probe) fill(*call.answer, *probe);
  call.reactor->Finish(probe ? grpc::Status::OK
                             : grpc::Status(grpc::StatusCode::UNAVAILABLE, message_of(probe.error())));
}

Task<void> Service::serve(std::shared_ptr<Stream> stream) {
  const auto [failure] = co_await asio::co_spawn(strand_, converse(stream), asio::as_tuple(asio::use_awaitable));
  if (failure) runtime::log_exception("agent stream", failure);
  co_await part(stream);
}

Task<void> Service::converse(std::shared_ptr<Stream> stream) {
  auto hello = co_await introduce(stream);
  if (!hello) co_return;
  auto token = stream->token();
  auto peer = stream->peer();
  const auto session = co_await agents_.connect(std::move(token), std::move(*hello), std::move(peer), stream);
  if (!session) {
    stream->close(session.error());
    co_return;
  }
  stream->admit();
  const auto [failure] =
      co_await asio::co_spawn(strand_, deliver(stream, *session), asio::as_tuple(asio::use_awaitable));
  if (failure) runtime::log_exception("agent stream", failure);
  stream->close(std::nullopt);
  co_await agents_.disconnect(*session);
}

Task<std::optional<agent::Register>> Service::introduce(std::shared_ptr<Stream> stream) {
  auto first = co_await runtime::with_deadline(clock_, options_.hello_within, stream->next());
  if (first && *first && std::holds_alternative<agent::Register>(**first)) {
    co_return std::get<agent::Register>(std::move(**first));
  }
  std::string wrong;
  if (!first) {
    wrong = fmt::format("no Register came within {}", format_duration_spaced(options_.hello_within));
  } else if (*first) {
    wrong = fmt::format("the first message must be Register, not {}", name_of(**first));
  } else if (first->error() == Stream::End::kUnknown) {
    wrong = "the first message must be Register, not one that the server does not know";
  } else {
    wrong = "the stream ended without Register";
  }
  runtime::log_warning("agent refused", {{"peer", stream->peer()}, {"reason", wrong}});
  stream->close(invalid(std::move(wrong)));
  co_return std::nullopt;
}

Task<void> Service::deliver(std::shared_ptr<Stream> stream, server::Agents::Session session) {
  while (true) {
    auto message = co_await stream->next();
    if (!message) {
      if (message.error() == Stream::End::kUnknown) stream->close(invalid("a message that the server does not know"));
      co_return;
    }
    if (std::holds_alternative<agent::Register>(*message)) {
      stream->close(invalid("Register may only be the first message"));
      co_return;
    }
    co_await agents_.receive(session, std::move(*message));
  }
}

Task<void> Service::part(std::shared_ptr<Stream> stream) {
  stream->close(std::nullopt);
  // Named first: GCC 12 resumes this coroutine wrongly when the await stands in the condition.
  const bool in_time = co_await runtime::with_deadline(clock_, kFarewell, stream->finished());
  if (!in_time) {
    stream->abort();
    co_await stream->finished();
  }
  streams_.erase(stream);
}

}  // namespace boruta::superviser

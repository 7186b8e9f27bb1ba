#include "dryad/probe.hpp"

#include <grpcpp/grpcpp.h>

#include "agent.grpc.pb.h"
#include "dryad/grpc_channel.hpp"

namespace boruta::dryad {
namespace {

std::chrono::microseconds wall_us() {
  return std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::system_clock::now().time_since_epoch());
}

grpc::Status call(v1::Superviser::Stub& stub, const GrpcOptions& options, const std::string& uuid,
                  std::chrono::system_clock::time_point deadline, v1::ProbeAnswer& answer) {
  grpc::ClientContext context;
  context.set_deadline(deadline);
  if (!options.token.empty()) {
    context.AddMetadata("authorization", "Bearer " + std::string(options.token.reveal()));
  }
  v1::ProbeRequest request;
  request.set_uuid(uuid);
  return stub.Probe(&context, request, &answer);
}

}  // namespace

std::expected<ServerAnswer, std::string> ask_server(const GrpcOptions& options, const std::string& uuid,
                                                    std::chrono::milliseconds limit) {
  const auto stub = v1::Superviser::NewStub(make_stream_channel(options));
  const auto deadline = std::chrono::system_clock::now() + limit;
  v1::ProbeAnswer answer;
  // The first call makes the connection, whose time must not count for the clock.
  auto status = call(*stub, options, uuid, deadline, answer);
  if (status.error_code() == grpc::StatusCode::UNIMPLEMENTED) return ServerAnswer{.can_tell = false, .refusal = {}};
  if (!status.ok()) return std::unexpected(status.error_message());
  const auto before = wall_us();
  status = call(*stub, options, uuid, deadline, answer);
  const auto after = wall_us();
  if (!status.ok()) return std::unexpected(status.error_message());
  const auto middle = before + (after - before) / 2;
  return ServerAnswer{.refusal = answer.admitted() ? "" : answer.reason(),
                      .ahead = middle - std::chrono::microseconds(answer.time_us())};
}

}  // namespace boruta::dryad

#include "base/refusal.hpp"

#include "base/assert.hpp"

namespace boruta {
namespace {

/// One line a code: everything that the wire shows of it. `with_detail`: the detail follows or is the message.
struct Appearance {
  unsigned http_status;
  int grpc_code;
  std::string_view word;
  /// "{}" stands for the detail.
  std::string_view message;
};

// gRPC status codes: https://grpc.github.io/grpc/core/md_doc_statuscodes.html
constexpr int kGrpcInvalidArgument = 3;
constexpr int kGrpcNotFound = 5;
constexpr int kGrpcAlreadyExists = 6;
constexpr int kGrpcPermissionDenied = 7;
constexpr int kGrpcResourceExhausted = 8;
constexpr int kGrpcFailedPrecondition = 9;
constexpr int kGrpcUnavailable = 14;
constexpr int kGrpcUnauthenticated = 16;

Appearance appearance_of(RefusalCode code) {
  switch (code) {
    case RefusalCode::kInvalid:
      return {400, kGrpcInvalidArgument, "invalid", "invalid request: {}"};
    case RefusalCode::kNoBody:
      return {400, kGrpcInvalidArgument, "no_body", "no body provided in HTTP request"};
    case RefusalCode::kUnauthenticated:
      return {401, kGrpcUnauthenticated, "unauthenticated", "{}"};
    case RefusalCode::kForbidden:
      return {403, kGrpcPermissionDenied, "forbidden", "{}"};
    case RefusalCode::kRequestNotFound:
      return {404, kGrpcNotFound, "request_not_found", "Request not found"};
    case RefusalCode::kWorkerNotFound:
      return {404, kGrpcNotFound, "worker_not_found", "Worker not found"};
    case RefusalCode::kUserNotFound:
      return {404, kGrpcNotFound, "user_not_found", "User not found"};
    case RefusalCode::kTokenNotFound:
      return {404, kGrpcNotFound, "token_not_found", "Token not found"};
    case RefusalCode::kKeyNotFound:
      return {404, kGrpcNotFound, "key_not_found", "Key not found"};
    case RefusalCode::kPageBorderNotFound:
      return {404, kGrpcNotFound, "page_border_not_found", "{} not found"};
    case RefusalCode::kRouteNotFound:
      return {404, kGrpcNotFound, "route_not_found", "{} not found"};
    case RefusalCode::kWrongRequestState:
      return {400, kGrpcFailedPrecondition, "wrong_request_state",
              "invalid request: action cannot be executed in current state"};
    case RefusalCode::kNotAssigned:
      return {400, kGrpcFailedPrecondition, "not_assigned", "invalid request: worker not assigned"};
    case RefusalCode::kLeaseLimit:
      return {400, kGrpcFailedPrecondition, "lease_limit", "invalid request: lease limit of {} reached"};
    case RefusalCode::kWrongTransition:
      return {400, kGrpcFailedPrecondition, "wrong_transition",
              "invalid request: Invalid state transition was requested"};
    case RefusalCode::kNotInMaintenance:
      return {400, kGrpcFailedPrecondition, "not_in_maintenance",
              "invalid request: Worker is not in FAIL or MAINTENANCE state"};
    case RefusalCode::kAlreadyExists:
      return {409, kGrpcAlreadyExists, "already_exists", "{}"};
    case RefusalCode::kKeyReused:
      return {422, kGrpcInvalidArgument, "key_reused",
              "this Idempotency-Key came before with another body: use a new key for a new request"};
    case RefusalCode::kTooMany:
      return {429, kGrpcResourceExhausted, "too_many", "{}"};
    case RefusalCode::kTooLarge:
      return {413, kGrpcResourceExhausted, "too_large", "{}"};
    case RefusalCode::kGone:
      return {410, kGrpcNotFound, "gone", "{}"};
    case RefusalCode::kUnavailable:
      return {503, kGrpcUnavailable, "unavailable", "{}"};
  }
  BORUTA_ASSERT(false && "a refusal code out of its range");
}

}  // namespace

std::string message_of(const Refusal& refusal) {
  constexpr std::string_view kPlaceholder = "{}";
  std::string message(appearance_of(refusal.code).message);
  if (const auto place = message.find(kPlaceholder); place != std::string::npos) {
    message.replace(place, kPlaceholder.size(), refusal.detail);
  }
  return message;
}

unsigned http_status_of(RefusalCode code) { return appearance_of(code).http_status; }

int grpc_code_of(RefusalCode code) { return appearance_of(code).grpc_code; }

std::string_view word_of(RefusalCode code) { return appearance_of(code).word; }

}  // namespace boruta

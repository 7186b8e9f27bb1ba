#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace boruta {

/// Why the domain says no. What each becomes on the wire stands in refusal.cpp and nowhere else.
enum class RefusalCode : std::uint8_t {
  kInvalid,          ///< input that is wrong: `detail` names field, value and limit
  kNoBody,           ///< a body was required
  kUnauthenticated,  ///< no token, or one that is unknown, expired or revoked
  kForbidden,        ///< a known actor who may not do this
  kRequestNotFound,
  kWorkerNotFound,
  kUserNotFound,
  kTokenNotFound,
  kKeyNotFound,
  kPageBorderNotFound,  ///< `detail` is "request" or "worker"
  kRouteNotFound,       ///< `detail` is the path
  kWrongRequestState,   ///< the request's state does not allow it
  kNotAssigned,         ///< the request has no worker (any more)
  kLeaseLimit,          ///< `detail` is the limit, as text
  kWrongTransition,     ///< the worker's state does not allow it
  kNotInMaintenance,    ///< Deregister of a worker in service
  kAlreadyExists,       ///< a name or an agent that is there already
  kKeyReused,           ///< an Idempotency-Key that came before with another body
  kTooMany,             ///< a limit on numbers or rates is reached
  kTooLarge,            ///< a body or head beyond the limit
  kGone,                ///< it was there once and is kept no longer
  kUnavailable,         ///< shutting down, or the store cannot be written: try again
};

/// An answer of the domain, by value. `detail` is read by people.
struct Refusal {
  RefusalCode code = RefusalCode::kInvalid;
  std::string detail;

  friend bool operator==(const Refusal&, const Refusal&) = default;
};

/// What is said to the user: for the codes that Boruta 0.2.1 has, to the letter what it says.
[[nodiscard]] std::string message_of(const Refusal& refusal);

/// HTTP status for the API.
[[nodiscard]] unsigned http_status_of(RefusalCode code);

/// gRPC status code, as in grpc::StatusCode.
[[nodiscard]] int grpc_code_of(RefusalCode code);

/// Short word for metrics and logs: "invalid", "forbidden", …
[[nodiscard]] std::string_view word_of(RefusalCode code);

}  // namespace boruta

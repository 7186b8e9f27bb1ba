#pragma once

#include <cstdint>
#include <expected>
#include <string>

namespace boruta::client {

enum class ErrorKind : std::uint8_t {
  kUnreachable,  ///< no answer: name, connection or time; whether the server acted is unknown
  kTls,          ///< no trust: certificate, host name or handshake
  kRefused,      ///< the server answered and said no: `status` and `message` are its own
  kProtocol,     ///< what came back is not what the API promises
};

struct ApiError {
  ErrorKind kind = ErrorKind::kProtocol;
  /// HTTP status; 0 when there was no answer.
  unsigned status = 0;
  /// For people, without the server's address.
  std::string message;
  /// kUnreachable: a connection was there, so the server may have read the call and acted.
  bool sent = false;

  friend bool operator==(const ApiError&, const ApiError&) = default;
};

template <class T>
using Answer = std::expected<T, ApiError>;

/// The value and the JSON text that it was read from, for those who want to pass it on as it is.
template <class T>
struct Reply {
  T value;
  std::string json;
};

/// The server is there but cannot serve just now: worth asking again.
[[nodiscard]] inline bool is_temporary(const ApiError& error) {
  return error.kind == ErrorKind::kUnreachable || error.status == 502 || error.status == 503 || error.status == 504;
}

/// No answer of the server's came, yet it may have done what it was asked for.
[[nodiscard]] inline bool may_have_acted(const ApiError& error) {
  return (error.kind == ErrorKind::kUnreachable && error.sent) || error.status == 502 || error.status == 504;
}

}  // namespace boruta::client

#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/refusal.hpp"
#include "runtime/task.hpp"

/// What handlers know of HTTP: small values, free of any library.
namespace boruta::http {

enum class Method : std::uint8_t { kGet, kHead, kPost, kPut, kPatch, kDelete, kOptions, kOther };

[[nodiscard]] Method parse_method(std::string_view name);
[[nodiscard]] std::string_view to_string(Method method);

struct Header {
  std::string_view name;
  std::string_view value;
};

/// Views into the connection's buffers: valid until the answer is made.
struct HttpRequest {
  Method method = Method::kGet;
  /// Path without the query, as it was sent: still percent-encoded.
  std::string_view path;
  /// Behind the "?", without it.
  std::string_view query;
  std::vector<Header> headers;
  std::string_view body;
  /// Where the client reached the server, as a literal: "192.0.2.1", "fe80::1%eth0".
  std::string_view local_address;
  std::string_view peer_address;
};

/// The first header `name`, in any case of letters; empty if there is none.
[[nodiscard]] std::string_view find_header(const HttpRequest& request, std::string_view name);

[[nodiscard]] bool equal_ignoring_case(std::string_view left, std::string_view right);

struct ResponseHeader {
  std::string_view name;  ///< a literal
  std::string value;
};

/// A body that comes bit by bit, for as long as the client listens.
class BodyStream {
 public:
  virtual ~BodyStream() = default;
  /// The next piece, not empty; nothing at the end. Obeys cancellation.
  virtual Task<std::optional<std::string>> next() = 0;
};

struct HttpResponse {
  unsigned status = 200;
  /// Without Content-Length, Date and Connection, which the session adds.
  std::vector<ResponseHeader> headers;
  std::string body;
  /// The body holds a key or a token: it is wiped once it was sent.
  bool secret = false;
  /// Where given, the body is what comes of it, `body` is empty, and the connection closes behind it.
  std::shared_ptr<BodyStream> stream{};
  /// The refusal that this tells of, for who counts and records them.
  std::optional<Refusal> refusal;
};

/// "OK", "Not Found", …
[[nodiscard]] std::string_view reason_phrase(unsigned status);

/// `status` with the body {"message": …}.
[[nodiscard]] HttpResponse error_response(unsigned status, std::string_view message);

/// Answers requests: what a session speaks for.
class Application {
 public:
  virtual ~Application() = default;

  /// What it throws, the session logs and answers with a bare 500. `request` lives until the answer is there.
  virtual Task<HttpResponse> handle(const HttpRequest* request) = 0;
  /// Whether the answer may be long in coming, so that the session looks out for a client that hangs up.
  [[nodiscard]] virtual bool may_wait(const HttpRequest& request) const = 0;
  /// The session answered in the application's place: to `request`, or to what could not be read as one.
  virtual void on_answered_by_session(const HttpRequest* /*request*/, unsigned /*status*/) {}
};

}  // namespace boruta::http

#pragma once

#include <boost/asio/ip/tcp.hpp>

#include <chrono>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "client/api_error.hpp"
#include "client/server_url.hpp"
#include "runtime/task.hpp"

namespace boruta::client {

struct HttpRequest {
  std::string method;
  /// Path and query, as they go on the wire.
  std::string target;
  /// Sent as JSON unless it is empty.
  std::string body;
  std::vector<std::pair<std::string, std::string>> headers;
};

struct HttpResponse {
  unsigned status = 0;
  std::string body;
  /// Empty unless the server sent it, as are those below.
  std::string location;
  std::string content_type;
  /// Boruta-Known-Since.
  std::string known_since;
};

/// What TLS trusts; shared by the connections of a process.
class TlsTrust;

/// Trusts the certificates in the PEM file `ca_file`, or the system's when it is empty. kTls: the file is no good.
[[nodiscard]] Answer<std::shared_ptr<TlsTrust>> make_tls_trust(const std::string& ca_file);

/// One HTTP/1.1 connection, opened when needed and kept alive; one exchange or one body read piece by piece at a time.
/// Thread: the executor it was made with. Outlives its exchanges.
class Connection {
 public:
  /// `trust` is needed only for https.
  Connection(asio::any_io_executor executor, ServerUrl url, std::shared_ptr<TlsTrust> trust,
             std::chrono::nanoseconds connect_limit);
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;
  ~Connection();

  /// Sends and awaits the answer for at most `limit`. A connection that the server has closed since the last exchange
  /// is opened anew first. kUnreachable, kTls, kProtocol: the connection is closed; whether the server has acted is
  /// unknown. Any status counts as an answer.
  Task<Answer<HttpResponse>> exchange(HttpRequest request, std::chrono::nanoseconds limit);

  /// Opens a new connection, sends, and awaits the head of the answer for at most `limit`. The body of a 2xx answer is
  /// left for `read_piece`; that of any other is in the response, cut off where it is too long for a message.
  Task<Answer<HttpResponse>> begin(HttpRequest request, std::chrono::nanoseconds limit);
  /// The next bytes of the body, at least one, awaited for at most `limit`. kUnreachable: it is over, or the connection
  /// is lost; nothing more comes of it then.
  /// REQUIRES: `begin` has returned a 2xx answer, and since then no call has failed.
  Task<Answer<std::string>> read_piece(std::chrono::nanoseconds limit);

  /// Ends an exchange under way, which then returns kUnreachable.
  void abort();

 private:
  struct Streams;

  Task<Answer<void>> open();
  [[nodiscard]] bool is_alive() const;
  void close();

  asio::any_io_executor executor_;
  ServerUrl url_;
  std::shared_ptr<TlsTrust> trust_;
  std::chrono::nanoseconds connect_limit_;
  asio::ip::tcp::resolver resolver_;
  std::unique_ptr<Streams> streams_;
};

}  // namespace boruta::client

#pragma once

#include <cstddef>
#include <memory>
#include <string>

#include "base/instant.hpp"
#include "http/byte_stream.hpp"
#include "http/message.hpp"

namespace boruta::http {

/// What all connections together may hold of bodies that are being read, small ones not counted.
inline constexpr std::size_t kAllBodiesBytes = std::size_t{128} * 1024 * 1024;

/// What the sessions of one server share. Thread: the server's executor.
struct SessionContext {
  explicit SessionContext(const asio::any_io_executor& executor) : stop(executor) {}

  Application* application = nullptr;
  /// The lease clock and the Date header as of the last sweep: sessions read no clock of their own.
  Instant now{};
  std::string date;
  /// A line for each request.
  bool access_log = false;
  bool stopping = false;
  /// What the sessions hold of bodies.
  std::size_t body_bytes = 0;
  /// Notified when `stopping` was set.
  runtime::Signal stop;
};

/// One connection: reads requests one by one, answers each before it looks at the next, keeps to the limits.
/// A client that hangs up while its answer waits ends the wait.
/// Thread: the server's executor.
class Session {
 public:
  virtual ~Session() = default;

  /// Until either side closes.
  virtual Task<void> run() = 0;
  /// The sweep: ends what has taken too long at `now`.
  virtual void check_time(Instant now) = 0;
  /// Closes the connection if it is idle; else it closes after the answer under way.
  virtual void request_stop() = 0;
  /// Cuts the connection.
  virtual void abort() = 0;
};

/// `context` outlives the session. The addresses are literals.
[[nodiscard]] std::unique_ptr<Session> make_session(std::unique_ptr<ByteStream> stream, SessionContext* context,
                                                    std::string local_address, std::string peer_address);

}  // namespace boruta::http

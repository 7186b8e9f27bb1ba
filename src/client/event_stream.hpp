#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/steady_timer.hpp>

#include <chrono>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <variant>

#include "client/api_error.hpp"
#include "client/api_types.hpp"
#include "client/client_options.hpp"
#include "client/connection.hpp"
#include "client/sse_parser.hpp"
#include "runtime/task.hpp"

namespace boruta::client {

/// Which events are wanted: all, or those of one request or worker.
struct EventSelection {
  std::optional<RequestId> request;
  /// A UUID, or empty.
  std::string worker;
};

struct StreamTimes {
  /// The server says something every 15 s: who is silent for longer than this is gone.
  std::chrono::nanoseconds silence = std::chrono::seconds(45);
  /// Before a lost connection is opened anew; doubles with each attempt that brings nothing.
  std::chrono::nanoseconds backoff_min = std::chrono::seconds(1);
  std::chrono::nanoseconds backoff_max = std::chrono::seconds(30);
};

/// A connection is there; what happens after the event `position` will be told.
struct StreamOpened {
  std::uint64_t position = 0;
  /// What happened before, since the connection was lost, is kept no longer, and nobody can tell it any more.
  bool missed = false;
};

/// No connection is there; the next call waits for a while and tries again.
struct StreamLost {
  ApiError why;
};

using StreamNews = std::variant<StreamOpened, Reply<EventInfo>, StreamLost>;

/// The server's events as they happen, over a connection of its own that is opened anew whenever it is lost: from the
/// first StreamOpened on, no event is missed, unless a later one says so, and none comes twice.
/// Thread: the executor it was made with; one call at a time. After cancellation or `abort` it is over.
class EventStream {
 public:
  /// kTls: the CA file is no good.
  [[nodiscard]] static Answer<std::unique_ptr<EventStream>> make(const asio::any_io_executor& executor,
                                                                 ClientOptions options, EventSelection selection,
                                                                 StreamTimes times = {});

  /// What comes next. The error is final: the server refused (kRefused), cannot be trusted (kTls), is none of ours
  /// (kProtocol), or the stream was aborted (kUnreachable).
  Task<Answer<StreamNews>> next();

  /// Ends a call under way, which then returns kUnreachable; later calls too, at once.
  void abort();

 private:
  EventStream(const asio::any_io_executor& executor, ClientOptions options, EventSelection selection, StreamTimes times,
              std::shared_ptr<TlsTrust> trust);

  [[nodiscard]] HttpRequest to_http() const;
  /// Opens or reads, as is needed.
  Task<Answer<void>> go_on();
  /// Waits until it is time, and opens a connection.
  Task<Answer<void>> open();
  /// Adds to `pending_`.
  Task<Answer<void>> read();
  /// Nothing when the message tells nothing.
  Answer<std::optional<StreamNews>> take(SseMessage message);
  StreamNews lose(ApiError why);

  ClientOptions options_;
  EventSelection selection_;
  StreamTimes times_;
  Connection connection_;
  asio::steady_timer timer_;
  SseParser parser_;
  /// What one piece brought: read on only when it is empty.
  std::deque<SseMessage> pending_;
  /// Of the last event that was told or passed over.
  std::optional<std::uint64_t> position_;
  bool missed_ = false;
  std::chrono::nanoseconds delay_{};
  bool open_ = false;
  /// The server has told this connection's position.
  bool greeted_ = false;
  bool aborted_ = false;
};

}  // namespace boruta::client

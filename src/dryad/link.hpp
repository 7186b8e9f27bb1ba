#pragma once

#include <functional>
#include <memory>
#include <string>

#include "base/agent_messages.hpp"

namespace boruta::dryad {

enum class StreamEndReason : unsigned char {
  kUnreachable,  ///< nobody answered, or the connection broke
  kRefused,      ///< the server does not want this agent, and says why
  kClosed,       ///< by either side, in order
};

struct StreamEnd {
  StreamEndReason reason = StreamEndReason::kClosed;
  /// The server's own words, or the network's.
  std::string text;
};

/// Called on the executor that the connector was made with, `on_end` once and last.
struct StreamHandler {
  std::function<void(agent::ToAgent)> on_message;
  std::function<void(StreamEnd)> on_end;
};

/// One stream to the server. Thread: the connector's executor.
class Stream {
 public:
  virtual ~Stream() = default;

  /// Queues the message; beyond a limit of messages that the network does not take, the stream is closed.
  virtual void send(const agent::FromAgent& message) = 0;
  /// Ends the stream at once: `on_end` follows.
  virtual void close() = 0;
};

/// Opens streams: gRPC's, or a simulation's.
class Connector {
 public:
  virtual ~Connector() = default;

  /// Begins to connect; messages may be sent at once.
  virtual std::shared_ptr<Stream> open(StreamHandler handler) = 0;
};

}  // namespace boruta::dryad

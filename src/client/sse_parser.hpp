#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace boruta::client {

/// One message of a stream of server-sent events: what stood between two empty lines.
struct SseMessage {
  /// Nothing: the message does not move the position.
  std::optional<std::string> id;
  std::string event;
  /// Lines joined by LF; empty in a message that is no event but only moves the position.
  std::string data;

  friend bool operator==(const SseMessage&, const SseMessage&) = default;
};

/// Reads https://html.spec.whatwg.org/multipage/server-sent-events.html piece by piece, wherever the pieces are cut.
/// Lines end in LF, CR or CRLF; comments and `retry` are skipped; a message that is not ended counts for nothing.
class SseParser {
 public:
  /// A message longer than `limit` bytes is refused.
  explicit SseParser(std::size_t limit) : limit_(limit) {}

  /// Adds to `out` the messages that `bytes` completes. False when one is too long: nothing more can be read then.
  [[nodiscard]] bool feed(std::string_view bytes, std::vector<SseMessage>& out);

 private:
  void end_line(std::vector<SseMessage>& out);
  void take_field(std::string_view name, std::string_view value);

  std::size_t limit_;
  /// Bytes of the message so far, of the lines kept and of the one under way.
  std::size_t size_ = 0;
  std::string line_;
  SseMessage message_;
  bool any_field_ = false;
  bool any_data_ = false;
  bool first_line_ = true;
  bool after_cr_ = false;
};

}  // namespace boruta::client

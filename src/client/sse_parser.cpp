#include "client/sse_parser.hpp"

#include <utility>

namespace boruta::client {
namespace {

constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";

}  // namespace

bool SseParser::feed(std::string_view bytes, std::vector<SseMessage>& out) {
  for (const char byte : bytes) {
    const bool second_of_crlf = std::exchange(after_cr_, byte == '\r') && byte == '\n';
    if (second_of_crlf) continue;
    if (byte == '\r' || byte == '\n') {
      end_line(out);
      continue;
    }
    if (++size_ > limit_) return false;
    line_.push_back(byte);
  }
  return true;
}

void SseParser::end_line(std::vector<SseMessage>& out) {
  const auto written = std::exchange(line_, {});
  std::string_view line = written;
  if (std::exchange(first_line_, false) && line.starts_with(kByteOrderMark)) line.remove_prefix(kByteOrderMark.size());
  if (line.empty()) {
    auto message = std::exchange(message_, {});
    any_data_ = false;
    size_ = 0;
    if (std::exchange(any_field_, false)) out.push_back(std::move(message));
    return;
  }
  const auto colon = line.find(':');
  if (colon == 0) {
    size_ -= written.size();
    return;
  }
  auto value = colon == std::string_view::npos ? std::string_view() : line.substr(colon + 1);
  if (value.starts_with(' ')) value.remove_prefix(1);
  take_field(line.substr(0, colon), value);
}

void SseParser::take_field(std::string_view name, std::string_view value) {
  if (name == "data") {
    if (std::exchange(any_data_, true)) message_.data.push_back('\n');
    message_.data += value;
  } else if (name == "event") {
    message_.event = value;
  } else if (name == "id" && value.find('\0') == std::string_view::npos) {
    message_.id = std::string(value);
  } else {
    return;
  }
  any_field_ = true;
}

}  // namespace boruta::client

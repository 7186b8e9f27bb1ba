#include "http/response_head.hpp"

#include <algorithm>
#include <cstddef>

namespace boruta::http {
namespace {

void append_header(std::string& out, std::string_view name, std::string_view value) {
  out += name;
  out += ": ";
  const auto begin = static_cast<std::ptrdiff_t>(out.size());
  out += value;
  // Nothing that a value may hold can end the header and begin another.
  std::replace_if(
      out.begin() + begin, out.end(), [](char character) { return character == '\r' || character == '\n'; }, ' ');
  out += "\r\n";
}

}  // namespace

void append_response_head(std::string& out, const HttpResponse& response, std::string_view date,
                          Persistence persistence) {
  out += "HTTP/1.1 ";
  out += std::to_string(response.status);
  out.push_back(' ');
  out += reason_phrase(response.status);
  out += "\r\n";
  if (!date.empty()) append_header(out, "Date", date);
  constexpr unsigned kNoContent = 204;
  // A stream has no length: its end is the connection's.
  const bool has_length = response.status != kNoContent && !response.stream;
  if (has_length) append_header(out, "Content-Length", std::to_string(response.body.size()));
  for (const auto& header : response.headers) append_header(out, header.name, header.value);
  if (persistence == Persistence::kClose) append_header(out, "Connection", "close");
  if (persistence == Persistence::kKeepAliveSaid) append_header(out, "Connection", "keep-alive");
  out += "\r\n";
}

}  // namespace boruta::http

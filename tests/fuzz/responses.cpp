#include "responses.hpp"

#include <algorithm>
#include <charconv>
#include <optional>

#include "http/message.hpp"
#include "oracle.hpp"

namespace boruta::fuzz {
namespace {

constexpr std::string_view kEnd = "\r\n";
constexpr unsigned kContinue = 100;
constexpr unsigned kNoContent = 204;

/// Takes a line with its end off `text`.
std::string_view take_head_line(std::string_view& text) {
  const auto line = text.substr(0, text.find(kEnd));
  check(std::ranges::none_of(line, [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7F; }),
        "no control character stands in a head", line);
  text.remove_prefix(line.size() + kEnd.size());
  return line;
}

std::size_t parse_length(std::string_view text) {
  std::size_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  check(!text.empty() && error == std::errc{} && end == text.data() + text.size(), "a length is a number", text);
  return number;
}

unsigned parse_status_line(std::string_view line) {
  constexpr std::string_view kVersion = "HTTP/1.1 ";
  check(line.starts_with(kVersion) && line.size() > kVersion.size() + 4, "a response begins with a status line", line);
  const auto status = static_cast<unsigned>(parse_length(line.substr(kVersion.size(), 3)));
  check(status >= kContinue && status < 600, "a status is one of HTTP's", line);
  check(line.substr(kVersion.size() + 3) == " " + std::string(http::reason_phrase(status)), "a status has its phrase",
        line);
  return status;
}

struct Head {
  Response response;
  std::optional<std::size_t> length;
};

/// Of a whole head, which it takes off `text`.
Head take_head(std::string_view& text) {
  Head head;
  head.response.status = parse_status_line(take_head_line(text));
  for (auto line = take_head_line(text); !line.empty(); line = take_head_line(text)) {
    const auto colon = line.find(": ");
    check(colon != std::string_view::npos && colon > 0, "a header has a name and a value", line);
    const auto name = line.substr(0, colon);
    const auto value = line.substr(colon + 2);
    check(name.find_first_of(" \t:") == std::string_view::npos, "a header's name is one word", line);
    if (name == "Content-Length") {
      check(!head.length, "there is one length");
      head.length = parse_length(value);
    }
    if (name == "Connection") head.response.closes = value == "close";
  }
  return head;
}

}  // namespace

std::vector<Response> parse_responses(std::string_view sent, const std::vector<bool>& for_head, bool cut_off) {
  std::vector<Response> responses;
  while (!sent.empty()) {
    if (sent.find("\r\n\r\n") == std::string_view::npos) {
      check(cut_off, "a head has an end", sent);
      return responses;
    }
    auto head = take_head(sent);
    if (head.response.status == kContinue) {
      check(!head.length, "\"100 Continue\" has no body");
      continue;
    }
    check(head.length.has_value() == (head.response.status != kNoContent), "what may have a body has a length");
    const bool has_body = responses.size() >= for_head.size() || !for_head[responses.size()];
    const auto length = has_body ? head.length.value_or(0) : 0;
    if (sent.size() < length) {
      check(cut_off, "a body is as long as its head said");
      return responses;
    }
    head.response.body = sent.substr(0, length);
    sent.remove_prefix(length);
    responses.push_back(head.response);
  }
  return responses;
}

}  // namespace boruta::fuzz

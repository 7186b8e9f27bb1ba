#include "http/message.hpp"

#include <algorithm>
#include <array>

#include "base/json.hpp"

namespace boruta::http {
namespace {

/// In the order of the enumerators.
constexpr std::array<std::string_view, 7> kMethods{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"};

char lower(char character) {
  return character >= 'A' && character <= 'Z' ? static_cast<char>(character + ('a' - 'A')) : character;
}

}  // namespace

Method parse_method(std::string_view name) {
  const auto found = std::ranges::find(kMethods, name);
  return static_cast<Method>(found - kMethods.begin());
}

std::string_view to_string(Method method) {
  const auto place = static_cast<std::size_t>(method);
  return place < kMethods.size() ? kMethods.at(place) : "OTHER";
}

bool equal_ignoring_case(std::string_view left, std::string_view right) {
  return std::ranges::equal(left, right, {}, lower, lower);
}

std::string_view find_header(const HttpRequest& request, std::string_view name) {
  for (const auto& header : request.headers) {
    if (equal_ignoring_case(header.name, name)) return header.value;
  }
  return {};
}

std::string_view reason_phrase(unsigned status) {
  static constexpr std::pair<unsigned, std::string_view> kPhrases[] = {
      {100, "Continue"},
      {200, "OK"},
      {201, "Created"},
      {202, "Accepted"},
      {204, "No Content"},
      {308, "Permanent Redirect"},
      {400, "Bad Request"},
      {401, "Unauthorized"},
      {403, "Forbidden"},
      {404, "Not Found"},
      {405, "Method Not Allowed"},
      {408, "Request Timeout"},
      {409, "Conflict"},
      {413, "Content Too Large"},
      {422, "Unprocessable Content"},
      {429, "Too Many Requests"},
      {431, "Request Header Fields Too Large"},
      {500, "Internal Server Error"},
      {503, "Service Unavailable"},
  };
  for (const auto& [code, phrase] : kPhrases) {
    if (code == status) return phrase;
  }
  return "Unknown";
}

HttpResponse error_response(unsigned status, std::string_view message) {
  HttpResponse response{.status = status, .headers = {}, .body = {}};
  response.headers.push_back({"Content-Type", "application/json"});
  JsonWriter json(response.body);
  json.begin_object();
  json.key("message");
  json.text(message);
  json.end_object();
  return response;
}

}  // namespace boruta::http

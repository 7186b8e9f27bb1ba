#include "http/cors.hpp"

#include <algorithm>
#include <array>
#include <cctype>

namespace boruta::http {
namespace {

constexpr std::string_view kExposed =
    "Boruta-List-Total, Boruta-List-Remaining, Boruta-Request-State, Boruta-List-Batch-Size, Boruta-Job-Timeout, "
    "Boruta-Worker-State, Boruta-Server-Version, Boruta-Api-Version, Boruta-Api-State, WWW-Authenticate, Allow";

constexpr std::array<std::string_view, 7> kAllowedHeaders{
    "Content-Type", "Accept", "Origin", "Authorization", "Idempotency-Key", "Last-Event-Id", "X-Requested-With"};

/// These may be asked for on any path, as in 0.2.1; others only where there is something.
constexpr std::array kCommonMethods{Method::kGet, Method::kPost, Method::kHead};

constexpr std::string_view kMaxAgeSeconds = "86400";

/// "x-requested-with" as "X-Requested-With".
std::string canonical(std::string_view name) {
  std::string result(name);
  bool first = true;
  for (auto& character : result) {
    const auto byte = static_cast<unsigned char>(character);
    character = static_cast<char>(first ? std::toupper(byte) : std::tolower(byte));
    first = character == '-';
  }
  return result;
}

/// The names in a list like "Content-Type, Accept", joined again; nothing if one of them is not allowed.
std::optional<std::string> allowed_headers(std::string_view list) {
  std::string joined;
  while (!list.empty()) {
    const auto end = std::min(list.find_first_of(", "), list.size());
    if (end > 0) {
      const auto name = canonical(list.substr(0, end));
      if (std::ranges::find(kAllowedHeaders, name) == kAllowedHeaders.end()) return std::nullopt;
      if (!joined.empty()) joined += ", ";
      joined += name;
    }
    list.remove_prefix(std::min(end + 1, list.size()));
  }
  return joined;
}

}  // namespace

bool is_preflight(const HttpRequest& request) {
  return request.method == Method::kOptions && !find_header(request, "Access-Control-Request-Method").empty();
}

HttpResponse answer_preflight(const HttpRequest& request, std::span<const Method> methods) {
  HttpResponse response;
  response.headers.push_back({"Vary", "Origin"});
  response.headers.push_back({"Vary", "Access-Control-Request-Method"});
  response.headers.push_back({"Vary", "Access-Control-Request-Headers"});
  if (find_header(request, "Origin").empty()) return response;
  const auto wanted = find_header(request, "Access-Control-Request-Method");
  const auto method = parse_method(wanted);
  const bool common = std::ranges::find(kCommonMethods, method) != kCommonMethods.end();
  if (!common && std::ranges::find(methods, method) == methods.end()) return response;
  auto headers = allowed_headers(find_header(request, "Access-Control-Request-Headers"));
  if (!headers) return response;
  response.headers.push_back({"Access-Control-Allow-Origin", "*"});
  response.headers.push_back({"Access-Control-Allow-Methods", std::string(to_string(method))});
  if (!headers->empty()) response.headers.push_back({"Access-Control-Allow-Headers", std::move(*headers)});
  response.headers.push_back({"Access-Control-Max-Age", std::string(kMaxAgeSeconds)});
  return response;
}

void add_cors_headers(const HttpRequest& request, HttpResponse& response) {
  response.headers.push_back({"Vary", "Origin"});
  if (find_header(request, "Origin").empty()) return;
  response.headers.push_back({"Access-Control-Allow-Origin", "*"});
  response.headers.push_back({"Access-Control-Expose-Headers", std::string(kExposed)});
}

void add_cors_headers(HttpResponse& response) {
  response.headers.push_back({"Vary", "Origin"});
  response.headers.push_back({"Access-Control-Allow-Origin", "*"});
}

}  // namespace boruta::http

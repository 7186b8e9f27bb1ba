#include "client/client_options.hpp"

#include <fmt/format.h>

#include <utility>

#include "client/api_json.hpp"

namespace boruta::client {
namespace {

constexpr std::string_view kUserAgent = "boruta/1.0.0";

ApiError protocol_error(unsigned status, std::string message) {
  return {.kind = ErrorKind::kProtocol, .status = status, .message = std::move(message)};
}

}  // namespace

HttpRequest make_http_request(const ClientOptions& options, std::string method, std::string_view path) {
  HttpRequest request;
  request.method = std::move(method);
  request.target = fmt::format("{}/api/v1/{}", options.url.prefix, path);
  request.headers.emplace_back("User-Agent", kUserAgent);
  if (!options.token.empty()) {
    request.headers.emplace_back("Authorization", fmt::format("Bearer {}", options.token.reveal()));
  }
  return request;
}

Answer<std::shared_ptr<TlsTrust>> make_trust(const ClientOptions& options) {
  if (!options.url.tls) return std::shared_ptr<TlsTrust>();
  return make_tls_trust(options.ca_file);
}

ApiError to_error(const HttpResponse& response) {
  if (response.status >= 300 && response.status < 400) {
    return protocol_error(response.status, fmt::format("the server sends us on to {}: use that as its URL",
                                                       response.location.empty() ? "nowhere" : response.location));
  }
  auto message = decode_message(response.body);
  if (message.empty()) {
    // Not ours: a proxy's page, or another server altogether.
    const bool error = response.status == 401 || response.status == 403 || response.status == 429 ||
                       response.status == 502 || response.status == 503 || response.status == 504;
    if (!error) return protocol_error(response.status, fmt::format("the answer is a bare HTTP {}", response.status));
    message = fmt::format("HTTP {}", response.status);
  }
  return {.kind = ErrorKind::kRefused, .status = response.status, .message = std::move(message)};
}

}  // namespace boruta::client

#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <string_view>

#include "base/secret.hpp"
#include "client/api_error.hpp"
#include "client/connection.hpp"
#include "client/server_url.hpp"

namespace boruta::client {

struct ClientOptions {
  ServerUrl url;
  /// Empty: none is sent.
  Secret token;
  /// PEM file of the certificates to trust instead of the system's; for https only.
  std::string ca_file;
  std::chrono::nanoseconds connect_limit = std::chrono::seconds(10);
  std::chrono::nanoseconds answer_limit = std::chrono::seconds(60);
  /// How often a call that may be repeated is made in all, while there is no answer.
  unsigned attempts = 3;
  /// Before the second attempt; doubles with each.
  std::chrono::nanoseconds retry_delay = std::chrono::milliseconds(300);
};

/// What every call has in common: the whole target of `path`, which follows /api/v1/, the token, who we are.
[[nodiscard]] HttpRequest make_http_request(const ClientOptions& options, std::string method, std::string_view path);

/// What the options trust; null without https. kTls: `ca_file` is no good.
[[nodiscard]] Answer<std::shared_ptr<TlsTrust>> make_trust(const ClientOptions& options);

/// What an answer other than 2xx means.
[[nodiscard]] ApiError to_error(const HttpResponse& response);

}  // namespace boruta::client

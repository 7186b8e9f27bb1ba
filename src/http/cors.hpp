#pragma once

#include <span>

#include "http/message.hpp"

/// Cross-origin rules: pages from anywhere may use the API, without cookies. What is said to whom is as in 0.2.1.
namespace boruta::http {

/// OPTIONS with Access-Control-Request-Method: a browser asks before it sends.
[[nodiscard]] bool is_preflight(const HttpRequest& request);

/// The answer to a preflight. `methods`: what the path is there for.
[[nodiscard]] HttpResponse answer_preflight(const HttpRequest& request, std::span<const Method> methods);

/// Adds to the answer of any other request what its origin may see.
void add_cors_headers(const HttpRequest& request, HttpResponse& response);

/// The same where the request was not read, and so its origin is not known.
void add_cors_headers(HttpResponse& response);

}  // namespace boruta::http

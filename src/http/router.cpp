#include "http/router.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/refusal.hpp"
#include "http/url.hpp"

namespace boruta::http {
namespace {

constexpr std::string_view kApi = "/api";
constexpr std::string_view kVersioned = "/api/v1";

/// Takes the first segment off `path`, which begins with a slash or is empty.
std::string_view take_segment(std::string_view& path) {
  path.remove_prefix(1);
  const auto end = std::min(path.find('/'), path.size());
  const auto segment = path.substr(0, end);
  path.remove_prefix(end);
  return segment;
}

/// Whether `path` fits, and what then stands for ":id".
std::optional<std::string_view> match_pattern(std::string_view pattern, std::string_view path) {
  std::string_view id;
  while (!pattern.empty() && !path.empty()) {
    const auto wanted = take_segment(pattern);
    const auto segment = take_segment(path);
    if (wanted == ":id" && !segment.empty()) {
      id = segment;
    } else if (wanted != segment) {
      return std::nullopt;
    }
  }
  if (!pattern.empty() || !path.empty()) return std::nullopt;
  return id;
}

bool is_under(std::string_view path, std::string_view root) {
  return path == root || (path.starts_with(root) && path[root.size()] == '/');
}

std::string with_slash_toggled(std::string_view path) {
  return path.ends_with('/') ? std::string(path.substr(0, path.size() - 1)) : std::string(path) + "/";
}

std::string with_query(std::string path, std::string_view query) {
  if (!query.empty()) path.append("?").append(query);
  return path;
}

std::string escape_html(std::string_view text) {
  std::string escaped;
  for (const char character : text) {
    switch (character) {
      case '&':
        escaped += "&amp;";
        break;
      case '<':
        escaped += "&lt;";
        break;
      case '>':
        escaped += "&gt;";
        break;
      case '"':
        escaped += "&#34;";
        break;
      case '\'':
        escaped += "&#39;";
        break;
      default:
        escaped.push_back(character);
    }
  }
  return escaped;
}

HttpResponse plain_not_found() {
  HttpResponse response{.status = 404, .headers = {}, .body = "404 page not found\n"};
  response.headers.push_back({"Content-Type", "text/plain; charset=utf-8"});
  response.headers.push_back({"X-Content-Type-Options", "nosniff"});
  return response;
}

HttpResponse method_not_allowed(const std::vector<Method>& methods) {
  HttpResponse response{.status = 405, .headers = {}, .body = {}};
  for (const auto method : methods) response.headers.push_back({"Allow", std::string(to_string(method))});
  return response;
}

std::ptrdiff_t count_slashes(std::string_view path) { return std::ranges::count(path, '/'); }

}  // namespace

Router::Router(std::span<const Route> routes) : routes_(routes) {
  for (const auto& route : routes) slashes_.push_back(count_slashes(route.pattern));
}

std::optional<RouteMatch> Router::find(Method method, std::string_view path) const {
  if (!path.starts_with('/')) return std::nullopt;
  const auto wanted = method == Method::kHead ? Method::kGet : method;
  const auto slashes = count_slashes(path);
  for (std::size_t place = 0; place < routes_.size(); ++place) {
    const auto& route = routes_[place];
    if (route.method != wanted || slashes_[place] != slashes) continue;
    if (const auto id = match_pattern(route.pattern, path)) return RouteMatch{.route = &route, .id = *id};
  }
  return std::nullopt;
}

std::vector<Method> Router::methods_at(std::string_view path) const {
  std::vector<Method> methods;
  for (const auto method : {Method::kGet, Method::kHead, Method::kPost, Method::kDelete}) {
    if (find(method, path)) methods.push_back(method);
  }
  return methods;
}

HttpResponse Router::answer_unrouted(const HttpRequest& request) const {
  const auto path = request.path;
  const auto methods = methods_at(path);
  const bool versioned = is_under(path, kVersioned);
  if (!methods.empty() && (request.method == Method::kOther || !versioned)) return method_not_allowed(methods);
  if (versioned) {
    auto toggled = with_slash_toggled(path);
    if (find(request.method, toggled)) return redirect(request, with_query(std::move(toggled), request.query));
    const auto decoded = percent_decode(path);
    if (!decoded) return error_response(400, "invalid request: the path holds a % without two hexadecimal digits");
    return error_response(404, message_of({.code = RefusalCode::kRouteNotFound, .detail = *decoded}));
  }
  if (path.size() > kApi.size() + 1 && is_under(path, kApi)) {
    return redirect(request, with_query(std::string(kVersioned).append(path.substr(kApi.size())), request.query));
  }
  return plain_not_found();
}

HttpResponse redirect(const HttpRequest& request, const std::string& location) {
  HttpResponse response{.status = 308, .headers = {}, .body = {}};
  response.headers.push_back({"Location", location});
  if (request.method == Method::kGet || request.method == Method::kHead) {
    response.headers.push_back({"Content-Type", "text/html; charset=utf-8"});
    response.body = fmt::format("<a href=\"{}\">Permanent Redirect</a>.\n\n", escape_html(location));
  }
  return response;
}

}  // namespace boruta::http

#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "farm/types.hpp"
#include "http/message.hpp"

namespace boruta::http {

class Api;

/// One request on its way through a handler.
struct Call {
  const HttpRequest* request = nullptr;
  /// Nobody where the route asks for nobody.
  farm::Actor actor;
  /// What stands in the path for ":id", decoded.
  std::string id;
};

/// Who may call a route at all; what of it is theirs, the farm decides.
enum class Caller : std::uint8_t { kAnyone, kUser, kAdmin };

using Handler = Task<HttpResponse> (Api::*)(const Call* call);

struct Route {
  Method method = Method::kGet;
  /// Segments, of which one may be ":id"; with or without a slash at the end, but not both.
  std::string_view pattern;
  Caller caller = Caller::kAdmin;
  Handler handler = nullptr;
  /// The answer may be long in coming.
  bool waits = false;
};

struct RouteMatch {
  const Route* route = nullptr;
  /// Of the path, still encoded.
  std::string_view id;
};

/// Finds the route of a request, or the answer of one that has none. What that answer is was laid down by 0.2.1.
class Router {
 public:
  /// `routes` outlive the router. Of two that fit, the first wins.
  explicit Router(std::span<const Route> routes);

  /// HEAD finds the routes of GET.
  [[nodiscard]] std::optional<RouteMatch> find(Method method, std::string_view path) const;
  /// What `path` may be asked for.
  [[nodiscard]] std::vector<Method> methods_at(std::string_view path) const;
  /// REQUIRES: there is no route. 308 for paths without version and for a slash too much or too little, 405 for
  /// methods that HTTP does not have, else 404.
  [[nodiscard]] HttpResponse answer_unrouted(const HttpRequest& request) const;

 private:
  std::span<const Route> routes_;
  /// Of each route's pattern: a path that fits has as many, and few others have.
  std::vector<std::ptrdiff_t> slashes_;
};

/// 308 to `location`, with a line of HTML for who reads it.
[[nodiscard]] HttpResponse redirect(const HttpRequest& request, const std::string& location);

}  // namespace boruta::http

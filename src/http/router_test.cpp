#include "http/router.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "http/api.hpp"
#include "http/api_harness.hpp"
#include "http/cors.hpp"
#include "http/url.hpp"

namespace boruta::http {
namespace {

TEST(Routes, AreThese) {
  std::string all;
  for (const auto& route : Api::routes()) {
    all += fmt::format("{} {} {}{}\n", to_string(route.method), route.pattern, word_of(route.caller),
                       route.waits ? " waits" : "");
  }
  EXPECT_EQ(all, R"(GET /api/v1/version anyone
GET /api/v1/openapi.json anyone
GET /api/v1/whoami user
POST /api/v1/reqs/ user
POST /api/v1/reqs/list user
POST /api/v1/reqs/explain user
GET /api/v1/reqs/:id user
POST /api/v1/reqs/:id user
POST /api/v1/reqs/:id/close user
POST /api/v1/reqs/:id/acquire_worker user waits
POST /api/v1/reqs/:id/prolong user
POST /api/v1/reqs/:id/power user waits
POST /api/v1/reqs/:id/sd user waits
POST /api/v1/reqs/:id/current user waits
GET /api/v1/reqs/:id/logs user waits
GET /api/v1/reqs/:id/explain user
GET /api/v1/reqs/:id/events user
GET /api/v1/workers/ user
POST /api/v1/workers/list user
GET /api/v1/workers/:id user
POST /api/v1/workers/:id/setstate admin
POST /api/v1/workers/:id/setgroups admin
POST /api/v1/workers/:id/deregister admin
GET /api/v1/workers/:id/events user
GET /api/v1/events user
GET /api/v1/usage user
GET /api/v1/audit admin
GET /api/v1/users/ admin
POST /api/v1/users/ admin
POST /api/v1/users/:id/groups admin
POST /api/v1/users/:id/ceilings admin
GET /api/v1/groups/ admin
POST /api/v1/groups/:id/ceilings admin
DELETE /api/v1/users/:id admin
GET /api/v1/tokens/ user
POST /api/v1/tokens/ user
DELETE /api/v1/tokens/:id user
GET /api/v1/keys/ user
POST /api/v1/keys/ user
DELETE /api/v1/keys/:id user
GET /healthz anyone
GET /readyz anyone
GET /metrics anyone
)");
}

const Router& router() {
  static const Router kRouter(Api::routes());
  return kRouter;
}

struct Found {
  Method method;
  std::string_view path;
  /// Empty: none.
  std::string_view pattern;
  std::string_view id;
};

TEST(Router, FindsTheRouteOfAPath) {
  const Found cases[] = {
      {Method::kGet, "/api/v1/version", "/api/v1/version", ""},
      {Method::kHead, "/api/v1/version", "/api/v1/version", ""},
      {Method::kPost, "/api/v1/reqs/", "/api/v1/reqs/", ""},
      {Method::kPost, "/api/v1/reqs/list", "/api/v1/reqs/list", ""},
      {Method::kGet, "/api/v1/reqs/list", "/api/v1/reqs/:id", "list"},
      {Method::kPost, "/api/v1/reqs/42/close", "/api/v1/reqs/:id/close", "42"},
      {Method::kGet, "/api/v1/reqs/%31", "/api/v1/reqs/:id", "%31"},
      {Method::kGet, "/api/v1/reqs/", "", ""},
      {Method::kGet, "/api/v1/reqs//", "", ""},
      {Method::kPost, "/api/v1/reqs//close", "", ""},
      {Method::kGet, "/api/v1//version", "", ""},
      {Method::kGet, "/api/v1/version/", "", ""},
      {Method::kGet, "/", "", ""},
      {Method::kGet, "", "", ""},
      {Method::kGet, "*", "", ""},
      {Method::kOther, "/api/v1/version", "", ""},
  };
  for (const auto& [method, path, pattern, id] : cases) {
    const auto match = router().find(method, path);
    EXPECT_EQ(match ? match->route->pattern : "", pattern) << path;
    EXPECT_EQ(match ? match->id : "", id) << path;
  }
}

struct Unrouted {
  Method method;
  std::string_view path;
  std::string_view query;
  unsigned status;
  /// The Location, or the body, or the methods allowed.
  std::string_view detail;
};

TEST(Router, AnswersWhatHasNoRoute) {
  const Unrouted cases[] = {
      {Method::kGet, "/api/reqs/1", "a=b&c=d", 308, "/api/v1/reqs/1?a=b&c=d"},
      {Method::kPost, "/api/reqs/", "", 308, "/api/v1/reqs/"},
      {Method::kPost, "/api/v1/reqs", "", 308, "/api/v1/reqs/"},
      {Method::kGet, "/api/v1/reqs", "", 404, R"({"message":"/api/v1/reqs not found"})"},
      {Method::kGet, "/api/v1/workers", "x", 308, "/api/v1/workers/?x"},
      {Method::kPost, "/api/v1/reqs/2/close/", "", 308, "/api/v1/reqs/2/close"},
      {Method::kGet, "/api/v1/reqs/2/close", "", 404, R"({"message":"/api/v1/reqs/2/close not found"})"},
      {Method::kGet, "/api/v1/%3Cb%3E", "", 404, R"({"message":"/api/v1/\u003cb\u003e not found"})"},
      {Method::kGet, "/api/v1/%zz", "", 400,
       R"({"message":"invalid request: the path holds a % without two hexadecimal digits"})"},
      {Method::kOther, "/api/v1/version", "", 405, "GET HEAD"},
      {Method::kOther, "/api/v1/reqs/1", "", 405, "GET HEAD POST"},
      {Method::kOther, "/api/v1/nope", "", 404, R"({"message":"/api/v1/nope not found"})"},
      {Method::kPost, "/healthz", "", 405, "GET HEAD"},
      {Method::kGet, "/apiary", "", 404, "404 page not found\n"},
      {Method::kGet, "/api", "", 404, "404 page not found\n"},
  };
  for (const auto& [method, path, query, status, detail] : cases) {
    SCOPED_TRACE(path);
    const HttpRequest request{.method = method, .path = path, .query = query, .headers = {}, .body = {}};
    const auto response = router().answer_unrouted(request);
    EXPECT_EQ(response.status, status);
    std::string shown = response.body;
    if (status == 308) shown = response.headers.at(0).value;
    if (status == 405) {
      shown.clear();
      for (const auto& header : response.headers) shown += (shown.empty() ? "" : " ") + header.value;
    }
    EXPECT_EQ(shown, detail);
  }
}

TEST(Router, EscapesWhatItPutsIntoHtml) {
  const HttpRequest request{.method = Method::kGet, .path = "/api/\"><b>'", .query = {}, .headers = {}, .body = {}};
  EXPECT_EQ(router().answer_unrouted(request).body,
            "<a href=\"/api/v1/&#34;&gt;&lt;b&gt;&#39;\">Permanent Redirect</a>.\n\n");
}

struct Preflight {
  std::string_view path;
  std::string_view method;
  std::string_view headers;
  /// Empty: not allowed.
  std::string_view allowed_method;
  std::string_view allowed_headers;
};

TEST(Cors, AllowsInAPreflightWhatTheApiUses) {
  const Preflight cases[] = {
      {"/api/v1/reqs/list", "POST", "content-type, AUTHORIZATION", "POST", "Content-Type, Authorization"},
      {"/api/v1/reqs/list", "POST", "idempotency-key,last-event-id,x-requested-with,accept,origin", "POST",
       "Idempotency-Key, Last-Event-Id, X-Requested-With, Accept, Origin"},
      {"/api/v1/reqs/list", "GET", "", "GET", ""},
      {"/nowhere", "GET", "", "GET", ""},
      {"/api/v1/tokens/7", "DELETE", "", "DELETE", ""},
      {"/api/v1/reqs/7", "DELETE", "", "", ""},
      {"/api/v1/reqs/7", "POST", "X-Evil", "", ""},
      {"/api/v1/reqs/7", "BREW", "", "", ""},
  };
  for (const auto& [path, method, headers, allowed_method, allowed_headers] : cases) {
    SCOPED_TRACE(path);
    const HttpRequest request{.method = Method::kOptions,
                              .path = path,
                              .query = {},
                              .headers = {{"Origin", "http://example.com"},
                                          {"access-control-request-method", method},
                                          {"Access-Control-Request-Headers", headers}},
                              .body = {}};
    ASSERT_TRUE(is_preflight(request));
    const auto response = answer_preflight(request, router().methods_at(path));
    const auto value = [&response](std::string_view name) {
      const auto found = std::ranges::find(response.headers, name, &ResponseHeader::name);
      return found == response.headers.end() ? std::string{} : found->value;
    };
    EXPECT_EQ(value("Access-Control-Allow-Methods"), allowed_method);
    EXPECT_EQ(value("Access-Control-Allow-Headers"), allowed_headers);
    EXPECT_EQ(value("Access-Control-Allow-Origin"), allowed_method.empty() ? "" : "*");
  }
}

TEST(Url, SplitsTargetsOfBothForms) {
  const auto check = [](std::string_view target, std::string_view path, std::string_view query) {
    EXPECT_EQ(split_target(target).path, path) << target;
    EXPECT_EQ(split_target(target).query, query) << target;
  };
  check("/a/b?c=d?e", "/a/b", "c=d?e");
  check("/a", "/a", "");
  check("http://host:80/a?b", "/a", "b");
  check("http://host", "/", "");
  check("/a?u=http://x", "/a", "u=http://x");
  check("*", "*", "");
}

TEST(Url, DecodesParameters) {
  EXPECT_EQ(query_parameter("a=1&wait=1%68%20+x&wait=2", "wait"), "1h  x");
  EXPECT_EQ(query_parameter("wait", "wait"), "");
  EXPECT_EQ(query_parameter("await=1", "wait"), std::nullopt);
  EXPECT_EQ(query_parameter("wait=%4", "wait"), std::nullopt);
  EXPECT_EQ(percent_decode("%2F%2f%"), std::nullopt);
  EXPECT_EQ(percent_decode("a%2Fb"), "a/b");
}

}  // namespace
}  // namespace boruta::http

#include "http/api.hpp"

#include <boost/asio/this_coro.hpp>
#include <fmt/format.h>

#include <algorithm>

#include "base/assert.hpp"
#include "base/bearer_token.hpp"
#include "base/json.hpp"
#include "http/answers.hpp"
#include "http/cors.hpp"
#include "http/encode.hpp"
#include "http/openapi.hpp"
#include "http/url.hpp"
#include "server/access.hpp"

namespace boruta::http {
namespace {

constexpr std::string_view kApiVersion = "v1";
constexpr std::string_view kApiState = "devel";
/// Who shows no token that opens something.
constexpr std::string_view kNobody = "nobody";

bool is_of_access(RefusalCode code) { return code == RefusalCode::kUnauthenticated || code == RefusalCode::kForbidden; }

/// What was asked for: "POST /api/v1/reqs/42/close".
std::string action_of(const Call& call, const Route& route) {
  constexpr std::string_view kPlaceholder = ":id";
  constexpr std::size_t kLongestId = 64;
  std::string path(route.pattern);
  const auto place = path.find(kPlaceholder);
  const auto plain = [](char letter) { return letter > ' ' && letter <= '~'; };
  if (place != std::string::npos && call.id.size() <= kLongestId && std::ranges::all_of(call.id, plain)) {
    path.replace(place, kPlaceholder.size(), call.id);
  }
  return fmt::format("{} {}", to_string(route.method), path);
}

/// An IPv4 address mapped into IPv6 is meant as IPv4.
std::string_view unmapped(std::string_view address) {
  constexpr std::string_view kMapped = "::ffff:";
  const bool mapped = address.starts_with(kMapped) && address.find('.') != std::string_view::npos;
  return mapped ? address.substr(kMapped.size()) : address;
}

}  // namespace

std::optional<Secret> token_of(const HttpRequest& request) {
  return bearer_token(find_header(request, "Authorization"));
}

std::span<const Route> Api::routes() {
  using enum Method;
  using enum Caller;
  static constexpr Route kRoutes[] = {
      {kGet, "/api/v1/version", kAnyone, &Api::get_version},
      {kGet, "/api/v1/openapi.json", kAnyone, &Api::get_openapi},
      {kGet, "/api/v1/whoami", kUser, &Api::get_whoami},
      {kPost, "/api/v1/reqs/", kUser, &Api::create_request},
      {kPost, "/api/v1/reqs/list", kUser, &Api::list_requests},
      {kPost, "/api/v1/reqs/explain", kUser, &Api::explain_unfiled},
      {kGet, "/api/v1/reqs/:id", kUser, &Api::get_request},
      {kPost, "/api/v1/reqs/:id", kUser, &Api::update_request},
      {kPost, "/api/v1/reqs/:id/close", kUser, &Api::close_request},
      {kPost, "/api/v1/reqs/:id/acquire_worker", kUser, &Api::acquire_worker, true},
      {kPost, "/api/v1/reqs/:id/prolong", kUser, &Api::prolong_access},
      {kPost, "/api/v1/reqs/:id/power", kUser, &Api::set_power, true},
      {kPost, "/api/v1/reqs/:id/sd", kUser, &Api::set_sd, true},
      {kPost, "/api/v1/reqs/:id/current", kUser, &Api::measure_current, true},
      {kGet, "/api/v1/reqs/:id/logs", kUser, &Api::get_console_log, true},
      {kGet, "/api/v1/reqs/:id/explain", kUser, &Api::explain_request},
      {kGet, "/api/v1/reqs/:id/events", kUser, &Api::get_request_events},
      {kGet, "/api/v1/workers/", kUser, &Api::list_workers},
      {kPost, "/api/v1/workers/list", kUser, &Api::list_workers},
      {kGet, "/api/v1/workers/:id", kUser, &Api::get_worker},
      {kPost, "/api/v1/workers/:id/setstate", kAdmin, &Api::set_worker_state},
      {kPost, "/api/v1/workers/:id/setgroups", kAdmin, &Api::set_worker_groups},
      {kPost, "/api/v1/workers/:id/deregister", kAdmin, &Api::deregister_worker},
      {kGet, "/api/v1/workers/:id/events", kUser, &Api::get_worker_events},
      {kGet, "/api/v1/events", kUser, &Api::get_events},
      {kGet, "/api/v1/usage", kUser, &Api::get_usage},
      {kGet, "/api/v1/audit", kAdmin, &Api::get_audit},
      {kGet, "/api/v1/users/", kAdmin, &Api::list_users},
      {kPost, "/api/v1/users/", kAdmin, &Api::create_user},
      {kPost, "/api/v1/users/:id/groups", kAdmin, &Api::set_user_groups},
      {kPost, "/api/v1/users/:id/ceilings", kAdmin, &Api::set_user_ceilings},
      {kGet, "/api/v1/groups/", kAdmin, &Api::list_groups},
      {kPost, "/api/v1/groups/:id/ceilings", kAdmin, &Api::set_group_ceilings},
      {kDelete, "/api/v1/users/:id", kAdmin, &Api::delete_user},
      {kGet, "/api/v1/tokens/", kUser, &Api::list_tokens},
      {kPost, "/api/v1/tokens/", kUser, &Api::create_token},
      {kDelete, "/api/v1/tokens/:id", kUser, &Api::revoke_token},
      {kGet, "/api/v1/keys/", kUser, &Api::list_keys},
      {kPost, "/api/v1/keys/", kUser, &Api::add_key},
      {kDelete, "/api/v1/keys/:id", kUser, &Api::remove_key},
      {kGet, "/healthz", kAnyone, &Api::get_healthz},
      {kGet, "/readyz", kAnyone, &Api::get_readyz},
      {kGet, "/metrics", kAnyone, &Api::get_metrics},
  };
  return kRoutes;
}

Api::Api(Options options)
    : coordinator_(*options.coordinator),
      committer_(*options.committer),
      feed_(*options.feed),
      clock_(coordinator_.clock()),
      metrics_(*options.metrics),
      tunnels_(*options.tunnels),
      boards_(*options.boards),
      refusals_(*options.refusals),
      limits_(options.limits),
      version_(std::move(options.version)),
      openapi_(openapi_document(version_)),
      advertise_(std::move(options.advertise)),
      router_(routes()),
      route_metrics_(&metrics_.registry(), routes()) {}

Task<HttpResponse> Api::handle(const HttpRequest* request) {
  const auto executor = co_await asio::this_coro::executor;
  if (!coordinator_.is_strand(executor)) co_await coordinator_.enter();
  const auto now = clock_.now();
  const auto match = router_.find(request->method, request->path);
  Call call{.request = request, .actor = {}, .id = {}};
  HttpResponse response;
  if (auto early = answer_early(call, match, now)) {
    response = std::move(*early);
  } else {
    response = co_await (this->*match->route->handler)(&call);
  }
  if (response.refusal) {
    if (is_of_access(response.refusal->code))
      refusals_.note(call.actor, action_of(call, *match->route), *response.refusal);
    metrics_.count_refusal(server::Metrics::Client::kUser, response.refusal->code);
  }
  if (!is_preflight(*request)) add_cors_headers(*request, response);
  route_metrics_.count(match ? match->route : nullptr, response.status, clock_.now().lease - now.lease);
  co_return response;
}

void Api::on_answered_by_session(const HttpRequest* request, unsigned status) {
  const auto match = request == nullptr ? std::nullopt : router_.find(request->method, request->path);
  route_metrics_.count(match ? match->route : nullptr, status);
}

bool Api::may_wait(const HttpRequest& request) const {
  if (request.method != Method::kPost && request.method != Method::kGet) return false;
  const auto match = router_.find(request.method, request.path);
  return match && match->route->waits;
}

std::optional<HttpResponse> Api::answer_early(Call& call, const std::optional<RouteMatch>& match, Now now) {
  const auto& request = *call.request;
  if (is_preflight(request)) return answer_preflight(request, router_.methods_at(request.path));
  if (!match) return router_.answer_unrouted(request);
  auto id = percent_decode(match->id);
  if (!id) return error_response(400, "invalid request: the path holds a % without two hexadecimal digits");
  call.id = std::move(*id);
  return admit(call, *match->route, now);
}

std::optional<HttpResponse> Api::admit(Call& call, const Route& route, Now now) {
  const auto& address = call.request->peer_address;
  const auto take = [&](const std::string& client) -> std::optional<HttpResponse> {
    const auto wait = limits_.take_request(client, now.lease);
    if (!wait) return std::nullopt;
    return refused_for(*wait, "more requests came from you than the server takes");
  };
  if (route.caller == Caller::kAnyone) return take(server::client_of(address));
  call.actor = farm::Actor{
      .kind = farm::Actor::Kind::kUser, .name = std::string(kNobody), .address = std::string(unmapped(address))};
  const auto token = token_of(*call.request);
  auto actor = identify(token, call.actor.address, now);
  if (!actor) {
    const auto client = server::client_of(address);
    if (auto refusal = take(client)) return refusal;
    const bool bad = token && actor.error().code == RefusalCode::kUnauthenticated;
    const auto wait = bad ? limits_.take_bad_token(client, now.lease) : std::nullopt;
    if (wait) return refused_for(*wait, "too many tokens that open nothing came from you");
    return refused(actor.error());
  }
  call.actor = std::move(*actor);
  const bool named = coordinator_.engine().farm().policy().access_control;
  if (auto refusal = take(named ? "user " + call.actor.name : server::client_of(address))) return refusal;
  if (route.caller == Caller::kAdmin && call.actor.kind != farm::Actor::Kind::kAdmin) {
    return refused({.code = RefusalCode::kForbidden, .detail = "only admins may do this"});
  }
  return std::nullopt;
}

std::expected<farm::Actor, Refusal> Api::identify(const std::optional<Secret>& token, std::string_view address,
                                                  Now now) {
  // No wait for what is stored: a token is told to nobody before it is durable, and one that is being revoked need not
  // be honoured any more.
  auto login = server::authenticate_user(coordinator_.engine().farm(), token, now);
  if (!login) return std::unexpected(login.error());
  auto actor = std::move(login->actor);
  actor.address = address;
  // A use that cannot be written now is noted by a later one.
  if (login->note_use) coordinator_.note({.actor = actor, .body = farm::NoteTokenUse{.id = *login->note_use}});
  return actor;
}

Task<std::expected<farm::Actor, Refusal>> Api::authenticate(std::optional<Secret> token, std::string address) {
  const auto executor = co_await asio::this_coro::executor;
  if (!coordinator_.is_strand(executor)) co_await coordinator_.enter();
  co_return identify(token, address, clock_.now());
}

Task<std::expected<farm::Events, Refusal>> Api::submit(farm::Actor actor, farm::CommandBody body) {
  farm::Command command{.actor = std::move(actor), .body = std::move(body)};
  co_return co_await coordinator_.submit(std::move(command));
}

Task<HttpResponse> Api::change(farm::Actor actor, farm::CommandBody body, unsigned status) {
  const auto events = co_await submit(std::move(actor), std::move(body));
  if (!events) co_return refused(events.error());
  co_return HttpResponse{.status = status, .headers = {}, .body = {}};
}

Task<HttpResponse> Api::get_version(const Call*) {
  auto response = json_response();
  JsonWriter json(response.body);
  json.begin_object();
  json.key("Server");
  json.text(version_);
  json.key("API_Version");
  json.text(kApiVersion);
  json.key("API_State");
  json.text(kApiState);
  json.end_object();
  response.headers.push_back({"Boruta-Server-Version", version_});
  response.headers.push_back({"Boruta-Api-Version", std::string(kApiVersion)});
  response.headers.push_back({"Boruta-Api-State", std::string(kApiState)});
  co_return response;
}

Task<HttpResponse> Api::get_openapi(const Call*) {
  auto response = json_response();
  response.body = openapi_;
  co_return response;
}

Task<HttpResponse> Api::get_healthz(const Call*) {
  HttpResponse response{.status = 200, .headers = {}, .body = "ok\n"};
  response.headers.push_back({"Content-Type", "text/plain; charset=utf-8"});
  co_return response;
}

Task<HttpResponse> Api::get_readyz(const Call*) {
  auto look = [this](server::View& view) {
    view.depends_on(EventSeq{});
    return !coordinator_.stopping();
  };
  const auto works = co_await coordinator_.read(std::move(look));
  if (!works) co_return refused(works.error());
  if (!*works) co_return refused({.code = RefusalCode::kUnavailable, .detail = "the server is shutting down"});
  if (committer_.stalled()) {
    co_return refused({.code = RefusalCode::kUnavailable, .detail = "the store cannot be written at present"});
  }
  HttpResponse response{.status = 200, .headers = {}, .body = "ready\n"};
  response.headers.push_back({"Content-Type", "text/plain; charset=utf-8"});
  co_return response;
}

Task<HttpResponse> Api::get_metrics(const Call*) {
  auto text = co_await metrics_.scrape();
  if (!text) co_return refused(text.error());
  HttpResponse response{.status = 200, .headers = {}, .body = std::move(*text)};
  response.headers.push_back({"Content-Type", "text/plain; version=0.0.4; charset=utf-8"});
  co_return response;
}

}  // namespace boruta::http

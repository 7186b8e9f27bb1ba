#include <boost/asio/post.hpp>
#include <boost/asio/this_coro.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <span>

#include "base/assert.hpp"
#include "base/json.hpp"
#include "farm/listing.hpp"
#include "http/answers.hpp"
#include "http/api.hpp"
#include "http/decode.hpp"
#include "http/encode.hpp"
#include "http/url.hpp"
#include "server/access.hpp"

namespace boruta::http {
namespace {

/// Most requests are written in so many bytes, so that there is room for them from the start.
constexpr std::size_t kUsualRequestBytes = 640;
/// How much of a list is written before others get their turn.
constexpr std::size_t kListSlice = 512;

/// `?wait=`: nothing if it is not given.
Decoded<std::optional<Duration>> decode_wait(std::string_view query) {
  const auto text = query_parameter(query, "wait");
  if (!text) return std::nullopt;
  const auto wait = parse_duration(*text);
  if (!wait) {
    return std::unexpected(
        Refusal{.code = RefusalCode::kInvalid,
                .detail = fmt::format("wait is \"{}\": a duration like 30s, 10m or 1h30m is expected", *text)});
  }
  return *wait;
}

/// The Idempotency-Key; empty if there is none.
Decoded<std::string> decode_idempotency_key(const HttpRequest& request) {
  const auto key = find_header(request, "Idempotency-Key");
  const bool printable = std::ranges::all_of(key, [](char c) { return c >= ' ' && c <= '~'; });
  if (key.size() <= limits::kIdempotencyKeyBytes && printable) return std::string(key);
  return std::unexpected(Refusal{.code = RefusalCode::kInvalid,
                                 .detail = fmt::format("Idempotency-Key has {} bytes: at most {} printable ASCII "
                                                       "characters are allowed",
                                                       key.size(), limits::kIdempotencyKeyBytes)});
}

/// Where the client reaches this server: an IPv4 address mapped into IPv6 is meant as IPv4.
std::string_view reachable_address(std::string_view local_address) {
  constexpr std::string_view kMapped = "::ffff:";
  const bool mapped = local_address.starts_with(kMapped) && local_address.find('.') != std::string_view::npos;
  return mapped ? local_address.substr(kMapped.size()) : local_address;
}

template <class Event>
const Event& only_event(const farm::Events& events) {
  for (const auto& event : events) {
    if (const auto* found = std::get_if<Event>(&event.body)) return *found;
  }
  assertion_failed("a creation without its event", std::source_location::current());
}

}  // namespace

Task<HttpResponse> Api::create_request(const Call* call) {
  auto command = decode_create(call->request->body);
  if (!command) co_return refused(command.error());
  const auto key = decode_idempotency_key(*call->request);
  if (!key) co_return refused(key.error());
  if (!key->empty()) {
    command->idempotency_key = *key;
    command->body_hash = server::sha256_hex(call->request->body);
  }
  const auto events = co_await submit(call->actor, std::move(*command));
  if (!events) co_return refused(events.error());
  auto id = events->empty() ? std::nullopt : std::optional(only_event<farm::RequestCreated>(*events).id);
  if (!id) {
    // Filed before under this key.
    auto find = [owner = call->actor.user, &key](server::View& view) {
      view.depends_on(EventSeq{});
      const auto* creation = view.farm().find_creation(owner, *key);
      return creation == nullptr ? std::nullopt : std::optional(creation->request);
    };
    const auto found = co_await coordinator_.read(std::move(find));
    if (!found) co_return refused(found.error());
    id = *found;
    BORUTA_ASSERT(id);
  }
  auto response = json_response(201);
  JsonWriter json(response.body);
  json.begin_object();
  json.key("ReqID");
  json.number(id->value);
  json.end_object();
  co_return response;
}

Task<HttpResponse> Api::get_request(const Call* call) {
  const auto id = decode_request_id(call->id);
  if (!id) co_return refused(id.error());
  auto show = [this, id = *id](server::View& view) -> std::expected<HttpResponse, Refusal> {
    const auto request = view.farm().find_request(id);
    if (request == nullptr) return std::unexpected(Refusal{.code = RefusalCode::kRequestNotFound, .detail = {}});
    // Its place in the queue is a guess about others, which promises nothing: no reason to wait for their events.
    view.depends_on(request->last_event);
    auto response = json_response();
    response.headers.push_back({"Boruta-Request-State", std::string(to_string(request->state))});
    if (request->state == farm::RequestState::kInProgress) {
      const auto timeout = wall_timeout(*request->job, view.now());
      response.headers.push_back({"Boruta-Job-Timeout", format_rfc3339_seconds(timeout)});
    }
    response.body.reserve(kUsualRequestBytes);
    JsonWriter json(response.body);
    write_request_in_full(json, view, *request, tunnels_.traffic(id));
    return response;
  };
  co_return response_of(co_await coordinator_.read(std::move(show)));
}

Task<HttpResponse> Api::list_requests(const Call* call) {
  auto query = decode_request_query(call->request->body);
  if (!query) co_return refused(query.error());
  auto response = json_response();
  JsonWriter json(response.body);
  // A long page is as it was at one instant, but written slice by slice, and others get their turn in between.
  auto begin = [&](server::View& view) -> std::expected<std::vector<farm::Request>, Refusal> {
    const auto page = farm::list_requests(view.farm(), *query);
    if (!page) return std::unexpected(page.error());
    add_list_headers(response, page->total, page->remaining, page->items.size());
    response.body.reserve(std::min(page->items.size(), kListSlice) * kUsualRequestBytes);
    json.begin_array();
    std::vector<farm::Request> rest;
    std::size_t written = 0;
    for (const auto& request : page->items) {
      if (written++ < kListSlice) {
        write_request(json, view.farm(), *request, view.now());
      } else {
        rest.push_back(*request);
      }
    }
    return rest;
  };
  const auto rest = co_await coordinator_.read(std::move(begin));
  if (!rest) co_return refused(rest.error());
  if (!*rest) co_return refused((*rest).error());
  for (std::size_t first = 0; first < (*rest)->size(); first += kListSlice) {
    const auto executor = co_await asio::this_coro::executor;
    co_await asio::post(executor, asio::use_awaitable);
    auto go_on = [&, slice = std::span(**rest).subspan(first)](server::View& view) {
      view.depends_on(EventSeq{});
      for (const auto& request : slice.first(std::min(slice.size(), kListSlice))) {
        write_request(json, view.farm(), request, view.now());
      }
      return true;
    };
    const auto written = co_await coordinator_.read(std::move(go_on));
    if (!written) co_return refused(written.error());
  }
  json.end_array();
  co_return response;
}

Task<HttpResponse> Api::update_request(const Call* call) {
  const auto id = decode_request_id(call->id);
  if (!id) co_return refused(id.error());
  const auto command = decode_update(call->request->body, *id);
  if (!command) co_return refused(command.error());
  co_return co_await change(call->actor, *command, 204);
}

Task<HttpResponse> Api::close_request(const Call* call) {
  const auto id = decode_request_id(call->id);
  if (!id) co_return refused(id.error());
  const farm::CloseRequest command{.id = *id};
  co_return co_await change(call->actor, command, 204);
}

Task<HttpResponse> Api::prolong_access(const Call* call) {
  const auto id = decode_request_id(call->id);
  if (!id) co_return refused(id.error());
  const farm::ProlongAccess command{.id = *id};
  co_return co_await change(call->actor, command, 204);
}

Task<HttpResponse> Api::acquire_worker(const Call* call) {
  const auto id = decode_request_id(call->id);
  if (!id) co_return refused(id.error());
  const auto wait = decode_wait(call->request->query);
  if (!wait) co_return refused(wait.error());
  auto identify = [this, token = token_of(*call->request), address = call->actor.address] {
    return this->identify(token, address, clock_.now());
  };
  const auto access = co_await coordinator_.acquire(std::move(identify), *id, *wait);
  if (!access) co_return refused(access.error());
  auto response = json_response();
  response.secret = true;
  response.headers.push_back({"Cache-Control", "no-store"});
  // Room for all of it at once: growing would leave copies of the key behind.
  constexpr std::size_t kRoom = 4096;
  response.body.reserve(kRoom + 2 * access->private_key.reveal().size());
  JsonWriter json(response.body);
  write_access(json, *access, advertise_ ? *advertise_ : reachable_address(call->request->local_address));
  co_return response;
}

}  // namespace boruta::http

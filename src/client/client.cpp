#include "client/client.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <fmt/format.h>
#include <openssl/rand.h>

#include <algorithm>
#include <array>
#include <iterator>
#include <utility>

#include "base/assert.hpp"
#include "client/api_json.hpp"

namespace boruta::client {
namespace {

constexpr std::size_t kEventPage = 1'000;

ApiError protocol_error(unsigned status, std::string message) {
  return {.kind = ErrorKind::kProtocol, .status = status, .message = std::move(message)};
}

template <class T>
Answer<Reply<T>> read(Answer<std::string> body, Decoded<T> (*decode)(std::string_view)) {
  if (!body) return std::unexpected(std::move(body.error()));
  auto value = decode(*body);
  if (!value) return std::unexpected(protocol_error(200, std::move(value.error())));
  return Reply<T>{.value = std::move(*value), .json = std::move(*body)};
}

/// Makes one JSON list of two that are not empty.
void append_list(std::string& list, std::string_view more) {
  list.resize(list.rfind(']'));
  list += ',';
  list += more.substr(more.find('[') + 1);
}

}  // namespace

std::string make_idempotency_key() {
  std::array<unsigned char, 16> bytes{};
  BORUTA_ASSERT(RAND_bytes(bytes.data(), static_cast<int>(bytes.size())) == 1);
  std::string text;
  for (const auto byte : bytes) text += fmt::format("{:02x}", byte);
  return text;
}

Answer<std::unique_ptr<Client>> Client::make(const asio::any_io_executor& executor, ClientOptions options) {
  auto trust = make_trust(options);
  if (!trust) return std::unexpected(std::move(trust.error()));
  return std::unique_ptr<Client>(new Client(executor, std::move(options), std::move(*trust)));
}

Client::Client(const asio::any_io_executor& executor, ClientOptions options, std::shared_ptr<TlsTrust> trust)
    : executor_(executor),
      options_(std::move(options)),
      connection_(executor, options_.url, std::move(trust), options_.connect_limit) {}

HttpRequest Client::to_http(const Call& call) const {
  auto request = make_http_request(options_, call.method, call.path);
  request.body = call.body;
  if (!call.idempotency_key.empty()) request.headers.emplace_back("Idempotency-Key", call.idempotency_key);
  return request;
}

Task<Answer<std::string>> Client::send(Call call) {
  auto response = co_await exchange(std::move(call));
  if (!response) co_return std::unexpected(std::move(response.error()));
  co_return std::move(response->body);
}

Task<Answer<HttpResponse>> Client::exchange(Call call) {
  const unsigned attempts = call.repeatable ? options_.attempts : 1;
  auto delay = options_.retry_delay;
  ApiError last{.kind = ErrorKind::kUnreachable, .status = 0, .message = "the call was given up"};
  for (unsigned attempt = 1; attempt <= attempts && !aborted_; ++attempt) {
    auto request = to_http(call);
    auto response = co_await connection_.exchange(std::move(request), options_.answer_limit + call.extra_wait);
    if (response && response->status >= 200 && response->status < 300) co_return std::move(*response);
    last = response ? to_error(*response) : response.error();
    if (last.kind != ErrorKind::kUnreachable || attempt == attempts || aborted_) break;
    asio::steady_timer timer(co_await asio::this_coro::executor, delay);
    co_await timer.async_wait(asio::as_tuple(asio::use_awaitable));
    delay *= 2;
  }
  co_return std::unexpected(std::move(last));
}

Task<Answer<std::string>> Client::get(std::string path) {
  Call call;
  call.method = "GET";
  call.path = std::move(path);
  call.repeatable = true;
  co_return co_await send(std::move(call));
}

Task<Answer<std::string>> Client::ask(std::string path, std::string body) {
  Call call;
  call.method = "POST";
  call.path = std::move(path);
  call.body = std::move(body);
  call.repeatable = true;
  return send(std::move(call));
}

Task<Answer<void>> Client::change(std::string method, std::string path, std::string body) {
  Call call;
  call.method = std::move(method);
  call.path = std::move(path);
  call.body = std::move(body);
  auto answer = co_await send(std::move(call));
  if (!answer) co_return std::unexpected(std::move(answer.error()));
  co_return Answer<void>{};
}

Task<Answer<Reply<VersionInfo>>> Client::version() {
  auto body = co_await get("version");
  co_return read(std::move(body), &decode_version);
}

Task<Answer<Reply<Identity>>> Client::whoami() {
  auto body = co_await get("whoami");
  co_return read(std::move(body), &decode_identity);
}

Task<Answer<Reply<RequestId>>> Client::create_request(NewRequest request, std::string idempotency_key) {
  Call call;
  call.method = "POST";
  call.path = "reqs/";
  call.body = encode(request);
  call.idempotency_key = std::move(idempotency_key);
  call.repeatable = true;
  auto body = co_await send(std::move(call));
  co_return read(std::move(body), &decode_request_id);
}

Task<Answer<Reply<RequestInfo>>> Client::get_request(RequestId id) {
  auto body = co_await get(fmt::format("reqs/{}", id.value));
  co_return read(std::move(body), &decode_request);
}

Task<Answer<Reply<ExplanationInfo>>> Client::explain(RequestId id, bool with_workers) {
  auto body = co_await get(fmt::format("reqs/{}/explain?workers={}", id.value, with_workers));
  co_return read(std::move(body), &decode_explanation);
}

Task<Answer<Reply<ExplanationInfo>>> Client::explain(NewRequest request) {
  auto body = co_await ask("reqs/explain", encode(request));
  co_return read(std::move(body), &decode_explanation);
}

Task<Answer<Reply<std::vector<RequestInfo>>>> Client::list_requests(RequestFilter filter) {
  auto body = co_await ask("reqs/list", encode(filter));
  co_return read(std::move(body), &decode_requests);
}

Task<Answer<void>> Client::update_request(RequestId id, RequestUpdate update) {
  co_return co_await change("POST", fmt::format("reqs/{}", id.value), encode(update));
}

Task<Answer<void>> Client::close_request(RequestId id) {
  co_return co_await change("POST", fmt::format("reqs/{}/close", id.value), std::string());
}

Task<Answer<void>> Client::prolong(RequestId id) {
  co_return co_await change("POST", fmt::format("reqs/{}/prolong", id.value), std::string());
}

Task<Answer<Reply<AccessInfo>>> Client::acquire_worker(RequestId id, std::chrono::seconds wait) {
  Call call;
  call.method = "POST";
  call.path = fmt::format("reqs/{}/acquire_worker?wait={}s", id.value, wait.count());
  call.extra_wait = wait;
  auto body = co_await send(std::move(call));
  co_return read(std::move(body), &decode_access);
}

Task<Answer<void>> Client::set_power(RequestId id, std::string how) {
  co_return co_await change("POST", fmt::format("reqs/{}/power", id.value), encode_member("Power", how));
}

Task<Answer<void>> Client::set_sd(RequestId id, std::string where) {
  co_return co_await change("POST", fmt::format("reqs/{}/sd", id.value), encode_member("SD", where));
}

Task<Answer<Reply<std::int32_t>>> Client::current(RequestId id) {
  auto body = co_await ask(fmt::format("reqs/{}/current", id.value), std::string());
  co_return read(std::move(body), &decode_current);
}

Task<Answer<std::string>> Client::console_log(RequestId id) {
  co_return co_await get(fmt::format("reqs/{}/logs", id.value));
}

Task<Answer<Reply<std::vector<EventInfo>>>> Client::all_events(std::string path) {
  Reply<std::vector<EventInfo>> all;
  std::uint64_t after = 0;
  while (true) {
    auto body = co_await get(fmt::format("{}?after={}&limit={}", path, after, kEventPage));
    auto page = read(std::move(body), &decode_events);
    if (!page) co_return std::unexpected(std::move(page.error()));
    if (page->value.empty()) break;
    if (page->value.back().seq <= after) co_return std::unexpected(protocol_error(200, "the pages do not go on"));
    after = page->value.back().seq;
    const bool last = page->value.size() < kEventPage;
    if (all.value.empty()) {
      all.json = std::move(page->json);
    } else {
      append_list(all.json, page->json);
    }
    std::ranges::move(page->value, std::back_inserter(all.value));
    if (last) break;
  }
  if (all.value.empty()) all.json = "[]";
  co_return all;
}

Task<Answer<Reply<std::vector<EventInfo>>>> Client::request_events(RequestId id) {
  return all_events(fmt::format("reqs/{}/events", id.value));
}

Task<Answer<Reply<std::vector<EventInfo>>>> Client::worker_events(const std::string& uuid) {
  return all_events(fmt::format("workers/{}/events", encode_segment(uuid)));
}

Task<Answer<Reply<Usage>>> Client::usage(std::string since) {
  Call call;
  call.method = "GET";
  call.path = fmt::format("usage?since={}", encode_segment(since));
  call.repeatable = true;
  auto response = co_await exchange(std::move(call));
  if (!response) co_return std::unexpected(std::move(response.error()));
  auto jobs = decode_usage(response->body);
  if (!jobs) co_return std::unexpected(protocol_error(response->status, std::move(jobs.error())));
  Reply<Usage> usage{.value = {.jobs = std::move(*jobs), .known_since = {}}, .json = std::move(response->body)};
  if (!response->known_since.empty()) {
    const auto known = parse_rfc3339(response->known_since);
    if (!known.time) {
      co_return std::unexpected(
          protocol_error(response->status, fmt::format("Boruta-Known-Since \"{}\" is no time", response->known_since)));
    }
    usage.value.known_since = known.time->at;
  }
  co_return usage;
}

Task<Answer<AuditPage>> Client::audit(AuditFilter filter, std::uint64_t after) {
  auto path = fmt::format("audit?after={}", after);
  const auto add = [&path](std::string_view name, const std::string& value) {
    if (!value.empty()) path += fmt::format("&{}={}", name, encode_segment(value));
  };
  add("since", filter.since);
  add("actor", filter.actor);
  add("address", filter.address);
  add("kind", filter.kind);
  add("worker", filter.worker);
  if (filter.request) path += fmt::format("&request={}", filter.request->value);
  auto body = co_await get(std::move(path));
  if (!body) co_return std::unexpected(std::move(body.error()));
  auto page = decode_audit(*body);
  if (!page) co_return std::unexpected(protocol_error(200, page.error()));
  co_return std::move(*page);
}

Task<Answer<Reply<std::vector<WorkerInfo>>>> Client::list_workers() {
  auto body = co_await get("workers/");
  co_return read(std::move(body), &decode_workers);
}

Task<Answer<Reply<WorkerInfo>>> Client::get_worker(std::string uuid) {
  auto body = co_await get(fmt::format("workers/{}", encode_segment(uuid)));
  co_return read(std::move(body), &decode_worker);
}

Task<Answer<void>> Client::set_state(std::string uuid, std::string state, std::string reason, bool drain) {
  co_return co_await change("POST", fmt::format("workers/{}/setstate", encode_segment(uuid)),
                            encode_set_state(state, reason, drain));
}

Task<Answer<void>> Client::set_worker_groups(std::string uuid, Groups groups) {
  co_return co_await change("POST", fmt::format("workers/{}/setgroups", encode_segment(uuid)), encode(groups));
}

Task<Answer<void>> Client::deregister(std::string uuid) {
  co_return co_await change("POST", fmt::format("workers/{}/deregister", encode_segment(uuid)), std::string());
}

Task<Answer<Reply<std::vector<Identity>>>> Client::list_users() {
  auto body = co_await get("users/");
  co_return read(std::move(body), &decode_identities);
}

Task<Answer<Reply<IssuedToken>>> Client::add_user(NewUser user) {
  Call call;
  call.method = "POST";
  call.path = "users/";
  call.body = encode(user);
  auto body = co_await send(std::move(call));
  co_return read(std::move(body), &decode_issued_token);
}

Task<Answer<void>> Client::set_user_groups(std::string name, Groups groups) {
  co_return co_await change("POST", fmt::format("users/{}/groups", encode_segment(name)), encode(groups));
}

Task<Answer<void>> Client::set_user_ceilings(std::string name, Ceilings ceilings) {
  co_return co_await change("POST", fmt::format("users/{}/ceilings", encode_segment(name)), encode(ceilings));
}

Task<Answer<Reply<std::vector<GroupInfo>>>> Client::list_groups() {
  auto body = co_await get("groups/");
  co_return read(std::move(body), &decode_groups);
}

Task<Answer<void>> Client::set_group_ceilings(std::string group, Ceilings ceilings) {
  co_return co_await change("POST", fmt::format("groups/{}/ceilings", encode_segment(group)), encode(ceilings));
}

Task<Answer<void>> Client::delete_user(std::string name) {
  co_return co_await change("DELETE", fmt::format("users/{}", encode_segment(name)), std::string());
}

Task<Answer<Reply<std::vector<TokenInfo>>>> Client::list_tokens() {
  auto body = co_await get("tokens/");
  co_return read(std::move(body), &decode_tokens);
}

Task<Answer<Reply<IssuedToken>>> Client::add_token(NewToken token) {
  Call call;
  call.method = "POST";
  call.path = "tokens/";
  call.body = encode(token);
  auto body = co_await send(std::move(call));
  co_return read(std::move(body), &decode_issued_token);
}

Task<Answer<void>> Client::revoke_token(std::uint64_t id) {
  co_return co_await change("DELETE", fmt::format("tokens/{}", id), std::string());
}

Task<Answer<Reply<std::vector<KeyInfo>>>> Client::list_keys() {
  auto body = co_await get("keys/");
  co_return read(std::move(body), &decode_keys);
}

Task<Answer<Reply<KeyInfo>>> Client::add_key(NewKey key) {
  Call call;
  call.method = "POST";
  call.path = "keys/";
  call.body = encode(key);
  auto body = co_await send(std::move(call));
  co_return read(std::move(body), &decode_key);
}

Task<Answer<void>> Client::remove_key(std::uint64_t id) {
  co_return co_await change("DELETE", fmt::format("keys/{}", id), std::string());
}

void Client::abort() {
  aborted_ = true;
  connection_.abort();
}

}  // namespace boruta::client

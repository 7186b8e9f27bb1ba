#include "base/json.hpp"
#include "http/answers.hpp"
#include "http/api.hpp"
#include "http/decode.hpp"
#include "server/agent_boards.hpp"

namespace boruta::http {

Task<HttpResponse> Api::use_board(const Call* call, Decoded<agent::BoardAction> action) {
  const auto id = decode_request_id(call->id);
  if (!id) co_return refused(id.error());
  if (!action) co_return refused(action.error());
  const auto measured = co_await boards_.use(call->actor, *id, *action);
  if (!measured) co_return refused(measured.error());
  if (!*measured) co_return HttpResponse{.status = 204, .headers = {}, .body = {}};
  auto response = json_response();
  JsonWriter json(response.body);
  json.begin_object();
  json.key("Milliamperes");
  json.raw(std::to_string(**measured));
  json.end_object();
  co_return response;
}

Task<HttpResponse> Api::set_power(const Call* call) {
  auto action = decode_power(call->request->body);
  co_return co_await use_board(call, std::move(action));
}

Task<HttpResponse> Api::set_sd(const Call* call) {
  auto action = decode_sd(call->request->body);
  co_return co_await use_board(call, std::move(action));
}

Task<HttpResponse> Api::measure_current(const Call* call) {
  Decoded<agent::BoardAction> action = agent::BoardAction::kCurrent;
  co_return co_await use_board(call, std::move(action));
}

Task<HttpResponse> Api::get_console_log(const Call* call) {
  const auto id = decode_request_id(call->id);
  if (!id) co_return refused(id.error());
  auto text = co_await boards_.console_log(call->actor, *id);
  if (!text) co_return refused(text.error());
  HttpResponse response{.status = 200, .headers = {}, .body = std::move(*text)};
  response.headers.push_back({"Content-Type", "text/plain; charset=utf-8"});
  co_return response;
}

}  // namespace boruta::http

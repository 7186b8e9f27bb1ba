#include <memory>

#include "base/json.hpp"
#include "http/answers.hpp"
#include "http/api.hpp"
#include "http/decode.hpp"
#include "http/encode_explanation.hpp"
#include "http/url.hpp"

namespace boruta::http {
namespace {

/// `?workers=false` leaves out the list of all workers.
Decoded<bool> decode_with_workers(std::string_view query) {
  const auto text = query_parameter(query, "workers");
  if (!text || *text == "true") return true;
  if (*text == "false") return false;
  return std::unexpected(Refusal{.code = RefusalCode::kInvalid, .detail = "workers is true or false"});
}

}  // namespace

Task<HttpResponse> Api::explain_request(const Call* call) {
  const auto id = decode_request_id(call->id);
  if (!id) co_return refused(id.error());
  const auto with_workers = decode_with_workers(call->request->query);
  if (!with_workers) co_return refused(with_workers.error());
  auto show = [id = *id, workers = *with_workers](server::View& view) -> std::expected<HttpResponse, Refusal> {
    const auto request = view.farm().find_request(id);
    if (request == nullptr) return std::unexpected(Refusal{.code = RefusalCode::kRequestNotFound, .detail = {}});
    auto response = json_response();
    JsonWriter json(response.body);
    if (request->state == farm::RequestState::kWaiting) {
      write_explanation(json, view, match::ask_of(*request), workers);
    } else {
      write_explanation_of_ended(json, *request);
    }
    return response;
  };
  co_return response_of(co_await coordinator_.read(std::move(show)));
}

Task<HttpResponse> Api::explain_unfiled(const Call* call) {
  const auto command = decode_create(call->request->body);
  if (!command) co_return refused(command.error());
  if (auto wrong = check_limits(command->caps)) {
    co_return refused(Refusal{.code = RefusalCode::kInvalid, .detail = std::move(*wrong)});
  }
  const auto with_workers = decode_with_workers(call->request->query);
  if (!with_workers) co_return refused(with_workers.error());
  constexpr std::int64_t kUsualPriority = 8;
  const auto priority = command->priority == 0 ? kUsualPriority : command->priority;
  if (priority < limits::kHighestPriority || priority > limits::kLowestPriority) {
    co_return refused(Refusal{.code = RefusalCode::kInvalid, .detail = "requested priority out of bounds"});
  }
  match::Ask ask{
      .demand = std::make_shared<const Demand>(Demand{.caps = command->caps, .requirements = command->requirements}),
      .owner = call->actor.user,
      .priority = farm::Priority{static_cast<std::uint8_t>(priority)},
      .valid_after = command->valid_after.value_or(WallTime{}).at,
      .id = std::nullopt};
  auto show = [&ask, workers = *with_workers](server::View& view) -> std::expected<HttpResponse, Refusal> {
    auto response = json_response();
    JsonWriter json(response.body);
    write_explanation(json, view, ask, workers);
    return response;
  };
  co_return response_of(co_await coordinator_.read(std::move(show)));
}

}  // namespace boruta::http

#include "base/json.hpp"
#include "farm/listing.hpp"
#include "http/answers.hpp"
#include "http/api.hpp"
#include "http/decode.hpp"
#include "http/encode.hpp"

namespace boruta::http {

Task<HttpResponse> Api::get_worker(const Call* call) {
  const auto uuid = decode_worker_uuid(call->id);
  if (!uuid) co_return refused(uuid.error());
  auto show = [this, uuid = *uuid](server::View& view) -> std::expected<HttpResponse, Refusal> {
    const auto* worker = view.farm().find_worker(uuid);
    if (worker == nullptr) return std::unexpected(Refusal{.code = RefusalCode::kWorkerNotFound, .detail = {}});
    auto response = json_response();
    response.headers.push_back({"Boruta-Worker-State", std::string(to_string(worker->state))});
    JsonWriter json(response.body);
    write_worker(json, *worker, WorkerNames(view.farm()).of(uuid), tunnels_.way_to(uuid));
    return response;
  };
  co_return response_of(co_await coordinator_.read(std::move(show)));
}

Task<HttpResponse> Api::list_workers(const Call* call) {
  auto query = decode_worker_query(call->request->body);
  if (!query) co_return refused(query.error());
  auto list = [this, query = std::move(*query)](server::View& view) -> std::expected<HttpResponse, Refusal> {
    const auto page = farm::list_workers(view.farm(), query);
    if (!page) return std::unexpected(page.error());
    auto response = json_response();
    add_list_headers(response, page->total, page->remaining, page->items.size());
    const WorkerNames names(view.farm());
    JsonWriter json(response.body);
    json.begin_array();
    for (const auto* worker : page->items) {
      write_worker(json, *worker, names.of(worker->uuid), tunnels_.way_to(worker->uuid));
    }
    json.end_array();
    return response;
  };
  co_return response_of(co_await coordinator_.read(std::move(list)));
}

Task<HttpResponse> Api::set_worker_state(const Call* call) {
  const auto uuid = decode_worker_uuid(call->id);
  if (!uuid) co_return refused(uuid.error());
  auto command = decode_set_state(call->request->body, *uuid);
  if (!command) co_return refused(command.error());
  const auto events = co_await submit(call->actor, std::move(*command));
  if (!events) co_return refused(events.error());
  auto response = json_response(202);
  response.body = "null";
  co_return response;
}

Task<HttpResponse> Api::set_worker_groups(const Call* call) {
  const auto uuid = decode_worker_uuid(call->id);
  if (!uuid) co_return refused(uuid.error());
  auto groups = decode_groups(call->request->body);
  if (!groups) co_return refused(groups.error());
  farm::SetWorkerGroups command{.uuid = *uuid, .groups = std::move(*groups)};
  co_return co_await change(call->actor, std::move(command), 204);
}

Task<HttpResponse> Api::deregister_worker(const Call* call) {
  const auto uuid = decode_worker_uuid(call->id);
  if (!uuid) co_return refused(uuid.error());
  const farm::DeregisterWorker command{.uuid = *uuid};
  co_return co_await change(call->actor, command, 204);
}

}  // namespace boruta::http

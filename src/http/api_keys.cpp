#include "base/assert.hpp"
#include "base/json.hpp"
#include "http/answers.hpp"
#include "http/api.hpp"
#include "http/decode.hpp"
#include "http/encode.hpp"
#include "server/public_key.hpp"

/// Public keys with which users log in to the workers of their jobs.
namespace boruta::http {

Task<HttpResponse> Api::list_keys(const Call* call) {
  auto list = [actor = call->actor](server::View& view) -> std::expected<HttpResponse, Refusal> {
    auto response = json_response();
    JsonWriter json(response.body);
    json.begin_array();
    for (const auto& [id, key] : view.farm().user_keys()) {
      const bool shown = actor.kind == farm::Actor::Kind::kAdmin || key.user == actor.user;
      if (shown && !key.removed) write_user_key(json, view.farm(), key);
    }
    json.end_array();
    return response;
  };
  co_return response_of(co_await coordinator_.read(std::move(list)));
}

Task<HttpResponse> Api::add_key(const Call* call) {
  auto wanted = decode_new_key(call->request->body);
  if (!wanted) co_return refused(wanted.error());
  auto key = server::parse_public_key(wanted->key);
  if (!key) {
    co_return refused({.code = RefusalCode::kInvalid, .detail = "Key: " + key.error()});
  }
  const auto fingerprint = key->fingerprint;
  farm::AddUserKey command{.user = std::move(wanted->user),
                           .name = std::move(wanted->name),
                           .public_key = std::move(key->line),
                           .fingerprint = std::move(key->fingerprint)};
  const auto events = co_await submit(call->actor, std::move(command));
  if (!events) co_return refused(events.error());
  const auto* added = std::get_if<farm::UserKeyAdded>(&events->front().body);
  BORUTA_ASSERT(added != nullptr);
  auto response = json_response(201);
  JsonWriter json(response.body);
  json.begin_object();
  json.key("ID");
  json.number(added->id.value);
  json.key("Fingerprint");
  json.text(fingerprint);
  json.end_object();
  co_return response;
}

Task<HttpResponse> Api::remove_key(const Call* call) {
  const auto id = decode_key_id(call->id);
  if (!id) co_return refused(id.error());
  const farm::RemoveUserKey command{.id = *id};
  co_return co_await change(call->actor, command, 204);
}

}  // namespace boruta::http

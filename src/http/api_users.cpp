#include <map>

#include "base/assert.hpp"
#include "base/json.hpp"
#include "http/answers.hpp"
#include "http/api.hpp"
#include "http/decode.hpp"
#include "http/encode.hpp"
#include "server/access.hpp"

namespace boruta::http {
namespace {

/// A 201 that shows a new token, once and to nobody else.
HttpResponse created_with_token() {
  auto response = json_response(201);
  response.secret = true;
  response.headers.push_back({"Cache-Control", "no-store"});
  constexpr std::size_t kRoom = 1024;
  response.body.reserve(kRoom);
  return response;
}

struct GroupRow {
  std::vector<std::string> users;
  std::uint64_t running = 0;
  std::uint64_t waiting = 0;
  farm::Ceilings ceilings;
};

void write_group(JsonWriter& json, std::string_view name, const GroupRow& row) {
  json.begin_object();
  json.key("Name");
  json.text(name);
  json.key("Users");
  json.texts(row.users);
  json.key("Running");
  json.number(row.running);
  json.key("Waiting");
  json.number(row.waiting);
  json.key("Ceilings");
  write_ceilings(json, row.ceilings);
  json.end_object();
}

bool may_see(const farm::Actor& actor, const farm::Token& token) {
  if (token.revoked) return false;
  if (actor.kind == farm::Actor::Kind::kAdmin) return true;
  return token.role != farm::Role::kWorker && token.user == actor.user;
}

}  // namespace

Task<HttpResponse> Api::get_whoami(const Call* call) {
  auto show = [user = call->actor.user](server::View& view) -> std::expected<HttpResponse, Refusal> {
    const auto* found = view.farm().find_user(user);
    BORUTA_ASSERT(found != nullptr);
    auto response = json_response();
    JsonWriter json(response.body);
    write_user(json, *found);
    return response;
  };
  co_return response_of(co_await coordinator_.read(std::move(show)));
}

Task<HttpResponse> Api::list_users(const Call*) {
  auto list = [](server::View& view) -> std::expected<HttpResponse, Refusal> {
    auto response = json_response();
    JsonWriter json(response.body);
    json.begin_array();
    for (const auto& [id, user] : view.farm().users()) {
      // Where everybody has a name, "anonymous" is nobody.
      const bool nobody = view.farm().policy().access_control && user.name == farm::kAnonymous;
      if (!user.deleted && !nobody) write_user(json, user);
    }
    json.end_array();
    return response;
  };
  co_return response_of(co_await coordinator_.read(std::move(list)));
}

Task<HttpResponse> Api::create_user(const Call* call) {
  auto command = decode_new_user(call->request->body);
  if (!command) co_return refused(command.error());
  const auto token = server::make_token();
  command->token_hash = server::hash_of(token);
  const auto name = command->name;
  const auto events = co_await submit(call->actor, std::move(*command));
  if (!events) co_return refused(events.error());
  auto response = created_with_token();
  JsonWriter json(response.body);
  json.begin_object();
  json.key("Name");
  json.text(name);
  json.key("Token");
  json.text(token.reveal());
  json.end_object();
  co_return response;
}

Task<HttpResponse> Api::set_user_groups(const Call* call) {
  auto groups = decode_groups(call->request->body);
  if (!groups) co_return refused(groups.error());
  farm::SetUserGroups command{.name = call->id, .groups = groups->value_or(Groups{})};
  co_return co_await change(call->actor, std::move(command), 204);
}

Task<HttpResponse> Api::set_user_ceilings(const Call* call) {
  const auto ceilings = decode_ceilings(call->request->body);
  if (!ceilings) co_return refused(ceilings.error());
  farm::SetUserCeilings command{.name = call->id, .ceilings = *ceilings};
  co_return co_await change(call->actor, std::move(command), 204);
}

/// All that somebody is in or has limited, by name.
Task<HttpResponse> Api::list_groups(const Call*) {
  auto list = [](server::View& view) -> std::expected<HttpResponse, Refusal> {
    std::map<std::string, GroupRow> rows;
    for (const auto& [name, group] : view.farm().limited_groups()) rows[name].ceilings = group.ceilings;
    for (const auto& [id, user] : view.farm().users()) {
      if (user.deleted) continue;
      for (const auto& name : user.groups) {
        auto& row = rows[name];
        row.users.push_back(user.name);
        row.running += view.farm().loads().running(id);
        row.waiting += view.farm().loads().waiting(id);
      }
    }
    auto response = json_response();
    JsonWriter json(response.body);
    json.begin_array();
    for (const auto& [name, row] : rows) write_group(json, name, row);
    json.end_array();
    return response;
  };
  co_return response_of(co_await coordinator_.read(std::move(list)));
}

Task<HttpResponse> Api::set_group_ceilings(const Call* call) {
  const auto ceilings = decode_ceilings(call->request->body);
  if (!ceilings) co_return refused(ceilings.error());
  farm::SetGroupCeilings command{.group = call->id, .ceilings = *ceilings};
  co_return co_await change(call->actor, std::move(command), 204);
}

Task<HttpResponse> Api::delete_user(const Call* call) {
  farm::DeleteUser command{.name = call->id};
  co_return co_await change(call->actor, std::move(command), 204);
}

Task<HttpResponse> Api::list_tokens(const Call* call) {
  auto list = [actor = call->actor](server::View& view) -> std::expected<HttpResponse, Refusal> {
    auto response = json_response();
    JsonWriter json(response.body);
    json.begin_array();
    for (const auto& [id, token] : view.farm().tokens()) {
      if (may_see(actor, token)) write_token(json, view.farm(), token);
    }
    json.end_array();
    return response;
  };
  co_return response_of(co_await coordinator_.read(std::move(list)));
}

Task<HttpResponse> Api::create_token(const Call* call) {
  auto command = decode_new_token(call->request->body);
  if (!command) co_return refused(command.error());
  const auto token = server::make_token();
  command->hash = server::hash_of(token);
  const auto events = co_await submit(call->actor, std::move(*command));
  if (!events) co_return refused(events.error());
  const auto* created = std::get_if<farm::TokenCreated>(&events->front().body);
  BORUTA_ASSERT(created != nullptr);
  auto response = created_with_token();
  JsonWriter json(response.body);
  json.begin_object();
  json.key("ID");
  json.number(created->id.value);
  json.key("Token");
  json.text(token.reveal());
  json.end_object();
  co_return response;
}

Task<HttpResponse> Api::revoke_token(const Call* call) {
  const auto id = decode_token_id(call->id);
  if (!id) co_return refused(id.error());
  const farm::RevokeToken command{.id = *id};
  co_return co_await change(call->actor, command, 204);
}

}  // namespace boruta::http

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>

#include "client/api_json.hpp"

namespace boruta::client {
namespace {

namespace json = boost::json;

json::array to_array(const std::vector<std::string>& texts) {
  json::array array;
  for (const auto& text : texts) array.emplace_back(text);
  return array;
}

void put_time(json::object& object, std::string_view key, const std::optional<WallTime>& time) {
  if (time) object[key] = format_rfc3339(*time);
}

void put_duration(json::object& object, std::string_view key, const std::optional<Duration>& duration) {
  if (duration) object[key] = format_duration(*duration);
}

}  // namespace

std::string encode(const NewRequest& request) {
  json::object object;
  auto& caps = object["Caps"].emplace_object();
  for (const auto& [key, value] : request.caps) caps[key] = value;
  if (!request.requirements.empty()) object["Requirements"] = to_array(request.requirements);
  object["Priority"] = request.priority;
  put_time(object, "ValidAfter", request.valid_after);
  put_time(object, "Deadline", request.deadline);
  put_duration(object, "Lease", request.lease);
  put_duration(object, "ClaimWithin", request.claim_within);
  return json::serialize(object);
}

std::string encode(const RequestUpdate& update) {
  json::object object;
  if (update.priority) object["Priority"] = *update.priority;
  put_time(object, "ValidAfter", update.valid_after);
  put_time(object, "Deadline", update.deadline);
  return json::serialize(object);
}

std::string encode(const RequestFilter& filter) {
  json::object inner;
  if (!filter.states.empty()) inner["States"] = to_array(filter.states);
  if (!filter.owners.empty()) inner["Owners"] = to_array(filter.owners);
  json::object object;
  object["Filter"] = std::move(inner);
  return json::serialize(object);
}

std::string encode(const Ceilings& ceilings) {
  json::object object;
  if (ceilings.priority) object["Priority"] = *ceilings.priority;
  if (ceilings.running) object["Running"] = *ceilings.running;
  if (ceilings.waiting) object["Waiting"] = *ceilings.waiting;
  return json::serialize(object);
}

std::string encode(const NewUser& user) {
  json::object object;
  object["Name"] = user.name;
  object["Groups"] = to_array(user.groups);
  if (!user.role.empty()) object["Role"] = user.role;
  return json::serialize(object);
}

std::string encode(const Groups& groups) { return json::serialize(to_array(groups)); }

std::string encode_set_state(std::string_view state, std::string_view reason, bool drain) {
  json::object object;
  object["WorkerState"] = state;
  if (!reason.empty()) object["Reason"] = reason;
  if (drain) object["Drain"] = true;
  return json::serialize(object);
}

std::string encode(const NewToken& token) {
  json::object object;
  object["Name"] = token.name;
  if (!token.role.empty()) object["Role"] = token.role;
  if (!token.user.empty()) object["User"] = token.user;
  if (token.expires) object["Expires"] = format_rfc3339(*token.expires);
  if (token.reusable) object["Reusable"] = true;
  if (token.max_workers) object["MaxWorkers"] = *token.max_workers;
  if (token.in_service) object["InService"] = true;
  return json::serialize(object);
}

std::string encode(const NewKey& key) {
  json::object object;
  object["Name"] = key.name;
  object["Key"] = key.key;
  if (!key.user.empty()) object["User"] = key.user;
  return json::serialize(object);
}

std::string encode_member(std::string_view name, std::string_view text) {
  json::object object;
  object[name] = text;
  return json::serialize(object);
}

}  // namespace boruta::client

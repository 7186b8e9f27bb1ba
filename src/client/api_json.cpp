#include "client/api_json.hpp"

#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>
#include <fmt/format.h>

#include <utility>

#include "client/api_reader.hpp"

namespace boruta::client {
namespace {

struct StateWord {
  std::string_view word;
  RequestState state;
};

std::string read(const json::object& object, RequestInfo& out) {
  Reader reader(object, "request");
  reader.require("ID");
  reader.number("ID", out.id.value);
  reader.number("Priority", out.priority);
  reader.require("State");
  reader.text("State", out.state_text);
  out.state = parse_request_state(out.state_text);
  reader.caps("Caps", out.caps);
  reader.texts("Requirements", out.requirements);
  reader.time("ValidAfter", out.valid_after);
  reader.time("Deadline", out.deadline);
  reader.text("Reason", out.reason);
  reader.time("Created", out.created);
  reader.time("Started", out.started);
  reader.time("Ended", out.ended);
  reader.number("Position", out.position);
  reader.number("Queue", out.queue);
  reader.number("Fits", out.fits);
  reader.number("FitsIdle", out.fits_idle);
  if (const auto* owner = reader.object("Owner")) {
    Reader inner(*owner, "request's owner");
    inner.text("Name", out.owner);
    inner.texts("Groups", out.owner_groups);
    if (!inner.error().empty()) return inner.error();
  }
  if (const auto* job = reader.object("Job")) {
    Reader inner(*job, "request's job");
    inner.text("WorkerUUID", out.job.emplace().worker_uuid);
    inner.time("Timeout", out.job->timeout);
    if (!inner.error().empty()) return inner.error();
  }
  return reader.error();
}

std::string read(const json::object& object, WorkerInfo& out) {
  Reader reader(object, "worker");
  reader.require("WorkerUUID");
  reader.text("WorkerUUID", out.uuid);
  reader.require("State");
  reader.text("State", out.state_text);
  out.state = parse_worker_state(out.state_text);
  reader.texts("Groups", out.groups);
  reader.caps("Caps", out.caps);
  reader.text("Name", out.name);
  reader.text("Reason", out.reason);
  reader.text("By", out.by);
  reader.time("Since", out.since);
  reader.boolean("Connected", out.connected);
  reader.boolean("Draining", out.draining);
  std::optional<std::uint64_t> job;
  reader.number("Job", job);
  if (job) out.job = RequestId{*job};
  reader.text("Address", out.address);
  reader.text("Tunnel", out.tunnel);
  return reader.error();
}

std::string read(const json::object& object, AccessInfo& out) {
  Reader reader(object, "access");
  std::string key;
  reader.text("Key", key);
  out.key = Secret(std::move(key));
  reader.require("Username");
  reader.text("Username", out.username);
  reader.texts("HostKeys", out.host_keys);
  reader.require("Addr");
  if (const auto* address = reader.object("Addr")) {
    Reader inner(*address, "access's address");
    inner.require("IP");
    inner.text("IP", out.ip);
    inner.require("Port");
    inner.number("Port", out.port);
    inner.text("Zone", out.zone);
    if (!inner.error().empty()) return inner.error();
  }
  return reader.error();
}

std::string read(const json::object& object, Ceilings& out) {
  Reader reader(object, "ceilings");
  reader.number("Priority", out.priority);
  reader.number("Running", out.running);
  reader.number("Waiting", out.waiting);
  return reader.error();
}

/// The ceilings in `object`, if there are any.
std::string read_ceilings(Reader& reader, Ceilings& out) {
  const auto* ceilings = reader.object("Ceilings");
  return ceilings == nullptr ? std::string() : read(*ceilings, out);
}

std::string read(const json::object& object, Identity& out) {
  Reader reader(object, "user");
  reader.text("Name", out.name);
  reader.text("Role", out.role);
  reader.texts("Groups", out.groups);
  auto wrong = read_ceilings(reader, out.ceilings);
  return wrong.empty() ? reader.error() : wrong;
}

std::string read(const json::object& object, GroupInfo& out) {
  Reader reader(object, "group");
  reader.require("Name");
  reader.text("Name", out.name);
  reader.texts("Users", out.users);
  reader.number("Running", out.running);
  reader.number("Waiting", out.waiting);
  auto wrong = read_ceilings(reader, out.ceilings);
  return wrong.empty() ? reader.error() : wrong;
}

void read_id(Reader& reader, std::string_view key, std::optional<RequestId>& out) {
  std::optional<std::uint64_t> id;
  reader.number(key, id);
  if (id) out = RequestId{*id};
}

std::string read(const json::object& object, Miss& out) {
  Reader reader(object, "miss");
  reader.text("Capability", out.capability);
  if (reader.find("Has") != nullptr) reader.text("Has", out.has.emplace());
  reader.text("Text", out.text);
  return reader.error();
}

std::string read(const json::object& object, AheadInfo& out) {
  Reader reader(object, "request ahead");
  reader.number("ReqID", out.request.value);
  reader.text("Owner", out.owner);
  reader.text("Why", out.why);
  return reader.error();
}

std::string read(const json::object& object, WorkerVerdict& out);

/// The objects of the list `key`.
template <class T>
std::string read_list(const json::object& object, std::string_view key, std::vector<T>& out) {
  const auto* value = object.if_contains(key);
  if (value == nullptr || value->is_null()) return {};
  if (!value->is_array()) return fmt::format("{} is not a list", key);
  for (const auto& item : value->get_array()) {
    if (!item.is_object()) return fmt::format("{} is not a list of objects", key);
    auto wrong = read(item.get_object(), out.emplace_back());
    if (!wrong.empty()) return wrong;
  }
  return {};
}

std::string read(const json::object& object, WorkerVerdict& out) {
  Reader reader(object, "worker's verdict");
  reader.text("WorkerUUID", out.uuid);
  reader.text("Name", out.name);
  reader.require("Fitness");
  reader.text("Fitness", out.fitness);
  reader.text("State", out.state_text);
  reader.time("Since", out.since);
  reader.text("By", out.by);
  reader.time("Until", out.until);
  read_id(reader, "ReqID", out.request);
  reader.text("Owner", out.owner);
  reader.text("Detail", out.detail);
  auto wrong = read_list(object, "Misses", out.misses);
  return wrong.empty() ? reader.error() : wrong;
}

std::string read(const json::object& object, ExplanationInfo& out) {
  Reader reader(object, "explanation");
  read_id(reader, "ReqID", out.request);
  reader.require("State");
  reader.text("State", out.state_text);
  out.state = parse_request_state(out.state_text);
  reader.text("Reason", out.reason);
  reader.text("Asked", out.asked);
  reader.time("ReadySince", out.ready_since);
  reader.time("NotBefore", out.not_before);
  reader.number("Position", out.position);
  reader.number("Queue", out.queue);
  reader.number("Fits", out.fits);
  reader.number("FitsIdle", out.fits_idle);
  reader.text("Held", out.held);
  reader.time("NotLaterThan", out.not_later_than);
  reader.time("AtWorst", out.at_worst);
  reader.text("Unknown", out.unknown);
  if (const auto* summary = reader.object("Summary")) {
    Reader inner(*summary, "explanation's summary");
    inner.number("free", out.counts.free);
    inner.number("preparing", out.counts.preparing);
    inner.number("busy", out.counts.busy);
    inner.number("out of service", out.counts.out_of_service);
    if (!inner.error().empty()) return inner.error();
  }
  auto wrong = read_list(object, "Ahead", out.ahead);
  if (wrong.empty()) wrong = read_list(object, "Workers", out.workers);
  return wrong.empty() ? reader.error() : wrong;
}

std::string read(const json::object& object, VersionInfo& out) {
  Reader reader(object, "version");
  reader.text("Server", out.server);
  reader.text("API_Version", out.api_version);
  reader.text("API_State", out.api_state);
  return reader.error();
}

std::string read(const json::object& object, TokenInfo& out) {
  Reader reader(object, "token");
  reader.require("ID");
  reader.number("ID", out.id);
  reader.text("Name", out.name);
  reader.text("Role", out.role);
  reader.text("User", out.user);
  reader.text("Worker", out.worker);
  reader.time("Created", out.created);
  reader.time("Expires", out.expires);
  reader.boolean("Revoked", out.revoked);
  return reader.error();
}

std::string read(const json::object& object, IssuedToken& out) {
  Reader reader(object, "token");
  reader.text("Name", out.name);
  reader.number("ID", out.id);
  std::string token;
  reader.require("Token");
  reader.text("Token", token);
  out.token = Secret(std::move(token));
  return reader.error();
}

std::string read(const json::object& object, EventInfo& out) {
  Reader reader(object, "event");
  reader.require("Seq");
  reader.number("Seq", out.seq);
  reader.time("Time", out.time);
  reader.text("Actor", out.actor);
  reader.require("Type");
  reader.text("Type", out.type);
  std::optional<std::uint64_t> request;
  reader.number("ReqID", request);
  if (request) out.request = RequestId{*request};
  reader.text("WorkerUUID", out.worker_uuid);
  reader.text("From", out.from);
  reader.text("To", out.to);
  reader.text("Reason", out.reason);
  if (const auto* details = reader.object("Data")) {
    // Details are for the server to choose: what is not as expected is not ours to refuse.
    if (const auto* name = details->if_contains("name"); name != nullptr && name->is_string()) {
      out.name = std::string(name->get_string());
    }
  }
  return reader.error();
}

std::string read(const json::object& object, UsageInfo& out) {
  Reader reader(object, "usage");
  reader.require("ReqID");
  reader.number("ReqID", out.request.value);
  reader.text("WorkerUUID", out.worker_uuid);
  reader.time("Started", out.started);
  reader.time("Ended", out.ended);
  std::uint32_t seconds = 0;
  reader.number("Seconds", seconds);
  out.held = std::chrono::seconds(seconds);
  reader.text("State", out.state_text);
  out.state = parse_request_state(out.state_text);
  reader.text("Reason", out.reason);
  if (const auto* owner = reader.object("Owner")) {
    Reader inner(*owner, "usage's owner");
    inner.text("Name", out.owner);
    inner.texts("Groups", out.owner_groups);
    if (!inner.error().empty()) return inner.error();
  }
  return reader.error();
}

Decoded<json::value> parse(std::string_view text) {
  boost::system::error_code error;
  auto value = json::parse(text, error);
  if (error) return std::unexpected("the answer is not JSON");
  return value;
}

template <class T>
Decoded<T> decode_one(std::string_view text) {
  const auto value = parse(text);
  if (!value) return std::unexpected(value.error());
  if (!value->is_object()) return std::unexpected("the answer is not a JSON object");
  T out;
  auto error = read(value->get_object(), out);
  if (!error.empty()) return std::unexpected(std::move(error));
  return out;
}

template <class T>
Decoded<std::vector<T>> decode_many(std::string_view text) {
  const auto value = parse(text);
  if (!value) return std::unexpected(value.error());
  if (!value->is_array()) return std::unexpected("the answer is not a JSON list");
  std::vector<T> out;
  out.reserve(value->get_array().size());
  for (const auto& item : value->get_array()) {
    if (!item.is_object()) return std::unexpected("the answer is not a list of JSON objects");
    auto error = read(item.get_object(), out.emplace_back());
    if (!error.empty()) return std::unexpected(std::move(error));
  }
  return out;
}

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

RequestState parse_request_state(std::string_view word) {
  static constexpr StateWord kWords[] = {
      {"WAITING", RequestState::kWaiting},     {"IN PROGRESS", RequestState::kInProgress},
      {"CANCELLED", RequestState::kCancelled}, {"TIMEOUT", RequestState::kTimeout},
      {"INVALID", RequestState::kInvalid},     {"DONE", RequestState::kDone},
      {"FAILED", RequestState::kFailed},
  };
  for (const auto& [known, state] : kWords) {
    if (known == word) return state;
  }
  return RequestState::kUnknown;
}

WorkerState parse_worker_state(std::string_view word) {
  if (word == "MAINTENANCE") return WorkerState::kMaintenance;
  if (word == "PREPARE") return WorkerState::kPrepare;
  if (word == "IDLE") return WorkerState::kIdle;
  if (word == "RUNNING") return WorkerState::kRunning;
  if (word == "BUSY") return WorkerState::kBusy;
  if (word == "FAILED") return WorkerState::kFailed;
  return WorkerState::kUnknown;
}

Decoded<RequestId> decode_request_id(std::string_view text) {
  const auto value = parse(text);
  if (!value) return std::unexpected(value.error());
  if (!value->is_object()) return std::unexpected("the answer is not a JSON object");
  Reader reader(value->get_object(), "new request");
  RequestId id;
  reader.require("ReqID");
  reader.number("ReqID", id.value);
  if (!reader.error().empty()) return std::unexpected(reader.error());
  return id;
}

Decoded<std::int32_t> decode_current(std::string_view text) {
  const auto value = parse(text);
  if (!value) return std::unexpected(value.error());
  const auto* member = value->is_object() ? value->get_object().if_contains("Milliamperes") : nullptr;
  boost::system::error_code error;
  const auto number = member == nullptr ? 0 : member->to_number<std::int32_t>(error);
  if (member == nullptr || error) return std::unexpected("the answer names no Milliamperes");
  return number;
}

Decoded<RequestInfo> decode_request(std::string_view text) { return decode_one<RequestInfo>(text); }
Decoded<std::vector<RequestInfo>> decode_requests(std::string_view text) { return decode_many<RequestInfo>(text); }
Decoded<WorkerInfo> decode_worker(std::string_view text) { return decode_one<WorkerInfo>(text); }
Decoded<std::vector<WorkerInfo>> decode_workers(std::string_view text) { return decode_many<WorkerInfo>(text); }
Decoded<AccessInfo> decode_access(std::string_view text) { return decode_one<AccessInfo>(text); }
Decoded<ExplanationInfo> decode_explanation(std::string_view text) { return decode_one<ExplanationInfo>(text); }
Decoded<std::vector<GroupInfo>> decode_groups(std::string_view text) { return decode_many<GroupInfo>(text); }
Decoded<Identity> decode_identity(std::string_view text) { return decode_one<Identity>(text); }
Decoded<std::vector<Identity>> decode_identities(std::string_view text) { return decode_many<Identity>(text); }
Decoded<VersionInfo> decode_version(std::string_view text) { return decode_one<VersionInfo>(text); }
Decoded<std::vector<TokenInfo>> decode_tokens(std::string_view text) { return decode_many<TokenInfo>(text); }
Decoded<IssuedToken> decode_issued_token(std::string_view text) { return decode_one<IssuedToken>(text); }
Decoded<EventInfo> decode_event(std::string_view text) { return decode_one<EventInfo>(text); }
Decoded<std::vector<EventInfo>> decode_events(std::string_view text) { return decode_many<EventInfo>(text); }
Decoded<std::vector<UsageInfo>> decode_usage(std::string_view text) { return decode_many<UsageInfo>(text); }

std::string decode_message(std::string_view text) {
  const auto value = parse(text);
  if (!value || !value->is_object()) return {};
  const auto* message = value->get_object().if_contains("message");
  if (message == nullptr || !message->is_string()) return {};
  return std::string(message->get_string());
}

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

std::string encode_member(std::string_view name, std::string_view text) {
  json::object object;
  object[name] = text;
  return json::serialize(object);
}

std::string encode_worker_token(std::string_view name, bool reusable) {
  json::object object;
  object["Role"] = "worker";
  object["Name"] = name;
  if (reusable) object["Reusable"] = true;
  return json::serialize(object);
}

}  // namespace boruta::client

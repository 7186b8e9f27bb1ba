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
  reader.time("LastUsed", out.last_used);
  reader.boolean("Reusable", out.reusable);
  reader.number("MaxWorkers", out.max_workers);
  reader.number("Admitted", out.admitted);
  reader.boolean("InService", out.in_service);
  return reader.error();
}

std::string read(const json::object& object, KeyInfo& out) {
  Reader reader(object, "key");
  reader.require("ID");
  reader.number("ID", out.id);
  reader.text("Name", out.name);
  reader.text("User", out.user);
  reader.text("Type", out.type);
  reader.number("Bits", out.bits);
  reader.text("Fingerprint", out.fingerprint);
  reader.time("Created", out.created);
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
  reader.text("Address", out.address);
  if (const auto* details = reader.object("Data")) {
    // Details are for the server to choose: what is not as expected is not ours to refuse.
    const auto text_of = [details](const char* key, std::string& text) {
      const auto* found = details->if_contains(key);
      if (found != nullptr && found->is_string()) text = std::string(found->get_string());
    };
    text_of("name", out.name);
    text_of("action", out.action);
    const auto* times = details->if_contains("times");
    boost::system::error_code error;
    if (times != nullptr) out.times = times->to_number<std::uint64_t>(error);
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
Decoded<std::vector<KeyInfo>> decode_keys(std::string_view text) { return decode_many<KeyInfo>(text); }
Decoded<KeyInfo> decode_key(std::string_view text) { return decode_one<KeyInfo>(text); }
Decoded<IssuedToken> decode_issued_token(std::string_view text) { return decode_one<IssuedToken>(text); }
Decoded<EventInfo> decode_event(std::string_view text) { return decode_one<EventInfo>(text); }
Decoded<std::vector<EventInfo>> decode_events(std::string_view text) { return decode_many<EventInfo>(text); }
Decoded<std::vector<UsageInfo>> decode_usage(std::string_view text) { return decode_many<UsageInfo>(text); }

Decoded<AuditPage> decode_audit(std::string_view text) {
  const auto value = parse(text);
  if (!value) return std::unexpected(value.error());
  const auto* object = value->if_object();
  const auto* events = object == nullptr ? nullptr : object->if_contains("Events");
  if (events == nullptr || !events->is_array()) return std::unexpected("the answer is not a page of events");
  AuditPage page;
  Reader(*object, "page").number("Next", page.next);
  for (const auto& item : events->get_array()) {
    if (!item.is_object()) return std::unexpected("the answer is not a list of JSON objects");
    auto error = read(item.get_object(), page.events.emplace_back());
    if (!error.empty()) return std::unexpected(std::move(error));
    page.lines.push_back(json::serialize(item));
  }
  return page;
}

std::string decode_message(std::string_view text) {
  const auto value = parse(text);
  if (!value || !value->is_object()) return {};
  const auto* message = value->get_object().if_contains("message");
  if (message == nullptr || !message->is_string()) return {};
  return std::string(message->get_string());
}

}  // namespace boruta::client

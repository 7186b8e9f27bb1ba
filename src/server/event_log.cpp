#include "server/event_log.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <concepts>
#include <string>
#include <string_view>

namespace boruta::server {
namespace {

using runtime::LogField;
using runtime::LogLevel;

template <class Event, class... Kinds>
concept OneOf = (std::same_as<Event, Kinds> || ...);

struct LevelOf {
  template <class Event>
  LogLevel operator()(const Event& /*event*/) const {
    constexpr bool kManyByClients =
        OneOf<Event, farm::RequestCreated, farm::RequestUpdated, farm::RequestsServable, farm::JobProlonged>;
    constexpr bool kStepBetween =
        OneOf<Event, farm::ServerStarted, farm::JobGranted, farm::WorkerConnected, farm::WorkerDisconnected,
              farm::WorkerPrepared, farm::WorkerCleaned, farm::WorkerTold, farm::TokenUsed, farm::JobKeysChanged,
              farm::RequestsForgotten, farm::Checkpoint>;
    return kManyByClients || kStepBetween ? LogLevel::kDebug : LogLevel::kInfo;
  }
  LogLevel operator()(const farm::WorkerLost& /*event*/) const { return LogLevel::kWarning; }
  LogLevel operator()(const farm::WorkerStateChanged& event) const {
    return event.to == farm::WorkerState::kFailed ? LogLevel::kWarning : LogLevel::kInfo;
  }
};

std::string text_of(const Groups& groups) { return fmt::format("{}", fmt::join(groups, ",")); }

/// Gathers what is particular to a kind of event.
class FieldsOf {
 public:
  FieldsOf(const farm::Farm& farm, std::vector<LogField>& fields) : farm_(farm), fields_(fields) {}

  void operator()(const farm::UserCreated& event) {
    add("user", event.name);
    add("role", to_string(event.role));
    add("groups", text_of(event.groups));
  }
  void operator()(const farm::UserGroupsSet& event) {
    add_user(event.id);
    add("groups", text_of(event.groups));
  }
  void operator()(const farm::UserDeleted& event) { add_user(event.id); }
  void operator()(const farm::TokenCreated& event) {
    add_token(event.id);
    add("role", to_string(event.role));
  }
  void operator()(const farm::TokenBound& event) {
    add_token(event.id);
    add("worker", event.worker.to_string());
  }
  void operator()(const farm::TokenRevoked& event) { add_token(event.id); }
  void operator()(const farm::TokenUsed& event) { add_token(event.id); }
  void operator()(const farm::UserKeyAdded& event) {
    add_key(event.id);
    add_user(event.user);
    add("fingerprint", event.fingerprint);
  }
  void operator()(const farm::UserKeyRemoved& event) {
    add_key(event.id);
    const auto key = farm_.user_keys().find(event.id);
    if (key == farm_.user_keys().end()) return;
    add_user(key->second.user);
    add("fingerprint", key->second.fingerprint);
  }
  void operator()(const farm::ActionRefused& event) {
    add("action", event.action);
    add("code", event.code);
    add("reason", event.reason);
    add("times", std::to_string(event.times));
  }
  void operator()(const farm::RequestCreated& event) {
    add_user(event.owner);
    add("priority", std::to_string(event.priority.value));
  }
  void operator()(const farm::RequestUpdated& event) {
    add("priority", std::to_string(event.priority.value));
    add("valid_after", format_rfc3339(event.valid_after));
    add("deadline", format_rfc3339(event.deadline));
  }
  void operator()(const farm::RequestsServable& event) { add("requests", std::to_string(event.ids.size())); }
  void operator()(const farm::RequestEnded& event) {
    add("state", to_string(event.state));
    add("reason", event.reason);
  }
  void operator()(const farm::JobStarted& event) {
    if (const auto request = farm_.find_request(event.id); request != nullptr) add_user(request->owner);
    add("tunnel_port", std::to_string(event.tunnel_port));
  }
  void operator()(const farm::JobTunnelMoved& event) { add("tunnel_port", std::to_string(event.tunnel_port)); }
  void operator()(const farm::WorkerConnected& event) { add("ssh_address", event.ssh_address); }
  void operator()(const farm::WorkerStateChanged& event) {
    add("state", to_string(event.to));
    add("reason", event.reason);
  }
  void operator()(const farm::WorkerNoted& event) { add("text", event.text); }
  void operator()(const farm::WorkerDrainSet& event) {
    add("draining", event.draining ? "true" : "false");
    add("reason", event.reason);
  }
  void operator()(const farm::WorkerGroupsSet& event) { add("groups", text_of(event.groups.value_or(Groups{}))); }
  /// Its kind and what it is about say it all.
  template <class Event>
  void operator()(const Event& /*event*/) {}

 private:
  void add(std::string_view key, std::string_view value) {
    if (!value.empty()) fields_.emplace_back(key, value);
  }
  void add_user(UserId id) {
    if (const auto* user = farm_.find_user(id)) add("user", user->name);
  }
  void add_key(farm::UserKeyId id) { add("key", std::to_string(id.value)); }
  void add_token(TokenId id) {
    add("token", std::to_string(id.value));
    const auto token = farm_.tokens().find(id);
    if (token == farm_.tokens().end()) return;
    add("token_name", token->second.name);
    add_user(token->second.user);
  }

  const farm::Farm& farm_;
  std::vector<LogField>& fields_;
};

}  // namespace

LogLevel log_level_of(const farm::EventBody& body) { return std::visit(LevelOf{}, body); }

std::vector<LogField> log_fields_of(const farm::Event& event, const farm::Farm& farm) {
  std::vector<LogField> fields;
  if (const auto request = farm::request_of(event.body)) fields.emplace_back("request", std::to_string(request->value));
  if (const auto uuid = farm::worker_of(event.body)) {
    fields.emplace_back("worker", uuid->to_string());
    if (const auto* worker = farm.find_worker(*uuid)) fields.emplace_back("name", farm::name_of(*worker));
  }
  std::visit(FieldsOf(farm, fields), event.body);
  fields.emplace_back("actor", event.actor.name);
  if (!event.actor.address.empty()) fields.emplace_back("address", event.actor.address);
  return fields;
}

void EventLog::on_durable(const farm::Events& events, const farm::Touched& /*touched*/) {
  for (const auto& event : events) {
    const auto level = log_level_of(event.body);
    if (!runtime::log_enabled(level)) continue;
    runtime::log(level, farm::kind_of(event.body), log_fields_of(event, coordinator_.engine().farm()));
  }
}

}  // namespace boruta::server

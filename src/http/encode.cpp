#include "http/encode.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "server/history.hpp"
#include "server/public_key.hpp"

namespace boruta::http {
namespace {

void write_optional(JsonWriter& json, std::string_view key, const std::optional<Instant>& time) {
  json.key(key);
  if (time) {
    json.time(*time);
  } else {
    json.null();
  }
}

void write_text(JsonWriter& json, std::string_view key, std::string_view text) {
  json.key(key);
  json.text(text);
}

void write_owner(JsonWriter& json, const farm::User* owner) {
  json.begin_object();
  json.key("Groups");
  if (owner == nullptr || owner->groups.empty()) {
    json.null();
  } else {
    json.texts(owner->groups);
  }
  write_text(json, "Name", owner == nullptr ? std::string_view{} : owner->name);
  json.end_object();
}

/// "192.0.2.1:22", "[2001:db8::1]:22"; empty where there is none.
std::string endpoint_text(const farm::Registration& registration) {
  if (registration.ssh_address.empty()) return {};
  const bool brackets = registration.ssh_address.find(':') != std::string::npos;
  return fmt::format(fmt::runtime(brackets ? "[{}]:{}" : "{}:{}"), registration.ssh_address, registration.ssh_port);
}

/// Everything between the braces that costs no search.
void write_request_fields(JsonWriter& json, const farm::Farm& farm, const farm::Request& request, Now now) {
  json.key("ID");
  json.number(request.id.value);
  json.key("Priority");
  json.number(request.priority.value);
  json.key("Owner");
  write_owner(json, farm.find_user(request.owner));
  json.key("Deadline");
  json.time(request.deadline);
  json.key("ValidAfter");
  json.time(request.valid_after);
  write_text(json, "State", to_string(request.state));
  json.key("Job");
  if (request.job) {
    json.begin_object();
    write_text(json, "WorkerUUID", request.job->worker.to_string());
    json.key("Timeout");
    json.time(wall_timeout(*request.job, now));
    json.end_object();
  } else {
    json.null();
  }
  json.key("Caps");
  json.caps(request.demand->caps);
  json.key("Requirements");
  json.texts(requirement_texts(request.demand->requirements));
  write_text(json, "Reason", request.reason);
  json.key("Created");
  json.time(request.created);
  write_optional(json, "Started", request.job ? std::optional(request.job->started) : std::nullopt);
  write_optional(json, "Ended", is_terminal(request.state) ? std::optional(request.changed) : std::nullopt);
  write_text(json, "Lease", format_duration(request.lease));
}

void write_traffic(JsonWriter& json, const server::JobTraffic& traffic) {
  json.begin_object();
  json.key("BytesToWorker");
  json.number(traffic.bytes_to_worker);
  json.key("BytesToUser");
  json.number(traffic.bytes_to_user);
  json.key("Connections");
  json.number(traffic.connections);
  json.end_object();
}

}  // namespace

WorkerNames::WorkerNames(const farm::Farm& farm) {
  constexpr std::size_t kTailLength = 4;
  std::set<std::string, std::less<>> taken;
  for (const auto& [uuid, worker] : farm.workers()) {
    const auto plain = farm::name_of(worker);
    const auto text = uuid.to_string();
    auto name = plain;
    if (taken.contains(name)) name = fmt::format("{}~{}", plain, text.substr(text.size() - kTailLength));
    if (taken.contains(name)) name = fmt::format("{}~{}", plain, text);
    taken.insert(name);
    names_.emplace(uuid, std::move(name));
  }
}

Instant wall_timeout(const farm::Job& job, Now now) {
  const auto paused = job.paused_since ? now.lease - *job.paused_since : Duration::zero();
  return job.timeout + paused + std::chrono::round<std::chrono::milliseconds>(now.wall - now.lease);
}

void write_request(JsonWriter& json, const farm::Farm& farm, const farm::Request& request, Now now) {
  json.begin_object();
  write_request_fields(json, farm, request, now);
  json.end_object();
}

void write_usage(JsonWriter& json, const farm::Farm& farm, const farm::Request& request, Now now) {
  const bool over = is_terminal(request.state);
  const auto until = over ? request.changed : now.wall;
  json.begin_object();
  json.key("ReqID");
  json.number(request.id.value);
  json.key("Owner");
  write_owner(json, farm.find_user(request.owner));
  write_text(json, "WorkerUUID", request.job->worker.to_string());
  json.key("Started");
  json.time(request.job->started);
  write_optional(json, "Ended", over ? std::optional(until) : std::nullopt);
  json.key("Seconds");
  const auto held = std::chrono::floor<std::chrono::seconds>(until - request.job->started);
  json.number(static_cast<std::uint64_t>(std::max<std::int64_t>(held.count(), 0)));
  write_text(json, "State", to_string(request.state));
  write_text(json, "Reason", request.reason);
  json.end_object();
}

void write_request_in_full(JsonWriter& json, const server::View& view, const farm::Request& request,
                           const std::optional<server::JobTraffic>& traffic) {
  json.begin_object();
  write_request_fields(json, view.farm(), request, view.now());
  if (request.state == farm::RequestState::kWaiting) {
    const auto standing = view.matcher().standing(view.farm(), request.id, view.now());
    json.key("Position");
    json.number(standing.position);
    json.key("Queue");
    json.number(standing.competing);
    json.key("Fits");
    json.number(standing.fits);
    json.key("FitsIdle");
    json.number(standing.fits_idle);
  }
  if (traffic) {
    json.key("Traffic");
    write_traffic(json, *traffic);
  }
  json.end_object();
}

void write_worker(JsonWriter& json, const farm::Worker& worker, std::string_view name,
                  std::optional<server::TunnelWay> way) {
  json.begin_object();
  write_text(json, "WorkerUUID", worker.uuid.to_string());
  write_text(json, "State", to_string(worker.state));
  json.key("Groups");
  if (worker.groups) {
    json.texts(*worker.groups);
  } else {
    json.null();
  }
  json.key("Caps");
  json.caps(worker.registration.caps);
  write_text(json, "Name", name);
  write_text(json, "Reason", farm::reason_of(worker));
  json.key("Since");
  json.time(worker.changed);
  write_text(json, "By", worker.changed_by);
  json.key("Connected");
  json.boolean(worker.connected);
  json.key("Draining");
  json.boolean(worker.draining);
  json.key("Job");
  if (worker.job) {
    json.number(worker.job->value);
  } else {
    json.null();
  }
  write_text(json, "Address", endpoint_text(worker.registration));
  write_text(json, "Tunnel", way ? server::to_string(*way) : std::string_view{});
  json.end_object();
}

void write_access(JsonWriter& json, const server::Access& access, std::string_view address) {
  const auto percent = address.find('%');
  json.begin_object();
  json.key("Addr");
  json.begin_object();
  write_text(json, "IP", address.substr(0, percent));
  json.key("Port");
  json.number(access.tunnel_port);
  write_text(json, "Zone", percent == std::string_view::npos ? std::string_view{} : address.substr(percent + 1));
  json.end_object();
  if (!access.private_key.empty()) write_text(json, "Key", access.private_key.reveal());
  write_text(json, "Username", access.username);
  json.key("HostKeys");
  json.texts(access.host_keys);
  json.end_object();
}

void write_user(JsonWriter& json, const farm::User& user) {
  json.begin_object();
  write_text(json, "Name", user.name);
  write_text(json, "Role", to_string(user.role));
  json.key("Groups");
  json.texts(user.groups);
  json.key("Ceilings");
  write_ceilings(json, user.ceilings);
  json.end_object();
}

void write_ceilings(JsonWriter& json, const farm::Ceilings& ceilings) {
  const auto write = [&json](std::string_view key, const auto& ceiling, const auto& value_of) {
    json.key(key);
    if (ceiling) {
      json.number(value_of(*ceiling));
    } else {
      json.null();
    }
  };
  const auto plain = [](std::uint32_t value) { return std::uint64_t{value}; };
  json.begin_object();
  write("Priority", ceilings.priority, [](farm::Priority priority) { return std::uint64_t{priority.value}; });
  write("Running", ceilings.running, plain);
  write("Waiting", ceilings.waiting, plain);
  json.end_object();
}

void write_token(JsonWriter& json, const farm::Farm& farm, const farm::Token& token) {
  const auto* user = token.role == farm::Role::kWorker ? nullptr : farm.find_user(token.user);
  json.begin_object();
  json.key("ID");
  json.number(token.id.value);
  write_text(json, "Name", token.name);
  write_text(json, "Role", to_string(token.role));
  write_text(json, "User", user == nullptr ? std::string_view{} : user->name);
  json.key("Created");
  json.time(token.created);
  write_optional(json, "Expires", token.expires);
  write_text(json, "Worker", token.bound ? token.bound->to_string() : std::string{});
  json.key("Reusable");
  json.boolean(token.reusable);
  json.key("MaxWorkers");
  if (token.max_workers) {
    json.number(*token.max_workers);
  } else {
    json.null();
  }
  json.key("Admitted");
  json.number(token.workers.size());
  json.key("InService");
  json.boolean(token.in_service);
  write_optional(json, "LastUsed", token.last_used);
  json.end_object();
}

void write_user_key(JsonWriter& json, const farm::Farm& farm, const farm::UserKey& key) {
  const auto parsed = server::parse_public_key(key.public_key);
  const auto* user = farm.find_user(key.user);
  json.begin_object();
  json.key("ID");
  json.number(key.id.value);
  write_text(json, "Name", key.name);
  write_text(json, "User", user == nullptr ? std::string_view{} : user->name);
  write_text(json, "Type", parsed ? parsed->type : std::string_view{});
  json.key("Bits");
  json.number(parsed ? parsed->bits : 0);
  write_text(json, "Fingerprint", key.fingerprint);
  write_text(json, "Key", key.public_key);
  json.key("Created");
  json.time(key.created);
  json.end_object();
}

namespace {

void write_event_fields(JsonWriter& json, const farm::Event& event, Subject about) {
  json.key("Seq");
  json.number(event.seq.value);
  json.key("Time");
  json.time(event.at);
  write_text(json, "Actor", event.actor.name);
  write_text(json, "Type", farm::kind_of(event.body));
  json.key("ReqID");
  const auto request = farm::request_of(event.body);
  if (request) {
    json.number(request->value);
  } else {
    json.null();
  }
  const auto worker = farm::worker_of(event.body);
  write_text(json, "WorkerUUID", worker ? worker->to_string() : std::string{});
  const auto of_request = farm::request_transition_of(event.body);
  const auto of_worker = farm::worker_transition_of(event.body);
  const auto transition =
      (about == Subject::kWorker || !of_request ? of_worker : of_request).value_or(farm::Transition{});
  write_text(json, "From", transition.from);
  write_text(json, "To", transition.to);
  write_text(json, "Reason", farm::reason_of(event.body));
  json.key("Data");
  json.raw(server::details_of(event));
}

}  // namespace

void write_event(JsonWriter& json, const farm::Event& event, Subject about) {
  json.begin_object();
  write_event_fields(json, event, about);
  json.end_object();
}

void write_audited_event(JsonWriter& json, const farm::Event& event) {
  json.begin_object();
  write_event_fields(json, event, Subject::kRequest);
  write_text(json, "Address", event.actor.address);
  json.end_object();
}

}  // namespace boruta::http

#include "cli/views.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "cli/explain_views.hpp"
#include "cli/progress.hpp"
#include "cli/quoting.hpp"
#include "cli/text.hpp"
#include "cli/worker_names.hpp"

namespace boruta::cli {
namespace {

using client::RequestInfo;
using client::RequestState;
using client::WorkerInfo;
using client::WorkerState;

std::string short_time(const std::optional<Instant>& time, Instant now) {
  return time ? cli::short_time(*time, now) : std::string();
}

/// Names that stand for no person.
bool is_person(const WorkerInfo& worker) {
  return !worker.by.empty() && worker.by != "server" && worker.by != "agent" && worker.by != worker.name &&
         worker.by != worker.uuid;
}

/// The server's words for what an admin should look at.
constexpr std::string_view kNew = "new";
constexpr std::string_view kChanged = "its capabilities or ports changed";

/// How its users' connections get to it.
std::string_view tunnel_text(const WorkerInfo& worker) {
  if (worker.tunnel == "agent") return "through its agent";
  return worker.tunnel.empty() ? "not tried yet" : std::string_view(worker.tunnel);
}

/// Why a worker does not serve: "bob: SD card broken", "agent lost".
std::string worker_note(const WorkerInfo& worker) {
  std::vector<std::string> parts;
  const bool out = worker.state == WorkerState::kMaintenance || worker.state == WorkerState::kFailed ||
                   worker.state == WorkerState::kBusy;
  if (awaits_approval(worker)) {
    parts.push_back(worker.reason == kNew ? "waits for approval"
                                          : fmt::format("waits for approval: {}", worker.reason));
  } else if (out && is_person(worker) && !worker.reason.empty()) {
    parts.push_back(fmt::format("{}: {}", worker.by, worker.reason));
  } else if (out && !worker.reason.empty()) {
    parts.push_back(worker.reason);
  } else if (out && is_person(worker)) {
    parts.push_back(fmt::format("by {}", worker.by));
  }
  if (worker.draining) parts.emplace_back("drains");
  const bool said = worker.state == WorkerState::kFailed && !worker.reason.empty();
  if (!worker.connected && !said) parts.emplace_back("not connected");
  return fmt::format("{}", fmt::join(parts, " · "));
}

std::string job_text(const WorkerInfo& worker, const std::map<std::uint64_t, std::string>& owners) {
  if (!worker.job) return {};
  const auto owner = owners.find(worker.job->value);
  if (owner == owners.end() || owner->second.empty()) return std::to_string(worker.job->value);
  return fmt::format("{} {}", worker.job->value, owner->second);
}

std::string cap_of(const WorkerInfo& worker, std::string_view key) {
  const auto found = worker.caps.find(key);
  return found == worker.caps.end() ? std::string() : found->second;
}

std::string name_of(const std::map<std::string, std::string>& names, const std::string& uuid) {
  const auto found = names.find(uuid);
  return found == names.end() ? uuid : found->second;
}

/// Since when it is in its state.
std::optional<Instant> since_of(const RequestInfo& request) {
  if (request.state == RequestState::kWaiting) return request.created;
  if (request.state == RequestState::kInProgress) return request.started;
  return request.ended;
}

std::string request_note(const RequestInfo& request, Instant now) {
  if (request.state == RequestState::kInProgress) {
    return request.job && request.job->timeout ? fmt::format("until {}", cli::short_time(*request.job->timeout, now))
                                               : std::string();
  }
  if (request.state != RequestState::kWaiting) return request.reason;
  WaitStatus status;
  status.position = request.position;
  status.queue = request.queue;
  status.fits = request.fits;
  status.fits_idle = request.fits_idle;
  if (request.valid_after && *request.valid_after > now) status.not_before = cli::short_time(*request.valid_after, now);
  const bool known = status.position || status.fits || !status.not_before.empty();
  return known ? describe_wait(status) : std::string();
}

std::string group_text(const Groups& groups) { return fmt::format("{}", fmt::join(groups, " ")); }

void add_line(std::string& text, std::string_view label, std::string_view value) {
  if (!value.empty()) text += labelled(label, printable(value)) + "\n";
}

}  // namespace

bool awaits_approval(const WorkerInfo& worker) {
  // A change that waited for a job's end came about by whoever ended that.
  const bool waits = worker.reason == kChanged || (worker.reason == kNew && !is_person(worker));
  return worker.state == WorkerState::kMaintenance && waits;
}

Tone tone_of(WorkerState state) {
  switch (state) {
    case WorkerState::kIdle:
      return Tone::kGood;
    case WorkerState::kFailed:
      return Tone::kBad;
    case WorkerState::kMaintenance:
      return Tone::kWarning;
    case WorkerState::kRunning:
      return Tone::kBusy;
    case WorkerState::kPrepare:
    case WorkerState::kBusy:
      return Tone::kFaint;
    case WorkerState::kUnknown:
      return Tone::kPlain;
  }
  return Tone::kPlain;
}

Tone tone_of(RequestState state) {
  switch (state) {
    case RequestState::kInProgress:
      return Tone::kBusy;
    case RequestState::kFailed:
    case RequestState::kInvalid:
      return Tone::kBad;
    case RequestState::kTimeout:
      return Tone::kWarning;
    case RequestState::kDone:
    case RequestState::kCancelled:
      return Tone::kFaint;
    case RequestState::kWaiting:
    case RequestState::kUnknown:
      return Tone::kPlain;
  }
  return Tone::kPlain;
}

Table workers_table(const std::vector<WorkerInfo>& workers, const std::map<std::uint64_t, std::string>& owners,
                    Instant now) {
  const auto names = name_workers(workers);
  std::vector<const WorkerInfo*> sorted;
  sorted.reserve(workers.size());
  for (const auto& worker : workers) sorted.push_back(&worker);
  std::ranges::sort(sorted, {}, [&](const WorkerInfo* worker) { return names.at(worker->uuid); });
  Table table({"NAME", "STATE", "BOARD", "JOB", "SINCE", "GROUPS", ""});
  for (const auto* worker : sorted) {
    table.add({{names.at(worker->uuid)},
               {worker->state_text, tone_of(worker->state)},
               {cap_of(*worker, "board")},
               {job_text(*worker, owners)},
               {short_time(worker->since, now)},
               {group_text(worker->groups)},
               {worker_note(*worker)}});
  }
  return table;
}

std::string describe_worker(std::string_view name, const WorkerInfo& worker,
                            const std::map<std::uint64_t, std::string>& owners, Instant now) {
  std::string text;
  auto state = worker.state_text;
  if (worker.since) state += fmt::format(" since {}", cli::short_time(*worker.since, now));
  if (const auto note = worker_note(worker); !note.empty()) state += fmt::format(" · {}", note);
  add_line(text, "worker", name);
  add_line(text, "state", state);
  add_line(text, "job", job_text(worker, owners));
  add_line(text, "groups", worker.groups.empty() ? "none: serves everyone" : group_text(worker.groups));
  add_line(text, "address", worker.address);
  add_line(text, "tunnel", tunnel_text(worker));
  add_line(text, "UUID", worker.uuid);
  std::string_view label = "capabilities";
  for (const auto& pair : worker.caps) {
    if (pair.first == kUuidCap) continue;
    add_line(text, label, describe_caps({pair}));
    label = "";
  }
  return text;
}

Table requests_table(const std::vector<RequestInfo>& requests, const std::map<std::string, std::string>& names,
                     Instant now) {
  Table table({"ID", "STATE", "OWNER", "PRIO", "WANTS", "WORKER", "SINCE", ""});
  for (const auto& request : requests) {
    table.add({{std::to_string(request.id.value)},
               {request.state_text, tone_of(request.state)},
               {request.owner},
               {std::to_string(request.priority)},
               {describe_demand(request.caps, request.requirements)},
               {request.job ? name_of(names, request.job->worker_uuid) : std::string()},
               {short_time(since_of(request), now)},
               {request_note(request, now)}});
  }
  return table;
}

std::string describe_request(const RequestInfo& request, const std::map<std::string, std::string>& names, Instant now) {
  std::string text;
  auto state = request.state_text;
  if (const auto since = since_of(request)) state += fmt::format(" since {}", cli::short_time(*since, now));
  if (const auto note = request_note(request, now); !note.empty()) state += fmt::format(" · {}", note);
  auto title = fmt::format("{} · priority {}", describe_demand(request.caps, request.requirements), request.priority);
  if (!request.owner.empty()) title += fmt::format(" · {}", request.owner);
  add_line(text, fmt::format("request {}", request.id.value), title);
  add_line(text, "state", state);
  const bool open = !client::is_terminal(request.state);
  if (open && request.state != RequestState::kInProgress) add_line(text, "deadline", short_time(request.deadline, now));
  if (open && !request.reason.empty()) add_line(text, "reason", request.reason);
  if (request.job) add_line(text, "worker", name_of(names, request.job->worker_uuid));
  add_line(text, "filed", short_time(request.created, now));
  add_line(text, "started", short_time(request.started, now));
  if (request.started && request.ended) add_line(text, "ran", format_span(*request.ended - *request.started));
  return text;
}

Table users_table(const std::vector<client::Identity>& users) {
  Table table({"NAME", "ROLE", "GROUPS", "CEILINGS"});
  for (const auto& user : users) {
    table.add({{user.name}, {user.role}, {group_text(user.groups)}, {describe_ceilings(user.ceilings)}});
  }
  return table;
}

Table groups_table(const std::vector<client::GroupInfo>& groups) {
  Table table({"NAME", "USERS", "RUNNING", "WAITING", "CEILINGS"});
  for (const auto& group : groups) {
    table.add({{group.name},
               {fmt::format("{}", fmt::join(group.users, " "))},
               {std::to_string(group.running)},
               {std::to_string(group.waiting)},
               {describe_ceilings(group.ceilings)}});
  }
  return table;
}

std::string describe_ceilings(const client::Ceilings& ceilings) {
  std::vector<std::string> parts;
  if (ceilings.priority) parts.push_back(fmt::format("priority {}", *ceilings.priority));
  if (ceilings.running) parts.push_back(fmt::format("{} running", *ceilings.running));
  if (ceilings.waiting) parts.push_back(fmt::format("{} waiting", *ceilings.waiting));
  return fmt::format("{}", fmt::join(parts, ", "));
}

namespace {

/// Whom a token lets in.
std::string holder_of(const client::TokenInfo& token) {
  if (!token.user.empty() || token.role != "worker") return token.user;
  if (token.max_workers) return fmt::format("{} of {} workers", token.admitted, *token.max_workers);
  return token.reusable ? "any worker" : token.worker;
}

}  // namespace

Table tokens_table(const std::vector<client::TokenInfo>& tokens, Instant now) {
  Table table({"ID", "NAME", "ROLE", "FOR", "CREATED", "EXPIRES", "USED", ""});
  for (const auto& token : tokens) {
    table.add({{std::to_string(token.id)},
               {token.name},
               {token.role},
               {holder_of(token)},
               {short_time(token.created, now)},
               {short_time(token.expires, now)},
               {short_time(token.last_used, now)},
               {token.in_service ? "straight to service" : "", Tone::kWarning}});
  }
  return table;
}

Table keys_table(const std::vector<client::KeyInfo>& keys, Instant now) {
  Table table({"ID", "NAME", "USER", "TYPE", "BITS", "FINGERPRINT", "CREATED"});
  for (const auto& key : keys) {
    table.add({{std::to_string(key.id)},
               {key.name},
               {key.user},
               {key.type},
               {std::to_string(key.bits)},
               {key.fingerprint},
               {short_time(key.created, now)}});
  }
  return table;
}

std::string describe_identity(const client::Identity& identity) {
  auto text = printable(identity.name);
  if (!identity.role.empty()) text += fmt::format(" · {}", printable(identity.role));
  if (!identity.groups.empty()) {
    text +=
        fmt::format(" · {} {}", identity.groups.size() == 1 ? "group" : "groups", printable(join_and(identity.groups)));
  }
  if (const auto ceilings = describe_ceilings(identity.ceilings); !ceilings.empty()) {
    text += fmt::format(" · at most {}", ceilings);
  }
  return text;
}

}  // namespace boruta::cli

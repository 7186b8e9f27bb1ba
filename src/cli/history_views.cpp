#include "cli/history_views.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <functional>
#include <utility>

#include "cli/text.hpp"
#include "cli/views.hpp"
#include "client/api_json.hpp"

namespace boruta::cli {
namespace {

using client::EventInfo;
using client::UsageInfo;

constexpr std::size_t kSubjectColumns = 14;

constexpr auto kChatty = std::to_array<std::string_view>(
    {"requests servable", "job acquired", "job prolonged", "job granted", "job tunnel moved", "job keys changed",
     "token used", "requests forgotten", "checkpoint", "worker change pending", "worker connected",
     "worker disconnected", "worker prepared", "worker cleaned", "worker told", "token bound"});

std::string name_of(const WorkerNames& names, const std::string& uuid) {
  const auto found = names.find(uuid);
  return found == names.end() ? uuid : found->second;
}

bool is_about_worker(const EventInfo& event) { return !event.request && !event.worker_uuid.empty(); }

Tone tone_of_change(const EventInfo& event) {
  if (event.to.empty()) return Tone::kPlain;
  const auto request = client::parse_request_state(event.to);
  const auto worker = client::parse_worker_state(event.to);
  // FAILED is a state of both, and looks the same.
  return request == client::RequestState::kUnknown ? tone_of(worker) : tone_of(request);
}

std::string time_text(const EventInfo& event, Instant now) {
  return event.time ? exact_time(*event.time, now) : std::string();
}

std::string share_text(std::chrono::seconds part, std::chrono::seconds whole) {
  if (whole.count() == 0) return {};
  const auto share = 100.0 * static_cast<double>(part.count()) / static_cast<double>(whole.count());
  return fmt::format("{:.1f} %", share);
}

std::chrono::seconds total_of(const std::vector<UsageInfo>& usage) {
  std::chrono::seconds total{};
  for (const auto& job : usage) total += job.held;
  return total;
}

Table jobs_table(std::vector<UsageInfo> usage, const WorkerNames& names, Instant now) {
  const auto total = total_of(usage);
  std::ranges::sort(usage, [](const UsageInfo& left, const UsageInfo& right) {
    return std::tie(right.held, left.request) < std::tie(left.held, right.request);
  });
  Table table({"REQUEST", "OWNER", "WORKER", "STARTED", "TIME", "SHARE", "STATE", ""});
  for (const auto& job : usage) {
    table.add({{std::to_string(job.request.value)},
               {job.owner},
               {name_of(names, job.worker_uuid)},
               {job.started ? short_time(*job.started, now) : std::string()},
               {format_span(job.held)},
               {share_text(job.held, total)},
               {job.state_text, tone_of(job.state)},
               {job.reason}});
  }
  return table;
}

}  // namespace

bool is_chatty(const EventInfo& event) { return std::ranges::find(kChatty, event.type) != kChatty.end(); }

std::string describe_change(const EventInfo& event) {
  if (event.to.empty()) return event.name.empty() ? event.type : fmt::format("{}: {}", event.type, event.name);
  if (event.from.empty()) return event.to;
  if (event.from == event.to) return fmt::format("{} anew", event.to);
  return fmt::format("{} → {}", event.from, event.to);
}

Table history_table(const std::vector<EventInfo>& events, bool of_worker, const WorkerNames& names, Instant now) {
  Table table({"TIME", "CHANGE", "BY", of_worker ? "REQUEST" : "WORKER", ""});
  for (const auto& event : events) {
    const auto request = event.request ? std::to_string(event.request->value) : std::string();
    const auto worker = event.worker_uuid.empty() ? std::string() : name_of(names, event.worker_uuid);
    table.add({{time_text(event, now)},
               {describe_change(event), tone_of_change(event)},
               {event.actor},
               {of_worker ? request : worker},
               {event.reason}});
  }
  return table;
}

Table audit_table(const std::vector<EventInfo>& events, const WorkerNames& names, Instant now) {
  Table table({"TIME", "WHO", "FROM", "WHAT", "ABOUT", ""});
  for (const auto& event : events) {
    auto what = describe_change(event);
    if (!event.action.empty()) what = fmt::format("refused {}", event.action);
    if (event.times > 1) what += fmt::format(", {} times", event.times);
    auto about = event.name;
    if (event.request) about = fmt::format("request {}", event.request->value);
    if (about.empty() && !event.worker_uuid.empty()) about = name_of(names, event.worker_uuid);
    table.add({{time_text(event, now)},
               {event.actor},
               {event.address},
               {std::move(what), event.action.empty() ? tone_of_change(event) : Tone::kWarning},
               {std::move(about)},
               {event.reason}});
  }
  return table;
}

bool is_refused_agent(const EventInfo& event) { return event.action == "register"; }

void RefusedAgents::add(const EventInfo& event) {
  auto& refused = agents_[{event.actor, event.address, event.reason}];
  refused.last = event;
  refused.times += std::max<std::uint64_t>(event.times, 1);
}

Table RefusedAgents::table(Instant now) const {
  std::vector<const Refused*> sorted;
  sorted.reserve(agents_.size());
  for (const auto& [whose, refused] : agents_) sorted.push_back(&refused);
  std::ranges::sort(sorted, std::greater(), [](const Refused* refused) { return refused->last.seq; });
  Table table({"LAST", "WORKER", "FROM", "TIMES", ""});
  for (const auto* refused : sorted) {
    const auto& last = refused->last;
    table.add({{time_text(last, now)}, {last.actor}, {last.address}, {std::to_string(refused->times)}, {last.reason}});
  }
  return table;
}

std::string event_line(const EventInfo& event, const WorkerNames& names, Instant now, bool colour) {
  const auto worker = event.worker_uuid.empty() ? std::string() : name_of(names, event.worker_uuid);
  std::string subject;
  if (is_about_worker(event)) {
    subject = worker;
  } else if (event.request) {
    subject = fmt::format("request {}", event.request->value);
  }
  auto line = fmt::format("{}  {}{}", time_text(event, now), pad(printable(subject), kSubjectColumns),
                          subject.size() < kSubjectColumns ? "" : " ");
  line += painted(printable(describe_change(event)), tone_of_change(event), colour);
  if (event.request && !worker.empty()) line += fmt::format(" · on {}", printable(worker));
  // The server acts on its own, and a worker on itself: who else did it is worth a word.
  if (!event.actor.empty() && event.actor != "server" && event.actor != worker) {
    line += fmt::format(" · by {}", printable(event.actor));
  }
  if (!event.reason.empty()) line += fmt::format(" · {}", printable(event.reason));
  return line;
}

Table usage_table(const std::vector<UsageInfo>& usage, UsageBy by, const WorkerNames& names, Instant now) {
  if (by == UsageBy::kRequest) return jobs_table(usage, names, now);
  struct Sum {
    std::string name;
    std::uint64_t jobs = 0;
    std::chrono::seconds held{};
  };
  std::map<std::string, Sum> sums;
  for (const auto& job : usage) {
    auto& sum = sums[by == UsageBy::kOwner ? job.owner : job.worker_uuid];
    sum.name = by == UsageBy::kOwner ? job.owner : name_of(names, job.worker_uuid);
    ++sum.jobs;
    sum.held += job.held;
  }
  std::vector<Sum> sorted;
  sorted.reserve(sums.size());
  for (auto& [key, sum] : sums) sorted.push_back(std::move(sum));
  std::ranges::sort(sorted, [](const Sum& left, const Sum& right) {
    return std::tie(right.held, left.name) < std::tie(left.held, right.name);
  });
  const auto total = total_of(usage);
  Table table({by == UsageBy::kOwner ? "OWNER" : "WORKER", "JOBS", "TIME", "SHARE"});
  for (const auto& sum : sorted) {
    table.add({{sum.name}, {std::to_string(sum.jobs)}, {format_span(sum.held)}, {share_text(sum.held, total)}});
  }
  return table;
}

std::string describe_total(const std::vector<UsageInfo>& usage) {
  return fmt::format("{}, {} in all", plural(usage.size(), "job", "jobs"), format_span(total_of(usage)));
}

}  // namespace boruta::cli

#include "server/quarantine.hpp"

#include <fmt/format.h>

#include <string>
#include <utility>

#include "runtime/log.hpp"

namespace boruta::server {
namespace {

Task<void> submit(Coordinator* coordinator, farm::CommandBody body) {
  farm::Command command{.actor = {}, .body = std::move(body)};
  co_await coordinator->submit(std::move(command));
}

/// What makes workers alike.
std::pair<Capabilities, Groups> class_of(const farm::Worker& worker) {
  auto caps = worker.registration.caps;
  caps.erase(std::string(kUuidCap));
  caps.erase(std::string(kNameCap));
  return {std::move(caps), worker.groups.value_or(Groups{})};
}

bool is_quarantined(const farm::Worker& worker) {
  const bool away = worker.state == farm::WorkerState::kBusy || worker.state == farm::WorkerState::kMaintenance;
  return (away && worker.reason.starts_with(kQuarantined)) ||
         (worker.draining && worker.drain_reason.starts_with(kQuarantined));
}

}  // namespace

Quarantine::Quarantine(Coordinator* coordinator, Rules rules)
    : coordinator_(*coordinator), rules_(rules), begun_(coordinator->strand()) {
  if (rules_.owners > 0) coordinator_.add_listener(this);
}

void Quarantine::on_durable(const farm::Events& events, const farm::Touched& /*touched*/) {
  for (const auto& event : events) {
    if (const auto* ended = std::get_if<farm::RequestEnded>(&event.body)) on_ended(*ended, event.actor);
    if (const auto* gone = std::get_if<farm::WorkerDeregistered>(&event.body)) streaks_.erase(gone->uuid);
    const auto* changed = std::get_if<farm::WorkerStateChanged>(&event.body);
    if (changed != nullptr && changed->to == farm::WorkerState::kMaintenance) streaks_.erase(changed->uuid);
  }
}

void Quarantine::on_ended(const farm::RequestEnded& ended, const farm::Actor& actor) {
  const auto& farm = coordinator_.engine().farm();
  const auto request = farm.find_request(ended.id);
  if (ended.from != farm::RequestState::kInProgress || request == nullptr || !request->job) return;
  const auto uuid = request->job->worker;
  if (ended.state != farm::RequestState::kFailed) {
    streaks_.erase(uuid);
    return;
  }
  // An admin who ends a job says nothing of the worker.
  const auto* worker = farm.find_worker(uuid);
  if (actor.kind == farm::Actor::Kind::kAdmin || worker == nullptr) return;
  auto& streak = streaks_[uuid];
  std::erase_if(streak, [&](const auto& entry) { return entry.first == request->owner; });
  streak.emplace_back(request->owner, request->id);
  if (streak.size() >= rules_.owners) judge(*worker, streak);
}

void Quarantine::judge(const farm::Worker& worker, const Streak& streak) {
  std::string jobs;
  for (const auto& [owner, id] : streak) {
    const auto* user = coordinator_.engine().farm().find_user(owner);
    jobs +=
        fmt::format("{}{} ({})", jobs.empty() ? "" : ", ", id.value, user == nullptr ? "a former user" : user->name);
  }
  const auto what = fmt::format("jobs of {} owners failed in a row: {}", streak.size(), jobs);
  if (is_quarantined(worker)) return;
  if (const auto reason = why_not(worker); !reason.empty()) {
    runtime::log_warning("worker not quarantined",
                         {{"worker", worker.uuid.to_string()}, {"reason", fmt::format("{}; {}", what, reason)}});
    begun_.spawn(
        "note of a quarantine",
        submit(&coordinator_, farm::NoteWorker{.uuid = worker.uuid, .text = fmt::format("{}; {}", what, reason)}));
    return;
  }
  // Its agent may be back and a job on it by now: that one may end first.
  farm::SetWorkerState command{.uuid = worker.uuid,
                               .state = farm::WorkerState::kMaintenance,
                               .reason = fmt::format("{}{}", kQuarantined, what),
                               .drain = true};
  begun_.spawn("quarantine", submit(&coordinator_, std::move(command)));
}

std::string Quarantine::why_not(const farm::Worker& worker) const {
  const auto alike = class_of(worker);
  std::size_t all = 0;
  std::size_t away = 0;
  for (const auto& [uuid, other] : coordinator_.engine().farm().workers()) {
    if (class_of(other) != alike) continue;
    ++all;
    if (is_quarantined(other)) ++away;
  }
  constexpr std::size_t kHundred = 100;
  if ((away + 1) * kHundred <= all * rules_.percent) return {};
  return fmt::format("not quarantined, since {} of {} workers like it are already and no more than {} % may be", away,
                     all, rules_.percent);
}

}  // namespace boruta::server

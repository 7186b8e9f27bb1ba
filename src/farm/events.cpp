#include "farm/events.hpp"

#include <array>

namespace boruta::farm {
namespace {

/// In the order of EventBody.
constexpr std::array<std::string_view, std::variant_size_v<EventBody>> kKinds{
    "server started",       "user created",        "user groups set",
    "user deleted",         "token created",       "token bound",
    "token revoked",        "request created",     "request updated",
    "requests servable",    "request ended",       "job started",
    "job acquired",         "job prolonged",       "job granted",
    "job paused",           "job resumed",         "job tunnel moved",
    "worker registered",    "worker changed",      "worker change pending",
    "worker connected",     "worker disconnected", "worker lost",
    "worker state changed", "worker prepared",     "worker cleaned",
    "worker told",          "worker noted",        "worker drain set",
    "worker groups set",    "worker deregistered", "user ceilings set",
    "group ceilings set",   "user key added",      "user key removed",
    "job keys changed",     "token used",          "action refused",
    "requests forgotten",   "checkpoint"};

constexpr std::string_view kNothing;

}  // namespace

std::string_view kind_of(const EventBody& body) { return kKinds.at(body.index()); }

std::span<const std::string_view> kind_names() { return kKinds; }

std::optional<Transition> request_transition_of(const EventBody& body) {
  if (std::holds_alternative<RequestCreated>(body)) {
    return Transition{.from = kNothing, .to = to_string(RequestState::kWaiting)};
  }
  if (std::holds_alternative<JobStarted>(body)) {
    return Transition{.from = to_string(RequestState::kWaiting), .to = to_string(RequestState::kInProgress)};
  }
  if (const auto* ended = std::get_if<RequestEnded>(&body)) {
    return Transition{.from = to_string(ended->from), .to = to_string(ended->state)};
  }
  return std::nullopt;
}

std::optional<Transition> worker_transition_of(const EventBody& body) {
  if (std::holds_alternative<WorkerRegistered>(body)) {
    return Transition{.from = kNothing, .to = to_string(WorkerState::kMaintenance)};
  }
  if (std::holds_alternative<JobStarted>(body)) {
    return Transition{.from = to_string(WorkerState::kIdle), .to = to_string(WorkerState::kRunning)};
  }
  if (const auto* changed = std::get_if<WorkerStateChanged>(&body)) {
    return Transition{.from = to_string(changed->from), .to = to_string(changed->to)};
  }
  return std::nullopt;
}

std::string_view reason_of(const EventBody& body) {
  return std::visit(
      [](const auto& event) -> std::string_view {
        if constexpr (requires { event.reason; }) {
          return event.reason;
        } else if constexpr (requires { event.text; }) {
          return event.text;
        } else {
          return {};
        }
      },
      body);
}

std::optional<RequestId> request_of(const EventBody& body) {
  return std::visit(
      [](const auto& event) -> std::optional<RequestId> {
        if constexpr (requires { RequestId(event.id); }) {
          return event.id;
        } else {
          return std::nullopt;
        }
      },
      body);
}

std::optional<WorkerUuid> worker_of(const EventBody& body) {
  return std::visit(
      [](const auto& event) -> std::optional<WorkerUuid> {
        if constexpr (requires { event.uuid; }) {
          return event.uuid;
        } else if constexpr (requires { event.tunnel_port, event.worker; }) {
          return event.worker;
        } else {
          return std::nullopt;
        }
      },
      body);
}

}  // namespace boruta::farm

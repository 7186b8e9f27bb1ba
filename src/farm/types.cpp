#include "farm/types.hpp"

#include <fmt/format.h>

#include <array>
#include <utility>

namespace boruta::farm {
namespace {

template <class Enum, std::size_t N>
using Names = std::array<std::pair<Enum, std::string_view>, N>;

constexpr Names<RequestState, 7> kRequestStates{{{RequestState::kWaiting, "WAITING"},
                                                 {RequestState::kInProgress, "IN PROGRESS"},
                                                 {RequestState::kCancelled, "CANCELLED"},
                                                 {RequestState::kTimeout, "TIMEOUT"},
                                                 {RequestState::kInvalid, "INVALID"},
                                                 {RequestState::kDone, "DONE"},
                                                 {RequestState::kFailed, "FAILED"}}};

constexpr Names<WorkerState, 6> kWorkerStates{{{WorkerState::kMaintenance, "MAINTENANCE"},
                                               {WorkerState::kPrepare, "PREPARE"},
                                               {WorkerState::kIdle, "IDLE"},
                                               {WorkerState::kRunning, "RUNNING"},
                                               {WorkerState::kBusy, "BUSY"},
                                               {WorkerState::kFailed, "FAILED"}}};

constexpr Names<Role, 3> kRoles{{{Role::kUser, "user"}, {Role::kAdmin, "admin"}, {Role::kWorker, "worker"}}};

/// The tables are in the order of their enumerators.
template <class Enum, std::size_t N>
std::string_view name_in(const Names<Enum, N>& names, Enum value) {
  return names.at(static_cast<std::size_t>(value)).second;
}

template <class Enum, std::size_t N>
std::optional<Enum> value_in(const Names<Enum, N>& names, std::string_view text) {
  for (const auto& [value, name] : names) {
    if (name == text) return value;
  }
  return std::nullopt;
}

}  // namespace

std::string_view to_string(RequestState state) { return name_in(kRequestStates, state); }
std::string_view to_string(WorkerState state) { return name_in(kWorkerStates, state); }
std::string_view to_string(Role role) { return name_in(kRoles, role); }

std::optional<RequestState> parse_request_state(std::string_view text) { return value_in(kRequestStates, text); }
std::optional<WorkerState> parse_worker_state(std::string_view text) { return value_in(kWorkerStates, text); }
std::optional<Role> parse_role(std::string_view text) { return value_in(kRoles, text); }

bool operator==(const Request& left, const Request& right) {
  const auto others = [](const Request& request) {
    return std::tie(request.id, request.owner, request.priority, request.state, request.was_servable,
                    request.valid_after, request.deadline, request.created, request.changed, request.lease,
                    request.claim_within, request.job, request.reason, request.last_event);
  };
  return others(left) == others(right) && *left.demand == *right.demand;
}

std::string name_of(const Worker& worker) {
  const auto& caps = worker.registration.caps;
  if (const auto name = caps.find(kNameCap); name != caps.end() && !name->second.empty()) return name->second;
  constexpr std::size_t kTailLength = 4;
  const auto uuid = worker.uuid.to_string();
  const auto board = caps.find("board");
  return fmt::format("{}-{}", board == caps.end() ? "worker" : board->second, uuid.substr(uuid.size() - kTailLength));
}

std::string reason_of(const Worker& worker) {
  if (!worker.untold) return worker.reason;
  return worker.reason.empty() ? "agent not told" : fmt::format("{} (agent not told)", worker.reason);
}

const Groups& groups_of(const Worker& worker) {
  static const Groups none;
  return worker.groups ? *worker.groups : none;
}

}  // namespace boruta::farm

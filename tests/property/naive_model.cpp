#include "property/naive_model.hpp"

#include <tuple>

#include "match/matcher.hpp"

namespace boruta::property {
namespace {

bool is_free(const farm::Worker& worker) { return worker.state == farm::WorkerState::kIdle && worker.connected; }

bool could_serve(const farm::Farm& farm, const farm::Request& request, const farm::Worker& worker) {
  const auto& offered = worker.registration.caps;
  for (const auto& [key, value] : *request.caps) {
    const auto found = offered.find(key);
    if (found == offered.end() || found->second != value) return false;
  }
  const auto* owner = farm.find_user(request.owner);
  const auto& groups = farm::groups_of(worker);
  if (groups.empty() || owner->role == farm::Role::kAdmin || !farm.policy().access_control) return true;
  for (const auto& group : owner->groups) {
    for (const auto& other : groups) {
      if (group == other) return true;
    }
  }
  return false;
}

auto rank(const farm::Worker& worker) { return std::tuple(match::surplus_of(worker), worker.idle_since, worker.uuid); }

}  // namespace

std::optional<Match> next_match(const farm::Farm& farm, Now now) {
  std::optional<Match> best;
  for (std::uint64_t id = 1; id <= farm.requests().size(); ++id) {
    const auto* request = farm.find_request(RequestId{id});
    if (request->state != farm::RequestState::kWaiting || request->valid_after.at > now.wall) continue;
    const auto* chosen = best ? farm.find_request(best->request) : nullptr;
    if (chosen != nullptr && std::pair(chosen->priority, chosen->id) < std::pair(request->priority, request->id)) {
      continue;
    }
    const farm::Worker* worker = nullptr;
    for (const auto& [uuid, candidate] : farm.workers()) {
      if (!is_free(candidate) || !could_serve(farm, *request, candidate)) continue;
      if (worker == nullptr || rank(candidate) < rank(*worker)) worker = &candidate;
    }
    if (worker != nullptr) best = Match{.request = request->id, .worker = worker->uuid};
  }
  return best;
}

}  // namespace boruta::property

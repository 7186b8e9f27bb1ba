#include "property/naive_model.hpp"

#include <algorithm>
#include <tuple>

namespace boruta::property {
namespace {

bool is_free(const farm::Worker& worker) { return worker.state == farm::WorkerState::kIdle && worker.connected; }

bool could_serve(const farm::Farm& farm, const farm::Request& request, const farm::Worker& worker) {
  const auto& offered = worker.registration.caps;
  for (const auto& [key, value] : request.demand->caps) {
    const auto found = offered.find(key);
    if (found == offered.end() || found->second != value) return false;
  }
  for (const auto& requirement : request.demand->requirements) {
    if (!meets(offered, requirement)) return false;
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

std::size_t count_running(const farm::Farm& farm, const auto& counts) {
  std::size_t running = 0;
  for (const auto id : farm.open_requests()) {
    const auto* request = farm.find_open_request(id);
    if (request->state == farm::RequestState::kInProgress && counts(*farm.find_user(request->owner))) ++running;
  }
  return running;
}

/// Its owner, or a group of its owner, has as many jobs running as it may.
bool is_held(const farm::Farm& farm, const farm::Request& request) {
  const auto* owner = farm.find_user(request.owner);
  const auto& own = owner->ceilings.running;
  if (own && count_running(farm, [&](const farm::User& user) { return user.id == owner->id; }) >= *own) return true;
  for (const auto& [name, group] : farm.limited_groups()) {
    const auto is_in = [&](const farm::User& user) {
      return std::ranges::find(user.groups, name) != user.groups.end();
    };
    if (is_in(*owner) && group.ceilings.running && count_running(farm, is_in) >= *group.ceilings.running) return true;
  }
  return false;
}

bool is_ready(const farm::Request& request, Now now) {
  return request.state == farm::RequestState::kWaiting && request.valid_after.at <= now.wall;
}

auto age(const farm::Request& request) {
  return std::pair(std::max(request.created, request.valid_after.at), request.id);
}

/// It goes before all others: the oldest of its owner that some registered worker could serve, and overdue, while no
/// job that started so is running.
bool is_overdue(const farm::Farm& farm, const farm::Request& request, Now now) {
  const auto after = farm.policy().overdue_after;
  if (after == Duration::zero() || age(request).first + after > now.wall) return false;
  const auto servable = [&](const farm::Request& asked) {
    return std::ranges::any_of(farm.workers(), [&](const auto& item) { return could_serve(farm, asked, item.second); });
  };
  if (!servable(request)) return false;
  for (const auto id : farm.open_requests()) {
    const auto* other = farm.find_open_request(id);
    if (other->owner != request.owner) continue;
    if (other->state == farm::RequestState::kInProgress && other->job->overdue) return false;
    if (is_ready(*other, now) && age(*other) < age(request) && servable(*other)) return false;
  }
  return true;
}

}  // namespace

bool comes_before(const farm::Farm& farm, const farm::Request& left, const farm::Request& right, Now now) {
  const auto rank = [&](const farm::Request& request) {
    const bool overdue = is_overdue(farm, request, now);
    const bool fair = farm.policy().order == farm::QueueOrder::kFair && !overdue;
    return std::tuple(!overdue, overdue ? farm::Priority{0} : request.priority,
                      fair ? farm.loads().use(request.owner, now.wall) : 0.0, request.id);
  };
  return rank(left) < rank(right);
}

match::Standing standing(const farm::Farm& farm, const farm::Request& request, Now now) {
  match::Standing standing{.position = 1, .competing = 1};
  for (const auto& [uuid, worker] : farm.workers()) {
    if (!could_serve(farm, request, worker)) continue;
    ++standing.fits;
    if (is_free(worker)) ++standing.fits_idle;
  }
  for (const auto id : farm.open_requests()) {
    const auto& other = *farm.find_open_request(id);
    if (!is_ready(other, now) || id == request.id) continue;
    const auto serves_both = [&](const auto& item) {
      return could_serve(farm, request, item.second) && could_serve(farm, other, item.second);
    };
    // Those that ask for the same compete, even where there is no worker yet.
    const bool same = other.demand == request.demand && match::needs_of(farm, other.demand, other.owner) ==
                                                            match::needs_of(farm, request.demand, request.owner);
    if (!same && !std::ranges::any_of(farm.workers(), serves_both)) continue;
    ++standing.competing;
    if (comes_before(farm, other, request, now)) ++standing.position;
  }
  return standing;
}

std::optional<Match> next_match(const farm::Farm& farm, Now now) {
  std::optional<Match> best;
  if (std::ranges::none_of(farm.workers(), [](const auto& item) { return is_free(item.second); })) return best;
  for (const auto id : farm.open_requests()) {
    const auto* request = farm.find_open_request(id);
    if (!is_ready(*request, now) || is_held(farm, *request)) continue;
    const auto* chosen = best ? farm.find_open_request(best->request) : nullptr;
    if (chosen != nullptr && comes_before(farm, *chosen, *request, now)) continue;
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

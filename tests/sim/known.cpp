#include "sim/known.hpp"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <functional>

namespace boruta::sim {
namespace {

using Seconds = std::chrono::duration<double>;

}  // namespace

void Known::begin(const farm::Rows& durable) {
  *this = Known(policy_);
  for (const auto& user : durable.users) users.emplace(user.id, user);
  for (const auto& group : durable.groups) groups.emplace(group.name, group.ceilings);
  for (const auto& token : durable.tokens) tokens.emplace(token.id, token);
  for (const auto& key : durable.user_keys) keys.emplace(key.id, key.user);
  for (const auto& worker : durable.workers) workers.emplace(worker.uuid, worker);
  for (const auto& request : durable.requests) {
    if (!farm::is_terminal(request.state)) {
      open.emplace(request.id, request);
      if (request.job) last_served[request.job->worker] = request.owner;
    } else if (request.job) {
      add_past(request.owner, request.job->started, request.changed);
    }
  }
}

void Known::follow(const farm::Event& event) {
  follow_request(event);
  follow_worker(event);
  follow_user(event);
}

void Known::follow_request(const farm::Event& event) {
  if (const auto* created = std::get_if<farm::RequestCreated>(&event.body)) {
    open.emplace(created->id, farm::Request{.id = created->id,
                                            .owner = created->owner,
                                            .priority = created->priority,
                                            .demand = std::make_shared<const Demand>(
                                                Demand{.caps = created->caps, .requirements = created->requirements}),
                                            .valid_after = created->valid_after,
                                            .deadline = created->deadline,
                                            .job = std::nullopt,
                                            .reason = {}});
  } else if (const auto* updated = std::get_if<farm::RequestUpdated>(&event.body)) {
    open.at(updated->id).priority = updated->priority;
  } else if (const auto* ended = std::get_if<farm::RequestEnded>(&event.body)) {
    const auto& request = open.at(ended->id);
    if (request.job) add_past(request.owner, request.job->started, event.at);
    open.erase(ended->id);
  } else if (const auto* started = std::get_if<farm::JobStarted>(&event.body)) {
    auto& request = open.at(started->id);
    last_served[started->worker] = request.owner;
    request.job = farm::Job{.worker = started->worker,
                            .started = event.at,
                            .timeout = started->timeout,
                            .timeout_max = started->timeout_max,
                            .claim_by = std::nullopt,
                            .paused_since = std::nullopt,
                            .own_keys = started->own_keys};
  } else if (const auto* resumed = std::get_if<farm::JobResumed>(&event.body)) {
    open.at(resumed->id).job->timeout_max = resumed->timeout_max;
  }
}

void Known::follow_worker(const farm::Event& event) {
  if (const auto* registered = std::get_if<farm::WorkerRegistered>(&event.body)) {
    workers.emplace(registered->uuid, farm::Worker{.uuid = registered->uuid, .registration = registered->registration});
  } else if (const auto* connected = std::get_if<farm::WorkerConnected>(&event.body)) {
    workers.at(connected->uuid).connected = true;
  } else if (const auto* disconnected = std::get_if<farm::WorkerDisconnected>(&event.body)) {
    workers.at(disconnected->uuid).connected = false;
  } else if (const auto* restricted = std::get_if<farm::WorkerGroupsSet>(&event.body)) {
    workers.at(restricted->uuid).groups = restricted->groups;
  } else if (const auto* left = std::get_if<farm::WorkerDeregistered>(&event.body)) {
    workers.erase(left->uuid);
  } else if (std::holds_alternative<farm::ServerStarted>(event.body)) {
    for (auto& [uuid, worker] : workers) worker.connected = false;
  }
}

void Known::follow_user(const farm::Event& event) {
  if (const auto* created = std::get_if<farm::UserCreated>(&event.body)) {
    users.emplace(created->id, farm::User{.id = created->id,
                                          .name = created->name,
                                          .role = created->role,
                                          .groups = created->groups,
                                          .ceilings = {}});
  } else if (const auto* grouped = std::get_if<farm::UserGroupsSet>(&event.body)) {
    users.at(grouped->id).groups = grouped->groups;
  } else if (const auto* limited = std::get_if<farm::UserCeilingsSet>(&event.body)) {
    users.at(limited->id).ceilings = limited->ceilings;
  } else if (const auto* together = std::get_if<farm::GroupCeilingsSet>(&event.body)) {
    groups[together->group] = together->ceilings;
  } else if (const auto* deleted = std::get_if<farm::UserDeleted>(&event.body)) {
    users.at(deleted->id).deleted = true;
    for (auto& [id, token] : tokens) {
      if (token.role != farm::Role::kWorker && token.user == deleted->id) token.revoked = true;
    }
  } else if (const auto* given = std::get_if<farm::TokenCreated>(&event.body)) {
    tokens.emplace(given->id, farm::Token{.id = given->id,
                                          .hash = given->hash,
                                          .name = given->name,
                                          .role = given->role,
                                          .user = given->user,
                                          .expires = given->expires,
                                          .bound = std::nullopt,
                                          .max_workers = std::nullopt,
                                          .workers = {},
                                          .last_used = std::nullopt});
  } else if (const auto* revoked = std::get_if<farm::TokenRevoked>(&event.body)) {
    tokens.at(revoked->id).revoked = true;
  } else if (const auto* key = std::get_if<farm::UserKeyAdded>(&event.body)) {
    keys.emplace(key->id, key->user);
  }
}

const farm::Token* Known::find_token(std::string_view hash) const {
  const auto found = std::ranges::find_if(tokens, [&](const auto& item) { return item.second.hash == hash; });
  return found == tokens.end() ? nullptr : &found->second;
}

bool Known::admits(const farm::Worker& worker, UserId user) const {
  const auto& owner = users.at(user);
  if (!policy_.access_control || owner.role == farm::Role::kAdmin || farm::groups_of(worker).empty()) return true;
  return std::ranges::any_of(owner.groups, [&](const auto& group) {
    return std::ranges::find(farm::groups_of(worker), group) != farm::groups_of(worker).end();
  });
}

template <class Visit>
void Known::for_each_ceilings(UserId user, Visit visit) const {
  const auto& owner = users.at(user);
  visit(owner.ceilings, [user](const farm::User& other) { return other.id == user; });
  for (const auto& name : owner.groups) {
    const auto group = groups.find(name);
    if (group == groups.end()) continue;
    visit(group->second,
          [&name](const farm::User& other) { return std::ranges::find(other.groups, name) != other.groups.end(); });
  }
}

std::optional<int> Known::beyond(std::optional<std::uint32_t> farm::Ceilings::* ceiling, UserId user) const {
  std::optional<int> most;
  for_each_ceilings(user, [&](const farm::Ceilings& ceilings, auto counts) {
    const auto& limit = ceilings.*ceiling;
    if (!limit) return;
    const auto there = count(ceiling == &farm::Ceilings::running, counts);
    const auto beyond = static_cast<int>(there) - static_cast<int>(*limit);
    most = std::max(most.value_or(beyond), beyond);
  });
  return most;
}

farm::Priority Known::priority_ceiling(UserId user) const {
  farm::Priority ceiling{0};
  for_each_ceilings(user, [&](const farm::Ceilings& ceilings, const auto& /*counts*/) {
    if (ceilings.priority) ceiling = std::max(ceiling, *ceilings.priority);
  });
  return ceiling;
}

double Known::decayed(const Past& past, Instant now) const {
  return past.seconds == 0 ? 0 : past.seconds * std::exp2(-Seconds(now - past.at) / Seconds(policy_.half_life));
}

void Known::add_past(UserId user, Instant started, Instant ended) {
  auto& past = past_[user];
  past.seconds = decayed(past, ended) + Seconds(std::max(ended - started, Duration::zero())).count();
  past.at = ended;
}

double Known::use(UserId user, Instant now) const {
  const auto past = past_.find(user);
  double seconds = past == past_.end() ? 0 : decayed(past->second, now);
  for (const auto& [id, request] : open) {
    if (request.owner == user && request.job) seconds += Seconds(now - request.job->started).count();
  }
  return seconds;
}

}  // namespace boruta::sim

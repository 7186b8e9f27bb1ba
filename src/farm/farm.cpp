#include "farm/farm.hpp"

#include <algorithm>
#include <iterator>
#include <utility>

#include "base/assert.hpp"

namespace boruta::farm {
namespace {

template <class Key>
std::optional<Key> first_of(const std::set<Key>& set) {
  if (set.empty()) return std::nullopt;
  return *set.begin();
}

template <class Map, class Key>
const typename Map::mapped_type* find_in(const Map& map, const Key& key) {
  const auto found = map.find(key);
  return found == map.end() ? nullptr : &found->second;
}

}  // namespace

Instant end_of(const Job& job, const Policy& policy) {
  if (job.paused_since) return *job.paused_since + std::max(policy.lost_grace - job.pause_used, Duration::zero());
  return job.claim_by ? std::min(job.timeout, *job.claim_by) : job.timeout;
}

Farm::Farm(Policy policy, const Rows& rows) : Farm(policy) {
  last_event_ = rows.last_event;
  forgotten_until_ = rows.forgotten_until;
  for (const auto& user : rows.users) {
    users_.emplace(user.id, user);
    if (!user.deleted) users_by_name_.emplace(user.name, user.id);
  }
  for (const auto& group : rows.groups) groups_.emplace(group.name, group);
  for (const auto& token : rows.tokens) {
    tokens_.emplace(token.id, token);
    tokens_by_hash_.emplace(token.hash, token.id);
  }
  // Rows that ask for the same share it mostly, and comparing it is what would take the time.
  std::unordered_map<const Demand*, SharedDemand> interned;
  for (auto request : rows.requests) {
    auto& demand = interned[request.demand.get()];
    if (!demand) demand = intern(*request.demand);
    request.demand = demand;
    index(request);
    if (is_terminal(request.state)) {
      if (request.job) loads_.finish(request.owner, request.job->started, request.changed);
    } else {
      open_requests_.insert(open_requests_.end(), request.id);
    }
    requests_.append(std::move(request));
  }
  requests_.skip_to(rows.last_request);
  for (const auto& key : rows.user_keys) {
    user_keys_.emplace(key.id, key);
    if (!key.removed) keys_by_user_[key.user].insert(key.id);
  }
  for (const auto& creation : rows.creations) add_creation(creation);
  for (const auto& worker : rows.workers) move_timeout(worker.uuid, {}, timeout_of(add_worker(worker)));
}

std::optional<Instant> timeout_of(const Worker& worker) { return earlier(worker.respond_by, worker.lost_at); }

const Worker* Farm::find_worker(WorkerUuid uuid) const {
  const auto found = workers_by_uuid_.find(uuid);
  return found == workers_by_uuid_.end() ? nullptr : found->second;
}

Worker* Farm::find_worker(WorkerUuid uuid) { return const_cast<Worker*>(std::as_const(*this).find_worker(uuid)); }

Worker& Farm::add_worker(Worker worker) {
  const auto uuid = worker.uuid;
  auto& added = workers_.emplace(uuid, std::move(worker)).first->second;
  workers_by_uuid_.emplace(uuid, &added);
  return added;
}

void Farm::remove_worker(WorkerUuid uuid) {
  workers_by_uuid_.erase(uuid);
  workers_.erase(uuid);
}

const User* Farm::find_user(UserId id) const { return find_in(users_, id); }

const User* Farm::find_user(std::string_view name) const {
  const auto* id = find_in(users_by_name_, name);
  return id == nullptr ? nullptr : find_user(*id);
}

const Token* Farm::find_token(std::string_view hash) const {
  const auto* id = find_in(tokens_by_hash_, hash);
  return id == nullptr ? nullptr : find_in(tokens_, *id);
}

std::vector<const UserKey*> Farm::keys_of(UserId user) const {
  std::vector<const UserKey*> keys;
  if (const auto* ids = find_in(keys_by_user_, user)) {
    for (const auto id : *ids) keys.push_back(&user_keys_.at(id));
  }
  return keys;
}

const Creation* Farm::find_creation(UserId owner, std::string_view key) const {
  const auto* id = find_in(creations_by_key_, std::pair(owner, std::string(key)));
  return id == nullptr ? nullptr : find_in(creations_, *id);
}

void Farm::add_creation(Creation creation) {
  creations_by_key_.insert_or_assign(std::pair(creation.owner, creation.key), creation.request);
  creations_.emplace(creation.request, std::move(creation));
}

void Farm::remove_creation(std::map<RequestId, Creation>::iterator creation) {
  const auto by_key = creations_by_key_.find(std::pair(creation->second.owner, creation->second.key));
  // A key that came again after its time belongs to the later request.
  if (by_key != creations_by_key_.end() && by_key->second == creation->first) creations_by_key_.erase(by_key);
  creations_.erase(creation);
}

UserId Farm::next_user_id() const { return UserId{users_.empty() ? 1 : users_.rbegin()->first.value + 1}; }

TokenId Farm::next_token_id() const { return TokenId{tokens_.empty() ? 1 : tokens_.rbegin()->first.value + 1}; }

UserKeyId Farm::next_user_key_id() const {
  return UserKeyId{user_keys_.empty() ? 1 : user_keys_.rbegin()->first.value + 1};
}

NextDeadline Farm::next_deadline() const {
  const auto instant = [](const auto& item) { return item ? std::optional(item->first) : std::nullopt; };
  return NextDeadline{.wall = instant(earliest_deadline()),
                      .lease = earlier(instant(earliest_job_end()), instant(earliest_agent_timeout()))};
}

std::optional<std::pair<Instant, RequestId>> Farm::earliest_deadline() const { return first_of(deadlines_); }
std::optional<std::pair<Instant, RequestId>> Farm::earliest_job_end() const { return first_of(job_ends_); }
std::optional<std::pair<Instant, WorkerUuid>> Farm::earliest_agent_timeout() const { return first_of(agent_timeouts_); }

std::optional<std::uint16_t> Farm::free_tunnel_port() const {
  const auto from = used_ports_.begin() + static_cast<std::ptrdiff_t>(next_port_);
  auto free = std::find(from, used_ports_.end(), false);
  if (free == used_ports_.end()) {
    free = std::find(used_ports_.begin(), from, false);
    if (free == from) return std::nullopt;
  }
  return static_cast<std::uint16_t>(policy_.first_tunnel_port + (free - used_ports_.begin()));
}

Rows Farm::rows() const {
  Rows rows{.last_event = last_event_, .last_request = requests_.last_id(), .forgotten_until = forgotten_until_};
  const auto values = [](const auto& map, auto& out) {
    for (const auto& [key, value] : map) out.push_back(value);
  };
  values(users_, rows.users);
  values(groups_, rows.groups);
  values(tokens_, rows.tokens);
  values(workers_, rows.workers);
  values(creations_, rows.creations);
  values(user_keys_, rows.user_keys);
  rows.requests.reserve(requests_.size());
  const auto& columns = requests_.columns();
  for (auto id = columns.first_from({1}); id; id = columns.first_from({id->value + 1})) {
    const auto request = requests_.find(*id);
    rows.requests.push_back(*request);
  }
  return rows;
}

void Farm::index(const Request& request) {
  if (is_terminal(request.state)) return;
  if (request.state == RequestState::kWaiting) {
    deadlines_.emplace_hint(deadlines_.end(), request.deadline.at, request.id);
    loads_.add_waiting(request.owner, 1);
  } else {
    job_ends_.emplace_hint(job_ends_.end(), end_of(*request.job, policy_), request.id);
    loads_.add_running(request.owner, request.job->started, 1);
    mark_port(request, true);
  }
}

void Farm::unindex(const Request& request) {
  if (is_terminal(request.state)) return;
  if (request.state == RequestState::kWaiting) {
    deadlines_.erase({request.deadline.at, request.id});
    loads_.add_waiting(request.owner, -1);
  } else {
    job_ends_.erase({end_of(*request.job, policy_), request.id});
    loads_.add_running(request.owner, request.job->started, -1);
    mark_port(request, false);
  }
}

void Farm::move_timeout(WorkerUuid uuid, std::optional<Instant> from, std::optional<Instant> to) {
  if (from == to) return;
  if (from) agent_timeouts_.erase({*from, uuid});
  if (to) agent_timeouts_.emplace(*to, uuid);
}

void Farm::mark_port(const Request& request, bool used) {
  const auto port = request.job->tunnel_port;
  // A job from before the range was changed keeps its port until it ends.
  if (port < policy_.first_tunnel_port || port > policy_.last_tunnel_port) return;
  used_ports_[std::size_t{port} - policy_.first_tunnel_port] = used;
}

void Farm::pass_port(std::uint16_t port) {
  if (port < policy_.first_tunnel_port || port > policy_.last_tunnel_port) return;
  next_port_ = (std::size_t{port} - policy_.first_tunnel_port + 1) % used_ports_.size();
}

SharedDemand Farm::intern(const Demand& demand) {
  if (const auto found = interned_.find(demand); found != interned_.end()) return *found;
  if (interned_.size() >= interned_swept_at_) {
    std::erase_if(interned_, [](const auto& kept) { return kept.use_count() == 1; });
    interned_swept_at_ = std::max<std::size_t>(1'024, interned_.size() * 2);
  }
  return *interned_.insert(std::make_shared<const Demand>(demand)).first;
}

}  // namespace boruta::farm

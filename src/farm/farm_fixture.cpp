#include "farm/farm_fixture.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>

#include "farm/ceilings.hpp"
#include "farm/invariants.hpp"

namespace boruta::farm {
namespace {

constexpr auto kIdle = WorkerState::kIdle;
constexpr auto kMaintenance = WorkerState::kMaintenance;

WorkerUuid numbered_uuid(std::size_t number) {
  return *WorkerUuid::parse(fmt::format("fa4e0000-0000-4000-8000-{:012x}", number));
}

void run_job(FarmFixture& farm) {
  farm.make_idle("w");
  farm.create("alice");
  farm.grant_ok("w");
  farm.acquire("alice", RequestId{1});
}

void change_pending(FarmFixture& farm) {
  run_job(farm);
  farm.agent("w").caps["board"] = "new";
  farm.reconnect("w");
}

void go_busy(FarmFixture& farm) {
  farm.register_worker("w");
  farm.set_state("w", kMaintenance, "repairs");
}

struct Situation {
  std::string name;
  std::function<void(FarmFixture&)> bring;
};

/// Every state, with what may be special about it. "away": disconnected and not lost yet.
const std::vector<Situation>& all_situations() {
  static const std::vector<Situation> all{
      {"MAINTENANCE", [](FarmFixture& farm) { farm.register_worker("w"); }},
      {"MAINTENANCE lost", [](FarmFixture& farm) { farm.register_worker("w"), farm.lose("w"); }},
      {"MAINTENANCE untold", [](FarmFixture& farm) { go_busy(farm), farm.lose("w"); }},
      {"PREPARE", [](FarmFixture& farm) { farm.register_worker("w"), farm.set_state("w", kIdle); }},
      {"PREPARE away",
       [](FarmFixture& farm) { farm.register_worker("w"), farm.set_state("w", kIdle), farm.disconnect("w"); }},
      {"PREPARE dirty", [](FarmFixture& farm) { run_job(farm), farm.close("alice", RequestId{1}); }},
      {"IDLE", [](FarmFixture& farm) { farm.make_idle("w"); }},
      {"IDLE away", [](FarmFixture& farm) { farm.make_idle("w"), farm.disconnect("w"); }},
      {"RUNNING", run_job},
      {"RUNNING ungranted", [](FarmFixture& farm) { farm.make_idle("w"), farm.create("alice"); }},
      {"RUNNING away", [](FarmFixture& farm) { run_job(farm), farm.disconnect("w"); }},
      {"RUNNING lost", [](FarmFixture& farm) { run_job(farm), farm.lose("w"); }},
      {"RUNNING draining",
       [](FarmFixture& farm) { run_job(farm), farm.set_state("w", kMaintenance, "repairs", true); }},
      {"RUNNING pending", change_pending},
      {"BUSY", go_busy},
      {"BUSY away", [](FarmFixture& farm) { go_busy(farm), farm.disconnect("w"); }},
      {"BUSY dirty", [](FarmFixture& farm) { run_job(farm), farm.set_state("w", kMaintenance, "repairs"); }},
      {"FAILED", [](FarmFixture& farm) { farm.make_idle("w"), farm.set_fail("w", "hot"); }},
      {"FAILED lost", [](FarmFixture& farm) { farm.make_idle("w"), farm.lose("w"); }},
      {"FAILED dirty", [](FarmFixture& farm) { run_job(farm), farm.set_fail("w", "hot"); }},
      {"FAILED lost dirty",
       [](FarmFixture& farm) { run_job(farm), farm.lose("w"), farm.advance(farm.farm().policy().lost_grace); }}};
  return all;
}

template <class Row, class Key>
std::vector<Key> changed_rows(const std::vector<Row>& before, const std::vector<Row>& after, Key Row::* key) {
  std::map<Key, const Row*> rows;
  for (const auto& row : before) rows.emplace(row.*key, &row);
  std::vector<Key> changed;
  for (const auto& row : after) {
    const auto old = rows.find(row.*key);
    if (old == rows.end() || !(*old->second == row)) changed.push_back(row.*key);
    if (old != rows.end()) rows.erase(old);
  }
  for (const auto& [gone, row] : rows) changed.push_back(gone);
  return changed;
}

template <class Key>
void expect_includes(std::vector<Key> touched, std::vector<Key> changed, std::string_view table) {
  EXPECT_TRUE(std::ranges::is_sorted(touched)) << table;
  EXPECT_EQ(std::ranges::adjacent_find(touched), touched.end()) << table;
  std::ranges::sort(changed);
  EXPECT_TRUE(std::ranges::includes(touched, changed)) << "a changed row of " << table << " is not among the touched";
}

}  // namespace

FarmFixture::FarmFixture(Policy policy) : policy_(policy) {
  now_.wall = parse_rfc3339("2026-01-01T12:00:00Z").time->at;
  now_.lease = now_.wall;
  engine_.emplace(policy_, Rows{}, now_);
  EXPECT_EQ(act("server", StartServer{}), "");
  EXPECT_EQ(act("server", CreateUser{.name = "root", .role = Role::kAdmin, .groups = {}, .token_hash = {}}), "");
  EXPECT_EQ(act("root", CreateUser{.name = "alice", .groups = {}, .token_hash = {}}), "");
  EXPECT_EQ(act("root", CreateUser{.name = "bob", .groups = {}, .token_hash = {}}), "");
}

FarmFixture::~FarmFixture() {
  Farm replayed(policy_);
  for (const auto& event : events_) {
    Touched touched;
    apply_event(replayed, event, touched);
  }
  EXPECT_TRUE(replayed.rows() == farm().rows()) << "replaying the events gives another farm";
}

void FarmFixture::advance(Duration by) {
  const auto target = now_.lease + by;
  while (true) {
    const auto next = engine_->next_deadline();
    auto step = target - now_.lease;
    if (next.lease) step = std::min(step, *next.lease - now_.lease);
    if (next.wall) step = std::min(step, *next.wall - now_.wall);
    if (step <= Duration::zero() && now_.lease < target) {
      ADD_FAILURE() << "something that is due stays due";
      return;
    }
    jump(step);
    if (now_.lease == target) return;
  }
}

void FarmFixture::jump(Duration by) {
  now_.wall += by;
  now_.lease += by;
  tick();
}

void FarmFixture::set_wall_forward(Duration by) {
  now_.wall += by;
  tick();
}

void FarmFixture::restart(Duration down) {
  const auto rows = farm().rows();
  now_.wall += down;
  now_.lease = now_.wall;
  engine_.emplace(policy_, rows, now_);
  EXPECT_EQ(act("server", StartServer{}), "");
}

void FarmFixture::tick() { absorb(engine_->tick(now_)); }

std::string FarmFixture::act(std::string_view name, CommandBody body) {
  const auto step = engine_->execute(Command{.actor = actor(name), .body = std::move(body)}, now_);
  absorb(step);
  return step.outcome ? std::string() : message_of(step.outcome.error());
}

void FarmFixture::absorb(const match::Step& step) {
  last_ = step.events;
  events_.insert(events_.end(), step.events.begin(), step.events.end());
  check(step);
}

std::string FarmFixture::last_events() const {
  std::string text;
  for (const auto& event : last_) text += fmt::format("{}{}", text.empty() ? "" : ", ", kind_of(event.body));
  return text;
}

void FarmFixture::check(const match::Step& step) {
  SCOPED_TRACE(fmt::format("after: {}", last_events()));
  for (const auto& violation : check_invariants(farm())) ADD_FAILURE() << violation;
  auto rows = farm().rows();
  EXPECT_TRUE(Farm(policy_, rows).rows() == rows) << "loading the rows gives another farm";
  check_touched(step.touched, rows);
  check_generations(step.events);
  check_matched();
  const auto next = engine_->next_deadline();
  EXPECT_TRUE(!next.wall || *next.wall > now_.wall) << "something is due still (wall)";
  EXPECT_TRUE(!next.lease || *next.lease > now_.lease) << "something is due still (lease clock)";
  before_ = std::move(rows);
}

void FarmFixture::check_touched(const Touched& touched, const Rows& after) {
  expect_includes(touched.users, changed_rows(before_.users, after.users, &User::id), "users");
  expect_includes(touched.tokens, changed_rows(before_.tokens, after.tokens, &Token::id), "tokens");
  expect_includes(touched.requests, changed_rows(before_.requests, after.requests, &Request::id), "requests");
  expect_includes(touched.workers, changed_rows(before_.workers, after.workers, &Worker::uuid), "workers");
  expect_includes(touched.creations, changed_rows(before_.creations, after.creations, &Creation::request), "creations");
}

/// The matcher left nothing undone, and an index built anew looks like the one that followed the farm.
void FarmFixture::check_matched() {
  if (farm().free_tunnel_port()) {
    for (const auto id : farm().open_requests()) {
      const auto waiting = request(id);
      if (waiting.state != RequestState::kWaiting || waiting.valid_after.at > now_.wall) continue;
      if (reached_running_ceiling(farm(), waiting.owner)) continue;
      const auto needs = match::needs_of(farm(), waiting.demand, waiting.owner);
      for (const auto& [uuid, worker] : farm().workers()) {
        const bool free = worker.state == WorkerState::kIdle && worker.connected;
        EXPECT_FALSE(free && match::fits(needs, worker)) << "request " << id.value << " waits beside a free worker";
      }
    }
  }
  const match::Matcher anew(farm(), now_);
  EXPECT_EQ(matcher().signature_count(), anew.signature_count());
  EXPECT_EQ(matcher().class_count(), anew.class_count());
}

void FarmFixture::check_generations(const Events& events) {
  for (const auto& event : events) {
    if (const auto* changed = std::get_if<WorkerStateChanged>(&event.body)) {
      EXPECT_GT(changed->generation, generations_[changed->uuid]);
      generations_[changed->uuid] = changed->generation;
    } else if (const auto* started = std::get_if<JobStarted>(&event.body)) {
      EXPECT_GT(started->generation, generations_[started->worker]);
      generations_[started->worker] = started->generation;
    } else if (const auto* connected = std::get_if<WorkerConnected>(&event.body)) {
      EXPECT_GE(connected->generation, generations_[connected->uuid]);
      generations_[connected->uuid] = connected->generation;
    } else if (const auto* gone = std::get_if<WorkerDeregistered>(&event.body)) {
      generations_.erase(gone->uuid);
    }
  }
}

Actor FarmFixture::actor(std::string_view name) const {
  if (name == "server") return Actor{};
  if (const auto agent = agents_.find(std::string(name)); agent != agents_.end()) {
    return Actor{.kind = Actor::Kind::kAgent, .user = {}, .worker = agent->second.uuid, .name = std::string(name)};
  }
  const auto* user = farm().find_user(name);
  if (user == nullptr) return Actor{.kind = Actor::Kind::kUser, .user = UserId{999}, .name = std::string(name)};
  return Actor{.kind = user->role == Role::kAdmin ? Actor::Kind::kAdmin : Actor::Kind::kUser,
               .user = user->id,
               .worker = {},
               .name = user->name};
}

RegisterWorker FarmFixture::hello(const AgentMemory& memory) const {
  auto caps = memory.caps;
  caps.emplace(kUuidCap, memory.uuid.to_string());
  return RegisterWorker{.registration = Registration{.caps = std::move(caps),
                                                     .ssh_address = memory.address,
                                                     .ssh_port = memory.ssh_port,
                                                     .host_keys = memory.host_keys},
                        .instance = memory.instance,
                        .generation = memory.generation,
                        .prepared = memory.prepared,
                        .job = memory.job,
                        .token = memory.token};
}

std::string FarmFixture::register_worker(const std::string& name, Capabilities caps) {
  auto& memory = agents_[name];
  if (memory.instance.empty()) {
    memory.uuid = numbered_uuid(agents_.size());
    memory.instance = "instance of " + name;
  }
  memory.caps = std::move(caps);
  return reconnect(name);
}

std::string FarmFixture::reconnect(const std::string& name) { return act(name, hello(agents_.at(name))); }

void FarmFixture::disconnect(const std::string& name) {
  EXPECT_EQ(act("server", DisconnectAgent{.uuid = uuid(name), .last_heard = now_.lease}), "");
}

void FarmFixture::lose(const std::string& name) {
  disconnect(name);
  advance(policy_.lost_after);
}

template <class Answer>
void FarmFixture::answer(const std::string& name, const std::string& error) {
  auto& memory = agents_.at(name);
  memory.generation = std::max(memory.generation, worker(name).generation);
  Answer body{.uuid = memory.uuid, .generation = worker(name).generation, .error = error};
  if constexpr (requires { body.username; }) {
    body.username = body.error.empty() ? "boruta-user" : "";
    body.key_fingerprint = body.error.empty() ? "SHA256:abc" : "";
  }
  EXPECT_EQ(act(name, std::move(body)), "");
}

void FarmFixture::prepare_ok(const std::string& name) {
  agents_.at(name).prepared = true;
  answer<FinishPrepare>(name, {});
}

void FarmFixture::prepare_fails(const std::string& name, const std::string& error) {
  agents_.at(name).prepared = false;
  answer<FinishPrepare>(name, error);
}

void FarmFixture::grant_ok(const std::string& name) {
  agents_.at(name).job = worker(name).job;
  answer<FinishGrant>(name, {});
}

void FarmFixture::grant_fails(const std::string& name, const std::string& error) { answer<FinishGrant>(name, error); }

void FarmFixture::end_job_ok(const std::string& name) {
  agents_.at(name).job.reset();
  agents_.at(name).prepared = false;
  answer<FinishEndJob>(name, {});
}

void FarmFixture::end_job_fails(const std::string& name, const std::string& error) {
  answer<FinishEndJob>(name, error);
}

void FarmFixture::maintenance_ok(const std::string& name) {
  agents_.at(name).prepared = false;
  answer<FinishMaintenance>(name, {});
}

void FarmFixture::maintenance_fails(const std::string& name, const std::string& error) {
  answer<FinishMaintenance>(name, error);
}

std::string FarmFixture::set_fail(const std::string& name, std::string reason) {
  return act(name, SetFail{.uuid = uuid(name), .reason = std::move(reason)});
}

void FarmFixture::make_idle(const std::string& name, Capabilities caps) {
  EXPECT_EQ(register_worker(name, std::move(caps)), "");
  EXPECT_EQ(set_state(name, kIdle), "");
  prepare_ok(name);
}

std::string FarmFixture::try_create(std::string_view owner, Filing filing) {
  const auto later = [this](std::optional<Duration> by) {
    return by ? std::optional(WallTime{.at = now_.wall + *by}) : std::nullopt;
  };
  return act(owner, CreateRequest{.caps = std::move(filing.caps),
                                  .requirements = parse_requirements(filing.requirements).value(),
                                  .priority = filing.priority,
                                  .valid_after = later(filing.valid_in),
                                  .deadline = later(filing.deadline_in),
                                  .lease = filing.lease,
                                  .claim_within = filing.claim_within});
}

RequestId FarmFixture::create(std::string_view owner, Filing filing) {
  const auto id = farm().requests().next_id();
  EXPECT_EQ(try_create(owner, std::move(filing)), "");
  return id;
}

std::string FarmFixture::set_state(const std::string& name, WorkerState state, std::string reason, bool drain) {
  return act("root", SetWorkerState{.uuid = uuid(name), .state = state, .reason = std::move(reason), .drain = drain});
}

std::string FarmFixture::set_groups(const std::string& name, std::optional<Groups> groups) {
  return act("root", SetWorkerGroups{.uuid = uuid(name), .groups = std::move(groups)});
}

std::string FarmFixture::deregister(const std::string& name) {
  return act("root", DeregisterWorker{.uuid = uuid(name)});
}

TokenId FarmFixture::create_worker_token(bool reusable) {
  const auto id = farm().next_token_id();
  EXPECT_EQ(act("root", CreateToken{.role = Role::kWorker,
                                    .user = {},
                                    .name = "boards",
                                    .hash = fmt::format("hash {}", id.value),
                                    .expires = std::nullopt,
                                    .reusable = reusable}),
            "");
  return id;
}

void FarmFixture::bring(const std::string& situation) {
  const auto found = std::ranges::find(all_situations(), situation, &Situation::name);
  ASSERT_NE(found, all_situations().end()) << situation;
  found->bring(*this);
}

std::vector<std::string> FarmFixture::situations() {
  std::vector<std::string> names;
  for (const auto& situation : all_situations()) names.push_back(situation.name);
  return names;
}

const Worker& FarmFixture::worker(const std::string& name) const {
  const auto* found = farm().find_worker(uuid(name));
  EXPECT_NE(found, nullptr) << name;
  return *found;
}

Request FarmFixture::request(RequestId id) const {
  const auto found = farm().find_request(id);
  EXPECT_NE(found, nullptr) << id.value;
  return *found;
}

UserId FarmFixture::user(std::string_view name) const { return farm().find_user(name)->id; }

std::string FarmFixture::describe(const std::string& name) const {
  const auto* found = farm().find_worker(uuid(name));
  if (found == nullptr) return "none";
  const auto& worker = *found;
  std::string text(to_string(worker.state));
  const auto flag = [&text](bool set, std::string_view word) {
    if (set) text += fmt::format(" {}", word);
  };
  flag(worker.lost, "lost");
  flag(!worker.lost && !worker.connected, "away");
  // Of a RUNNING worker these are the rule.
  flag(worker.dirty && worker.state != WorkerState::kRunning, "dirty");
  flag(worker.untold, "untold");
  flag(worker.needs_full_check && worker.state != WorkerState::kFailed, "check");
  flag(worker.draining, "draining");
  flag(worker.pending.has_value(), "pending");
  return worker.reason.empty() ? text : fmt::format("{}: {}", text, worker.reason);
}

std::string FarmFixture::describe(RequestId id) const {
  const auto shown = request(id);
  std::string text(to_string(shown.state));
  if (shown.state == RequestState::kInProgress) {
    if (!shown.job->granted) text += " ungranted";
    if (shown.job->paused_since) text += " paused";
  }
  return shown.reason.empty() ? text : fmt::format("{}: {}", text, shown.reason);
}

std::string FarmFixture::outcome() const {
  const bool has_request = farm().requests().size() > 0;
  return has_request ? fmt::format("{} | {}", describe("w"), describe(RequestId{1})) : describe("w");
}

std::string FarmFixture::server_of(RequestId id) const {
  if (request(id).state != RequestState::kInProgress) return {};
  for (const auto& [name, memory] : agents_) {
    if (memory.uuid == job(id).worker) return name;
  }
  return "unknown";
}

void expect_cells(const std::function<std::string(FarmFixture&)>& what, const std::string& refusal_elsewhere,
                  const std::vector<Cell>& cells) {
  const auto shown = [](const std::string& refusal, const std::string& outcome) {
    return refusal.empty() ? outcome : fmt::format("refused ({}), {}", refusal, outcome);
  };
  for (const auto& cell : cells) {
    EXPECT_TRUE(std::ranges::count(FarmFixture::situations(), cell.situation) == 1) << cell.situation;
  }
  for (const auto& situation : FarmFixture::situations()) {
    SCOPED_TRACE(situation);
    FarmFixture farm;
    farm.bring(situation);
    const auto before = farm.outcome();
    const auto cell = std::ranges::find(cells, situation, &Cell::situation);
    const auto expected = cell == cells.end() ? shown(refusal_elsewhere, before) : cell->outcome;
    const auto refusal = what(farm);
    EXPECT_EQ(shown(refusal, farm.outcome()), expected);
  }
}

}  // namespace boruta::farm

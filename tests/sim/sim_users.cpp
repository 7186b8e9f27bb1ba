#include "sim/sim_users.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "server/access.hpp"

namespace boruta::sim {
namespace {

using namespace std::chrono_literals;

/// Of what somebody does to requests, in thousandths: to their own.
constexpr int kMostlyOwn = 700;

Capabilities wanted(std::uint64_t number) {
  switch (number) {
    case 0:
      return {};
    case 1:
      return {{"board", "rpi4"}};
    case 2:
      return {{"board", "odroid"}};
    default:
      return {{"board", "rpi4"}, {"camera", "yes"}};
  }
}

/// Seldom anything: what can be had by capabilities is asked for more often.
Requirements required(std::uint64_t number) {
  const auto one = [](std::string_view text) { return Requirements{*parse_requirement(text)}; };
  switch (number) {
    case 0:
      return one("board in (odroid, rpi4)");
    case 1:
      return one("!camera");
    default:
      return {};
  }
}

Groups some_groups(World& world) {
  Groups groups;
  if (world.chance(500)) groups.emplace_back("kernel");
  if (world.chance(300)) groups.emplace_back("tests");
  return groups;
}

farm::Ceilings some_ceilings(World& world) {
  farm::Ceilings ceilings;
  if (world.chance(200)) ceilings.priority = farm::Priority{static_cast<std::uint8_t>(world.pick(2, 3))};
  if (world.chance(400)) ceilings.running = static_cast<std::uint32_t>(world.pick(0, 2));
  if (world.chance(200)) ceilings.waiting = static_cast<std::uint32_t>(world.pick(1, 4));
  return ceilings;
}

/// The first admin's, which is never revoked.
Secret first_token() { return Secret("the first token"); }

/// The event of that kind among those that were told; they hold it.
template <class Body>
const Body& told(const farm::Events& events) {
  return std::get<Body>(
      std::ranges::find_if(events, [](const auto& event) { return std::holds_alternative<Body>(event.body); })->body);
}

}  // namespace

SimUsers::SimUsers(World* world, Invariants* invariants, std::vector<WorkerUuid> workers,
                   std::function<SimServer*()> server)
    : world_(*world), invariants_(*invariants), workers_(std::move(workers)), server_(std::move(server)) {
  using enum farm::Role;
  people_ = {{.name = "admin", .role = kAdmin, .groups = {}, .tokens = {}},
             {.name = "deputy", .role = kAdmin, .groups = {"kernel"}, .tokens = {}},
             {.name = "alice", .role = kUser, .groups = {"kernel"}, .tokens = {}},
             {.name = "bob", .role = kUser, .groups = {"kernel", "tests"}, .tokens = {}},
             {.name = "carol", .role = kUser, .groups = {"tests"}, .tokens = {}},
             {.name = "dave", .role = kUser, .groups = {}, .tokens = {}}};
}

void SimUsers::found() { spawn("found", make_founders()); }

Task<void> SimUsers::make_founders() {
  auto& admin = people_.front();
  // A server may not have lived to tell that it was done.
  const bool done = farm().find_user(admin.name) != nullptr;
  if (done && admin.tokens.empty()) admin.tokens.push_back({.id = {}, .secret = first_token()});
  if (done) co_return;
  // As when it starts for the first time; a crash may leave some of it done.
  const farm::Actor itself;
  if (farm().find_user(farm::kAnonymous) == nullptr) {
    farm::CreateUser anonymous{.name = std::string(farm::kAnonymous), .role = farm::Role::kAdmin};
    co_await submit(itself, std::move(anonymous));
  }
  if (farm().find_token(server::hash_of(workers_token())) == nullptr) {
    farm::CreateToken token{.role = farm::Role::kWorker,
                            .user = {},
                            .name = "workers",
                            .hash = server::hash_of(workers_token()),
                            .expires = std::nullopt,
                            .reusable = true};
    co_await submit(itself, std::move(token));
  }
  farm::CreateUser first{
      .name = admin.name, .role = admin.role, .groups = {}, .token_hash = server::hash_of(first_token())};
  const auto made = co_await submit(itself, std::move(first));
  if (made) admin.tokens.push_back({.id = {}, .secret = first_token()});
}

void SimUsers::act() {
  if (people_.front().tokens.empty()) return;
  const auto locked_out = std::ranges::find_if(people_, &Person::locked_out);
  if (locked_out != people_.end() && world_.chance(300)) {
    spawn("let in again", let_in_again(&some_admin(), &*locked_out));
    return;
  }
  constexpr std::uint64_t kAll = 99;
  const auto what = world_.pick(0, kAll);
  if (what < 66) {
    act_on_request(&somebody());
  } else if (what < 86) {
    act_on_worker(&some_admin());
  } else if (what < 92) {
    act_on_own_doors(&somebody());
  } else {
    act_on_users(&some_admin());
  }
}

void SimUsers::act_on_request(Person* who) {
  const auto what = world_.pick(0, 13);
  if (what <= 4) {
    spawn("create", create_request(who));
  } else if (what <= 7) {
    spawn("close", close_request(who));
  } else if (what <= 9) {
    spawn("acquire", acquire(who));
  } else if (what <= 11) {
    spawn("prolong", prolong(who));
  } else {
    spawn("update", update(who));
  }
}

void SimUsers::act_on_own_doors(Person* who) {
  switch (world_.pick(0, 3)) {
    case 0:
      return spawn("add token", add_token(who));
    case 1:
      return spawn("revoke token", revoke_token(who));
    case 2:
      return spawn("add key", add_key(who));
    default:
      return spawn("remove key", remove_key(who));
  }
}

void SimUsers::act_on_worker(Person* admin) {
  const auto uuid = some_worker();
  const auto what = world_.pick(0, 20);
  if (what <= 11) {
    spawn("enable",
          order(admin, "worker enabled", farm::SetWorkerState{.uuid = uuid, .state = farm::WorkerState::kIdle}));
  } else if (what <= 16) {
    spawn("disable", order(admin, "worker disabled", farm::SetWorkerState{.uuid = uuid, .drain = world_.chance(500)}));
  } else if (what <= 19) {
    farm::SetWorkerGroups restricted{.uuid = uuid, .groups = some_groups(world_)};
    spawn("restrict", order(admin, "worker restricted", std::move(restricted)));
  } else if (world_.chance(400)) {
    spawn("deregister", order(admin, "worker deregistered", farm::DeregisterWorker{.uuid = uuid}));
  }
}

void SimUsers::act_on_users(Person* admin) {
  const auto& name = somebody().name;
  const auto what = world_.pick(0, 9);
  if (what <= 3) {
    farm::SetUserCeilings limited{.name = name, .ceilings = some_ceilings(world_)};
    spawn("limit", order(admin, "user limited", std::move(limited)));
  } else if (what <= 6) {
    farm::SetGroupCeilings limited{.group = world_.chance(500) ? "kernel" : "tests", .ceilings = some_ceilings(world_)};
    spawn("limit", order(admin, "group limited", std::move(limited)));
  } else if (what <= 8) {
    farm::SetUserGroups grouped{.name = name, .groups = some_groups(world_)};
    spawn("group", order(admin, "user grouped", std::move(grouped)));
  } else if (name != people_.front().name) {
    spawn("delete", order(admin, "user deleted", farm::DeleteUser{.name = name}));
  }
}

SimUsers::Person& SimUsers::some_admin() {
  constexpr int kMostly = 900;
  return world_.chance(kMostly) ? people_[world_.pick(0, 1)] : somebody();
}

SimUsers::Token SimUsers::new_token() {
  return Token{.id = {}, .secret = Secret(fmt::format("token {}", ++tokens_made_))};
}

RequestId SimUsers::some_request(UserId user) {
  if (world_.chance(kMostlyOwn)) return some_open_request(user);
  constexpr std::uint64_t kRecent = 10;
  const auto size = farm().requests().last_id().value;
  const auto back = world_.pick(0, kRecent);
  return RequestId{size > back ? size - back : size + 1};
}

RequestId SimUsers::some_open_request(UserId user) {
  const bool own = world_.chance(kMostlyOwn);
  std::vector<RequestId> some;
  for (const auto id : farm().open_requests()) {
    if (!own || farm().find_open_request(id)->owner == user) some.push_back(id);
  }
  if (!some.empty()) return some[world_.pick(0, some.size() - 1)];
  return RequestId{std::max<std::uint64_t>(farm().requests().last_id().value, 1)};
}

std::optional<SimUsers::Login> SimUsers::log_in(Person* who) {
  std::optional<Secret> token;
  constexpr int kOlder = 100;
  if (!who->tokens.empty()) {
    const auto newest = who->tokens.size() - 1;
    token = who->tokens[world_.chance(kOlder) ? world_.pick(0, newest) : newest].secret;
  }
  const auto now = world_.clock().now();
  auto login = server::authenticate_user(farm(), token, now);
  const bool newest = !token || token->reveal() == who->tokens.back().secret.reveal();
  if (newest) who->locked_out = !login;
  if (!login) {
    world_.count("login refused");
    return std::nullopt;
  }
  invariants_.logged_in(token.value_or(Secret()), login->actor, now.wall);
  if (login->note_use) {
    server_()->coordinator().note({.actor = login->actor, .body = farm::NoteTokenUse{.id = *login->note_use}});
  }
  return Login{.token = token.value_or(Secret()), .actor = std::move(login->actor)};
}

Task<std::expected<farm::Events, Refusal>> SimUsers::submit(farm::Actor actor, farm::CommandBody body) {
  farm::Command command{.actor = std::move(actor), .body = std::move(body)};
  auto outcome = co_await server_()->coordinator().submit(std::move(command));
  if (outcome) {
    invariants_.acknowledged(*outcome);
  } else {
    if (outcome.error().code == RefusalCode::kForbidden) world_.count("forbidden");
    if (outcome.error().code == RefusalCode::kTooMany) world_.count("too many waiting");
  }
  co_return outcome;
}

Task<std::expected<farm::Events, Refusal>> SimUsers::change(farm::Actor actor, std::optional<RequestId> of,
                                                            farm::CommandBody body) {
  auto outcome = co_await submit(actor, std::move(body));
  if (outcome) invariants_.obeyed(actor, of);
  co_return outcome;
}

Task<void> SimUsers::create_request(Person* who) {
  const auto login = log_in(who);
  if (!login) co_return;
  farm::CreateRequest create{.caps = wanted(world_.pick(0, 3)),
                             .requirements = required(world_.pick(0, 9)),
                             .priority = static_cast<std::int64_t>(world_.pick(1, 4))};
  const auto wall = world_.clock().now().wall;
  if (world_.chance(200)) create.valid_after = WallTime{.at = wall + 2min};
  if (world_.chance(100)) {
    constexpr std::uint64_t kKeys = 3;
    create.idempotency_key = fmt::format("key {}", world_.pick(1, kKeys));
    create.body_hash = "the same";
  }
  // Nobody waits for ever, so that what was filed last has ended when the world has healed.
  create.deadline = WallTime{.at = wall + world_.some_time(3min, 20min)};
  const auto created = co_await submit(login->actor, std::move(create));
  if (!created) co_return;
  if (created->empty()) {
    world_.count("request filed again");
    co_return;
  }
  world_.count("request filed");
  invariants_.filed(told<farm::RequestCreated>(*created).id);
}

Task<void> SimUsers::close_request(Person* who) {
  const auto login = log_in(who);
  if (!login) co_return;
  const auto id = some_request(login->actor.user);
  const farm::CloseRequest close{.id = id};
  const auto closed = co_await change(login->actor, id, close);
  if (closed) invariants_.closed(id);
}

Task<void> SimUsers::update(Person* who) {
  const auto login = log_in(who);
  if (!login) co_return;
  const auto id = some_open_request(login->actor.user);
  const farm::UpdateRequest update{.id = id, .priority = world_.pick(1, 4), .valid_after = {}, .deadline = {}};
  const auto updated = co_await change(login->actor, id, update);
  if (updated && !updated->empty()) world_.count("priority changed");
}

Task<void> SimUsers::prolong(Person* who) {
  const auto login = log_in(who);
  if (!login) co_return;
  const auto id = some_open_request(login->actor.user);
  const farm::ProlongAccess prolong{.id = id};
  const auto prolonged = co_await change(login->actor, id, prolong);
  if (prolonged) invariants_.in_progress(id);
}

Task<void> SimUsers::acquire(Person* who) {
  const auto login = log_in(who);
  if (!login) co_return;
  const auto id = some_request(login->actor.user);
  auto identify = [this, token = login->token]() -> std::expected<farm::Actor, Refusal> {
    auto again = server::authenticate_user(farm(), token, world_.clock().now());
    if (!again) return std::unexpected(std::move(again.error()));
    return std::move(again->actor);
  };
  const auto access = co_await server_()->coordinator().acquire(std::move(identify), id, 10min);
  if (!access) co_return;
  world_.count(access->private_key.empty() ? "worker acquired with own keys" : "worker acquired");
  invariants_.access_given(login->token, login->actor, id, *access);
}

Task<void> SimUsers::add_token(Person* who) {
  const auto login = log_in(who);
  if (!login) co_return;
  auto token = new_token();
  farm::CreateToken create{
      .user = {}, .name = "further", .hash = server::hash_of(token.secret), .expires = std::nullopt};
  if (world_.chance(300)) create.expires = world_.clock().now().wall + world_.some_time(1min, 30min);
  const auto created = co_await submit(login->actor, std::move(create));
  if (!created) co_return;
  token.id = told<farm::TokenCreated>(*created).id;
  who->tokens.push_back(std::move(token));
}

Task<void> SimUsers::revoke_token(Person* who) {
  const auto login = log_in(who);
  if (!login || who == &people_.front()) co_return;
  // Of whomever: mostly it is not allowed, or was done before.
  const auto& owner = world_.chance(kMostlyOwn) ? *who : somebody();
  if (owner.tokens.empty() || &owner == &people_.front()) co_return;
  const farm::RevokeToken revoke{.id = owner.tokens[world_.pick(0, owner.tokens.size() - 1)].id};
  const auto revoked = co_await submit(login->actor, revoke);
  if (revoked) world_.count("token revoked");
}

Task<void> SimUsers::add_key(Person* who) {
  const auto login = log_in(who);
  if (!login) co_return;
  const auto name = fmt::format("key-{}", ++keys_made_);
  farm::AddUserKey add{.user = {}, .name = name, .public_key = "ssh-ed25519 " + name, .fingerprint = "SHA256:" + name};
  const auto added = co_await submit(login->actor, std::move(add));
  if (!added) co_return;
  world_.count("key added");
  // Often in the place of another, while the worker's agent still works on the first change.
  if (world_.chance(500)) spawn("remove key", remove_key(who));
}

Task<void> SimUsers::remove_key(Person* who) {
  const auto login = log_in(who);
  if (!login) co_return;
  const bool own = world_.chance(kMostlyOwn);
  std::vector<farm::UserKeyId> some;
  for (const auto& [id, key] : farm().user_keys()) {
    if (!key.removed && (!own || key.user == login->actor.user)) some.push_back(id);
  }
  if (some.empty()) co_return;
  const farm::RemoveUserKey remove{.id = some[world_.pick(0, some.size() - 1)]};
  const auto removed = co_await submit(login->actor, remove);
  if (removed) world_.count("key removed");
}

Task<void> SimUsers::let_in_again(Person* admin, Person* locked_out) {
  const auto login = log_in(admin);
  if (!login) co_return;
  auto token = new_token();
  const auto hash = server::hash_of(token.secret);
  std::expected<farm::Events, Refusal> let_in;
  if (farm().find_user(locked_out->name) == nullptr) {
    farm::CreateUser create{
        .name = locked_out->name, .role = locked_out->role, .groups = locked_out->groups, .token_hash = hash};
    let_in = co_await submit(login->actor, std::move(create));
  } else {
    farm::CreateToken create{.user = locked_out->name, .name = "further", .hash = hash, .expires = std::nullopt};
    let_in = co_await submit(login->actor, std::move(create));
  }
  if (!let_in) co_return;
  token.id = told<farm::TokenCreated>(*let_in).id;
  locked_out->tokens.push_back(std::move(token));
  locked_out->locked_out = false;
}

Task<void> SimUsers::order(Person* admin, std::string_view what, farm::CommandBody body) {
  const auto login = log_in(admin);
  if (!login) co_return;
  const auto done = co_await change(login->actor, std::nullopt, std::move(body));
  if (done && !done->empty()) world_.count(what);
}

}  // namespace boruta::sim

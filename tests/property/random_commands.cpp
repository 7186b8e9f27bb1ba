#include "property/random_commands.hpp"

#include <fmt/format.h>

#include <array>
#include <iterator>

namespace boruta::property {
namespace {

using namespace std::chrono_literals;

constexpr std::uint8_t kWorkers = 5;

WorkerUuid worker_uuid(std::uint8_t number) {
  return *WorkerUuid::parse(fmt::format("fa4e0000-0000-4000-8000-00000000000{}", number % kWorkers));
}

/// A worker of the farm if there is any, whatever its number.
WorkerUuid known_worker(const farm::Farm& farm, std::uint8_t number) {
  if (farm.workers().empty()) return worker_uuid(number);
  return std::next(farm.workers().begin(), number % static_cast<std::ptrdiff_t>(farm.workers().size()))->first;
}

/// One of the newest requests: old ones have ended.
RequestId some_request(const farm::Farm& farm, std::uint8_t number) {
  constexpr std::uint64_t kRecent = 12;
  const auto size = farm.requests().last_id().value;
  const auto back = number % kRecent;
  return RequestId{size > back ? size - back : size + 1};
}

farm::Actor user(const farm::Farm& farm, std::uint8_t number) {
  constexpr std::array kNames{"admin", "kernel-dev", "tester"};
  const auto* found = farm.find_user(kNames.at(number % kNames.size()));
  if (found == nullptr) return farm::Actor{.kind = farm::Actor::Kind::kUser, .user = UserId{99}, .name = "deleted"};
  const bool admin = found->role == farm::Role::kAdmin;
  return farm::Actor{
      .kind = admin ? farm::Actor::Kind::kAdmin : farm::Actor::Kind::kUser, .user = found->id, .name = found->name};
}

Capabilities offered(std::uint8_t number, std::uint8_t variant) {
  Capabilities caps{{"UUID", worker_uuid(number).to_string()}, {"board", number % 2 == 0 ? "rpi4" : "odroid"}};
  if (variant % 3 == 1) caps.emplace("camera", "yes");
  if (number % 3 > 0) caps.emplace("ram", number % 3 == 1 ? "1GiB" : "4GiB");
  if (number % kWorkers == 3) caps.emplace("name", "the-third");
  return caps;
}

Capabilities wanted(std::uint8_t number) {
  switch (number % 7) {
    case 0:
      return {};
    case 1:
      return {{"board", "rpi4"}};
    case 2:
      return {{"board", "odroid"}};
    case 3:
      return {{"camera", "yes"}};
    case 4:
      return {{"UUID", worker_uuid(number / 7).to_string()}};
    case 5:
      return {{"name", "the-third"}};
    default:
      return {{"board", "none-such"}};
  }
}

Requirements required(std::uint8_t number) {
  const auto one = [](std::string_view text) { return Requirements{parse_requirement(text).value()}; };
  switch (number % 9) {
    case 0:
      return one("ram>=2GiB");
    case 1:
      return one("board in (rpi4, odroid)");
    case 2:
      return one("!camera");
    case 3:
      return one(fmt::format("UUID!={}", worker_uuid(number / 9).to_string()));
    default:
      return {};
  }
}

farm::Ceilings ceilings(std::uint8_t number) {
  farm::Ceilings ceilings;
  if (number % 3 == 0) ceilings.running = number % 2 + 1;
  if (number % 5 == 0) ceilings.waiting = 6;
  if (number % 7 == 0) ceilings.priority = farm::Priority{2};
  return ceilings;
}

farm::CommandBody key(const RandomStep& step) {
  const auto name = fmt::format("key-{}", step.second % 4);
  return farm::AddUserKey{
      .user = {}, .name = name, .public_key = "ssh-ed25519 " + name, .fingerprint = "SHA256:" + name};
}

/// What concerns keys, tokens and the record.
farm::CommandBody key_or_record(const RandomStep& step) {
  switch (step.first % 6) {
    case 0:
      return farm::RemoveUserKey{.id = {1 + step.second % 8U}};
    case 1:
      return farm::NoteRefusal{.action = "POST /", .code = "forbidden", .reason = "no", .times = 2};
    case 2:
      return farm::NoteTokenUse{.id = {1}};
    default:
      return key(step);
  }
}

/// For the job of a worker that runs one, if any; now and then the tunnel has gone elsewhere meanwhile.
farm::MoveTunnel move_tunnel(const RandomStep& step, const farm::Farm& farm) {
  for (const auto& [uuid, worker] : farm.workers()) {
    if (!worker.job) continue;
    const auto port = farm.find_open_request(*worker.job)->job->tunnel_port;
    return {.id = *worker.job, .port = step.first % 5 == 4 ? std::uint16_t{30'000} : port};
  }
  return {.id = some_request(farm, step.first), .port = 30'000};
}

/// What the server does by itself.
farm::CommandBody of_server(const RandomStep& step, const farm::Farm& farm) {
  switch (step.second % 4) {
    case 0:
      return farm::StartServer{};
    case 1:
      return farm::ForgetRequests{};
    default:
      return move_tunnel(step, farm);
  }
}

farm::CommandBody create(const RandomStep& step, Now now) {
  farm::CreateRequest create{
      .caps = wanted(step.first), .requirements = required(step.second), .priority = 1 + step.second % 3};
  if (step.second % 5 == 4) create.valid_after = WallTime{.at = now.wall + 40s};
  if (step.second % 7 == 6) create.deadline = WallTime{.at = now.wall + 90s};
  if (step.first % 11 == 10) create.lease = 30s;
  if (step.first % 4 == 3) {
    create.idempotency_key = fmt::format("key {}", step.second % 8);
    create.body_hash = "the same";
  }
  return create;
}

farm::CommandBody registration(const RandomStep& step, const farm::Farm& farm) {
  const auto uuid = worker_uuid(step.first);
  const auto* worker = farm.find_worker(uuid);
  farm::RegisterWorker command{.registration = {.caps = offered(step.first, step.second % 16 == 15 ? 1 : 0),
                                                .ssh_address = "192.0.2.1",
                                                .ssh_port = 22},
                               .instance = step.second % 13 == 12 ? "another" : "the one",
                               .generation = worker == nullptr ? Generation{} : worker->generation,
                               .prepared = step.second % 4 != 3};
  if (worker != nullptr && step.second % 6 != 5) command.job = worker->job;
  return command;
}

template <class Finish>
farm::CommandBody finish(const RandomStep& step, const farm::Farm& farm) {
  const auto uuid = known_worker(farm, step.first);
  const auto* worker = farm.find_worker(uuid);
  const auto generation = worker == nullptr ? Generation{} : worker->generation;
  Finish command{.uuid = uuid, .generation = generation, .error = step.second % 8 == 7 ? "it broke" : ""};
  if (step.second % 9 == 8 && generation.value > 0) --command.generation.value;
  if constexpr (requires { command.username; }) command.username = "boruta-user";
  return command;
}

farm::CommandBody set_groups(const RandomStep& step, const farm::Farm& farm) {
  farm::SetWorkerGroups command{.uuid = known_worker(farm, step.first), .groups = std::nullopt};
  if (step.second % 3 == 1) command.groups = Groups{"kernel"};
  if (step.second % 3 == 2) command.groups = Groups{};
  return command;
}

/// What a well-behaved agent or admin does next for a worker. Without it hardly a job would ever start.
farm::Command cooperate(const RandomStep& step, const farm::Farm& farm) {
  const farm::Actor admin = user(farm, 0);
  const auto uuid = worker_uuid(step.first);
  const auto* worker = farm.find_worker(uuid);
  if (worker == nullptr || !worker->connected) {
    return {.actor = {}, .body = registration({.first = step.first, .second = 0}, farm)};
  }
  const auto done = [&](auto command) {
    command.uuid = uuid;
    command.generation = worker->generation;
    return farm::Command{.actor = {}, .body = command};
  };
  if (worker->dirty && worker->state != farm::WorkerState::kRunning) return done(farm::FinishEndJob{});
  switch (worker->state) {
    case farm::WorkerState::kMaintenance:
      if (worker->untold) return done(farm::FinishMaintenance{});
      return {.actor = admin, .body = farm::SetWorkerState{.uuid = uuid, .state = farm::WorkerState::kIdle}};
    case farm::WorkerState::kFailed:
      return {.actor = admin, .body = farm::SetWorkerState{.uuid = uuid}};
    case farm::WorkerState::kPrepare:
      return done(farm::FinishPrepare{.username = "boruta-user"});
    case farm::WorkerState::kBusy:
      return done(farm::FinishMaintenance{});
    case farm::WorkerState::kIdle:
    case farm::WorkerState::kRunning:
      break;
  }
  return done(farm::FinishGrant{});
}

}  // namespace

std::vector<farm::Command> first_commands() {
  std::vector<farm::Command> commands;
  for (const auto& [name, role, groups] : {std::tuple("admin", farm::Role::kAdmin, Groups{}),
                                           std::tuple("kernel-dev", farm::Role::kUser, Groups{"kernel"}),
                                           std::tuple("tester", farm::Role::kUser, Groups{})}) {
    commands.push_back(
        {.actor = {}, .body = farm::CreateUser{.name = name, .role = role, .groups = groups, .token_hash = name}});
  }
  return commands;
}

farm::Command command_of(const RandomStep& step, const farm::Farm& farm, Now now) {
  const auto by_user = [&](farm::CommandBody body) {
    return farm::Command{.actor = user(farm, step.who), .body = std::move(body)};
  };
  const auto by_admin = [&](farm::CommandBody body) {
    return farm::Command{.actor = user(farm, 0), .body = std::move(body)};
  };
  const auto by_server = [](farm::CommandBody body) { return farm::Command{.actor = {}, .body = std::move(body)}; };
  constexpr std::uint8_t kHalf = 128;
  if (step.what >= kHalf) return cooperate(step, farm);
  const auto uuid = known_worker(farm, step.first);
  const auto id = some_request(farm, step.first);
  switch (step.what % 31) {
    case 0:
    case 1:
    case 2:
    case 3:
      return by_user(create(step, now));
    case 4:
      return by_user(farm::UpdateRequest{.id = id, .priority = 1 + step.second % 4});
    case 5:
      return by_user(farm::UpdateRequest{.id = id, .valid_after = WallTime{.at = now.wall + 5s}});
    case 6:
    case 7:
      return by_user(farm::CloseRequest{.id = id});
    case 8:
      return by_user(farm::ProlongAccess{.id = id});
    case 9:
      return by_user(farm::AcquireWorker{.id = id});
    case 10:
    case 11:
      return by_admin(farm::SetWorkerState{.uuid = uuid, .state = farm::WorkerState::kIdle});
    case 12:
      return by_admin(farm::SetWorkerState{.uuid = uuid, .reason = "why", .drain = step.second % 2 == 0});
    case 13:
      return by_admin(set_groups(step, farm));
    case 14:
      return by_admin(farm::DeregisterWorker{.uuid = uuid});
    case 15:
    case 16:
      return by_server(registration(step, farm));
    case 17:
      return by_server(farm::DisconnectAgent{.uuid = uuid, .last_heard = now.lease});
    case 18:
      return by_server(farm::SetFail{.uuid = uuid, .reason = "smoke"});
    case 19:
    case 20:
      return by_server(finish<farm::FinishPrepare>(step, farm));
    case 21:
      return by_server(finish<farm::FinishGrant>(step, farm));
    case 22:
      return by_server(finish<farm::FinishEndJob>(step, farm));
    case 23:
      return by_server(finish<farm::FinishMaintenance>(step, farm));
    case 24:
      return by_admin(
          farm::SetUserGroups{.name = "tester", .groups = step.second % 2 == 0 ? Groups{"kernel"} : Groups{}});
    case 25:
      return by_admin(farm::SetUserCeilings{.name = "kernel-dev", .ceilings = ceilings(step.second)});
    case 26:
      return by_admin(farm::SetGroupCeilings{.group = "kernel", .ceilings = ceilings(step.second)});
    case 27:
    case 28:
    case 29:
      return by_user(key_or_record(step));
    default:
      return by_server(of_server(step, farm));
  }
}

std::string describe(const RandomStep& step) {
  return fmt::format("{{{}, {}, {}, {}, {}}}", step.what, step.who, step.first, step.second, step.seconds);
}

}  // namespace boruta::property

#pragma once

#include <fmt/format.h>

#include <cstdint>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "base/assert.hpp"
#include "match/engine.hpp"

namespace boruta::bench {

/// A farm to measure: what the server does to its core, without network and disk. Every step must be taken, so that no
/// refusal is measured by mistake.
class BenchFarm {
 public:
  /// One admin and `users` users.
  BenchFarm(farm::Policy policy, std::uint64_t users) : engine_(policy, {}, now_) {
    run({.actor = {}, .body = farm::CreateUser{.name = "admin", .role = farm::Role::kAdmin}});
    for (std::uint64_t number = 0; number < users; ++number) {
      const auto step = run({.actor = kAdmin, .body = farm::CreateUser{.name = fmt::format("user{}", number)}});
      users_.push_back({.kind = farm::Actor::Kind::kUser,
                        .user = std::get<farm::UserCreated>(step.events.front().body).id,
                        .name = fmt::format("user{}", number)});
    }
  }

  [[nodiscard]] match::Engine& engine() { return engine_; }
  [[nodiscard]] Now now() const { return now_; }
  void pass(Duration duration) {
    now_.wall += duration;
    now_.lease += duration;
  }

  match::Step run(const farm::Command& command) {
    auto step = engine_.execute(command, now_);
    BORUTA_ASSERT(step.outcome.has_value());
    return step;
  }

  /// Filed by the users in turn.
  RequestId file(farm::CreateRequest request) {
    const auto& user = users_[turn_++ % users_.size()];
    const auto step = run({.actor = user, .body = std::move(request)});
    return std::get<farm::RequestCreated>(step.own_events().front().body).id;
  }
  void close(RequestId id) { run({.actor = kAdmin, .body = farm::CloseRequest{.id = id}}); }

  /// A new worker in PREPARE.
  WorkerUuid enrol(Capabilities caps) {
    const auto uuid = *WorkerUuid::parse(fmt::format("fa4e0000-0000-4000-8000-{:012x}", workers_++));
    caps.emplace("UUID", uuid.to_string());
    run({.actor = {},
         .body =
             farm::RegisterWorker{.registration = {.caps = std::move(caps), .ssh_address = "192.0.2.1", .ssh_port = 22},
                                  .instance = "only"}});
    run({.actor = kAdmin, .body = farm::SetWorkerState{.uuid = uuid, .state = farm::WorkerState::kIdle}});
    return uuid;
  }
  /// What the worker's agent says when Prepare is done: the worker is IDLE, or RUNNING at once.
  [[nodiscard]] farm::Command prepared(WorkerUuid uuid) const {
    return {
        .actor = {},
        .body = farm::FinishPrepare{.uuid = uuid, .generation = worker(uuid).generation, .username = "boruta-user"}};
  }
  /// Ends the worker's job, after which it is in PREPARE again.
  void end_job(WorkerUuid uuid) {
    close(*worker(uuid).job);
    run({.actor = {}, .body = farm::FinishEndJob{.uuid = uuid, .generation = worker(uuid).generation}});
  }
  [[nodiscard]] bool runs_job(WorkerUuid uuid) const { return worker(uuid).state == farm::WorkerState::kRunning; }

 private:
  inline static const farm::Actor kAdmin{.kind = farm::Actor::Kind::kAdmin, .user = UserId{1}, .name = "admin"};

  [[nodiscard]] const farm::Worker& worker(WorkerUuid uuid) const { return *engine_.farm().find_worker(uuid); }

  Now now_{.wall = Instant(std::chrono::seconds(1'000'000)), .lease = Instant(std::chrono::seconds(1'000'000))};
  match::Engine engine_;
  std::vector<farm::Actor> users_;
  std::uint64_t turn_ = 0;
  std::uint64_t workers_ = 0;
};

}  // namespace boruta::bench

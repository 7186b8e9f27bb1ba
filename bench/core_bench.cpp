#include <benchmark/benchmark.h>
#include <fmt/format.h>

#include <cstdint>
#include <vector>

#include "base/assert.hpp"
#include "match/engine.hpp"

namespace boruta {
namespace {

using namespace std::chrono_literals;

constexpr std::uint64_t kWorkers = 1'000;
constexpr Now kNow{.wall = Instant(1'000'000s), .lease = Instant(1'000'000s)};

WorkerUuid uuid_of(std::uint64_t number) {
  return *WorkerUuid::parse(fmt::format("fa4e0000-0000-4000-8000-{:012x}", number));
}

/// A farm of idle workers in `classes` classes, and `blocked` requests that no worker can serve.
class Farm {
 public:
  Farm(std::uint64_t classes, std::uint64_t blocked) : classes_(classes), engine_(farm::Policy{}, {}, kNow) {
    run({.actor = {}, .body = farm::CreateUser{.name = "admin", .role = farm::Role::kAdmin}});
    for (std::uint64_t number = 0; number < kWorkers; ++number) enrol(number);
    for (std::uint64_t number = 0; number < blocked; ++number) file({{"none", "such"}});
  }

  /// One job from its request to its worker being idle again: five commands, one match.
  void live(std::uint64_t turn) {
    const auto created = file({{"class", std::to_string(turn % classes_)}});
    const auto* request = engine_.farm().find_request(created);
    BORUTA_ASSERT(request->state == farm::RequestState::kInProgress);
    const auto worker = request->job->worker;
    run({.actor = kAdmin, .body = farm::CloseRequest{.id = created}});
    answer(farm::FinishEndJob{.uuid = worker});
    answer(farm::FinishPrepare{.uuid = worker, .username = "boruta-user"});
  }

 private:
  inline static const farm::Actor kAdmin{.kind = farm::Actor::Kind::kAdmin, .user = UserId{1}, .name = "admin"};

  farm::Events run(const farm::Command& command) {
    auto step = engine_.execute(command, kNow);
    BORUTA_ASSERT(step.outcome.has_value());
    return std::move(*step.outcome);
  }

  RequestId file(Capabilities caps) {
    const auto events = run({.actor = kAdmin, .body = farm::CreateRequest{.caps = std::move(caps), .priority = 8}});
    return std::get<farm::RequestCreated>(events.front().body).id;
  }

  template <class Answer>
  void answer(Answer command) {
    command.generation = engine_.farm().find_worker(command.uuid)->generation;
    run({.actor = {}, .body = command});
  }

  void enrol(std::uint64_t number) {
    const auto uuid = uuid_of(number);
    const Capabilities caps{{"UUID", uuid.to_string()}, {"class", std::to_string(number % classes_)}};
    run({.actor = {},
         .body = farm::RegisterWorker{.registration = {.caps = caps, .ssh_address = "192.0.2.1", .ssh_port = 22},
                                      .instance = "only"}});
    run({.actor = kAdmin, .body = farm::SetWorkerState{.uuid = uuid, .state = farm::WorkerState::kIdle}});
    answer(farm::FinishPrepare{.uuid = uuid, .username = "boruta-user"});
  }

  std::uint64_t classes_;
  match::Engine engine_;
};

void job_life(benchmark::State& state) {
  Farm farm(static_cast<std::uint64_t>(state.range(0)), static_cast<std::uint64_t>(state.range(1)));
  std::uint64_t turn = 0;
  for (auto _ : state) farm.live(turn++);
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(job_life)->ArgNames({"classes", "blocked"})->ArgsProduct({{1, 100, 1'000}, {0, 10'000, 100'000}});

}  // namespace
}  // namespace boruta

BENCHMARK_MAIN();

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <map>
#include <random>

#include "match/engine.hpp"
#include "match/explain.hpp"

/// Estimates hold: a farm is lived in at random, then left alone as an estimate assumes, and nobody waits longer than
/// told.
namespace boruta::property {
namespace {

using namespace std::chrono_literals;
using farm::WorkerState;

constexpr auto kStep = 20s;

farm::Policy policy_of(farm::QueueOrder order) {
  farm::Policy policy;
  policy.lease = 10min;
  policy.lease_max = 40min;
  policy.claim_within = 3min;
  policy.respond_within = 2min;
  policy.order = order;
  policy.half_life = 30min;
  policy.overdue_after = 1h;
  return policy;
}

class Life {
 public:
  Life(unsigned seed, farm::QueueOrder order) : random_(seed), engine_(policy_of(order), farm::Rows{}, now_) {
    for (const auto* name : {"alice", "bob", "carol"}) {
      run({}, farm::CreateUser{.name = name, .role = farm::Role::kAdmin, .groups = {}});
    }
    for (unsigned number = 0; number < 4; ++number) add_worker(number);
  }

  /// Files requests, lets jobs come and go.
  void live() {
    const auto count = 6 + pick(14);
    for (unsigned filed = 0; filed < count; ++filed) {
      create();
      for (unsigned steps = pick(12); steps > 0; --steps) pass();
    }
  }

  /// Nothing is filed or prolonged any more. Returns how many estimates were put to the test.
  std::size_t check_estimates() {
    std::map<RequestId, match::Estimate> told;
    for (const auto id : engine_.farm().open_requests()) {
      const auto& request = *engine_.farm().find_open_request(id);
      if (request.state != farm::RequestState::kWaiting) continue;
      auto estimate = match::explain(engine_.farm(), engine_.matcher(), match::ask_of(request), now_).estimate;
      if (estimate.not_later_than) told.emplace(id, std::move(estimate));
    }
    const auto asked = told.size();
    const auto give_up = now_.lease + 48h;
    while (!told.empty() && now_.lease < give_up) {
      pass();
      std::erase_if(told, [&](const auto& item) {
        const auto found = engine_.farm().find_request(item.first);
        const auto& request = *found;
        const auto& estimate = item.second;
        const bool waits = request.state == farm::RequestState::kWaiting;
        // A step is as exactly as this test looks.
        const auto reached = waits ? now_.lease - kStep : request.job ? request.job->started : now_.lease;
        EXPECT_LE(reached, *estimate.not_later_than) << "request " << item.first.value;
        EXPECT_LE(*estimate.not_later_than, *estimate.at_worst) << "request " << item.first.value;
        return !waits || testing::Test::HasFailure();
      });
    }
    EXPECT_TRUE(told.empty()) << "some request never got a worker";
    return asked;
  }

 private:
  unsigned pick(unsigned below) { return std::uniform_int_distribution<unsigned>(0, below - 1)(random_); }

  farm::Actor user() {
    const auto id = UserId{1 + pick(3)};
    return farm::Actor{.kind = farm::Actor::Kind::kAdmin, .user = id, .worker = {}, .name = "somebody"};
  }

  void run(farm::Actor actor, farm::CommandBody body) {
    const auto step = engine_.execute(farm::Command{.actor = std::move(actor), .body = std::move(body)}, now_);
    EXPECT_TRUE(step.outcome.has_value()) << step.outcome.error().detail;
  }

  void add_worker(unsigned number) {
    const auto uuid = WorkerUuid::parse(fmt::format("fa4e0000-0000-4000-8000-00000000000{}", number)).value();
    farm::Registration registration{.ssh_address = "192.0.2.1", .ssh_port = 22};
    registration.caps = {{"UUID", uuid.to_string()}, {"board", number < 3 ? "rpi4" : "odroid"}};
    registration.caps.emplace("ram", number == 0 ? "2GiB" : "8GiB");
    run({}, farm::RegisterWorker{.registration = std::move(registration), .instance = "one", .generation = {}});
    run(user(), farm::SetWorkerState{.uuid = uuid, .state = WorkerState::kIdle});
  }

  void create() {
    farm::CreateRequest create{.priority = 1 + pick(3)};
    if (pick(2) == 0) create.caps = {{"board", pick(3) == 0 ? "odroid" : "rpi4"}};
    if (pick(3) == 0) create.requirements = {parse_requirement("ram>=4GiB").value()};
    if (pick(4) == 0) create.valid_after = WallTime{.at = now_.wall + std::chrono::minutes(pick(15))};
    if (pick(3) == 0) create.lease = std::chrono::minutes(1 + pick(5));
    run(user(), std::move(create));
  }

  void pass() {
    now_.wall += kStep;
    now_.lease += kStep;
    static_cast<void>(engine_.tick(now_));
    for (const auto& [uuid, worker] : std::map(engine_.farm().workers())) answer(uuid, worker);
    for (const auto id : std::set(engine_.farm().open_requests())) use(*engine_.farm().find_open_request(id));
  }

  /// The agent answers some time within its limit.
  void answer(WorkerUuid uuid, const farm::Worker& worker) {
    if (!worker.respond_by) return;
    if (*worker.respond_by - now_.lease > 2 * kStep && pick(4) != 0) return;
    if (worker.state == WorkerState::kRunning) {
      run({}, farm::FinishGrant{.uuid = uuid, .generation = worker.generation, .error = {}});
    } else if (worker.dirty) {
      run({}, farm::FinishEndJob{.uuid = uuid, .generation = worker.generation, .error = {}});
      run({}, farm::FinishPrepare{
                  .uuid = uuid, .generation = worker.generation, .error = {}, .username = "u", .key_fingerprint = "k"});
    } else {
      run({}, farm::FinishPrepare{
                  .uuid = uuid, .generation = worker.generation, .error = {}, .username = "u", .key_fingerprint = "k"});
    }
  }

  /// The owner acquires, often at the last moment, and sometimes closes early.
  void use(const farm::Request& request) {
    if (request.state != farm::RequestState::kInProgress) return;
    farm::Actor owner{.kind = farm::Actor::Kind::kAdmin, .user = request.owner, .worker = {}, .name = "owner"};
    if (request.job->claim_by) {
      if (*request.job->claim_by - now_.lease <= 2 * kStep || pick(6) == 0) {
        run(std::move(owner), farm::AcquireWorker{.id = request.id});
      }
    } else if (pick(30) == 0) {
      run(std::move(owner), farm::CloseRequest{.id = request.id});
    }
  }

  Now now_{.wall = Instant(1'000'000s), .lease = Instant(1'000'000s)};
  std::mt19937 random_;
  match::Engine engine_;
};

TEST(Estimate, Holds) {
  std::size_t asked = 0;
  for (const auto order : {farm::QueueOrder::kFifo, farm::QueueOrder::kFair}) {
    for (unsigned seed = 0; seed < 300 && !HasFailure(); ++seed) {
      SCOPED_TRACE(fmt::format("seed {}, {}", seed, order == farm::QueueOrder::kFair ? "fair" : "fifo"));
      Life life(seed, order);
      life.live();
      asked += life.check_estimates();
    }
  }
  EXPECT_GT(asked, 1'000U) << "so many requests waited, or nothing was tested";
}

}  // namespace
}  // namespace boruta::property

// What the scheduling core costs. Names say the parameters, as in "start_job/workers:1000/classes:100"; scripts/bench
// makes tables of them.
#include <benchmark/benchmark.h>
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <functional>
#include <malloc.h>
#include <memory>
#include <string>
#include <vector>

#include "bench_farm.hpp"

namespace boruta::bench {
namespace {

using namespace std::chrono_literals;

constexpr std::uint64_t kUsers = 50;
constexpr std::uint64_t kSignatures = 500;

/// Seconds that `work` takes.
template <class Work>
double seconds_of(Work work) {
  const auto begin = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

/// A demand of its own for each number, which every worker that has `caps` meets.
farm::CreateRequest demand(Capabilities caps, std::uint64_t number, std::int64_t priority = 8) {
  return {.caps = std::move(caps),
          .requirements = {{.capability = "serial",
                            .comparison = Comparison::kNotEqual,
                            .values = {fmt::format("{}", number)}}},
          .priority = priority};
}

/// Why requests that stand ahead of the others are not served.
enum class Blocked { kNothingFits, kAllBusy };

struct Scene {
  std::uint64_t workers = 1'000;
  std::uint64_t classes = 100;
  std::uint64_t blocked = 0;
  Blocked why = Blocked::kNothingFits;
  /// Each blocked request has a demand of its own.
  bool different = false;
  farm::QueueOrder order = farm::QueueOrder::kFifo;

  friend bool operator==(const Scene&, const Scene&) = default;

  [[nodiscard]] std::string name() const {
    return fmt::format("start_job/order:{}/workers:{}/classes:{}/blocked:{}/why:{}/demands:{}",
                       order == farm::QueueOrder::kFair ? "fair" : "fifo", workers, classes, blocked,
                       why == Blocked::kAllBusy ? "busy" : "unfit", different ? "different" : "same");
  }
};

/// Workers in PREPARE; requests of 500 signatures, each of which fits every worker; ahead of them the blocked ones.
class Stage {
 public:
  explicit Stage(const Scene& scene) : scene_(scene), farm_(policy(scene), kUsers) {
    block();
    for (std::uint64_t number = 0; number < scene.workers; ++number) {
      workers_.push_back(farm_.enrol({{"pool", "free"}, {"class", fmt::format("{}", number % scene.classes)}}));
    }
    for (std::uint64_t number = 0; number < 2 * batch(); ++number) file_next();
  }

  [[nodiscard]] const Scene& scene() const { return scene_; }
  [[nodiscard]] std::uint64_t batch() const {
    return std::max<std::uint64_t>(std::min<std::uint64_t>(scene_.workers, 1'000), kSignatures);
  }

  /// `batch()` times: a worker becomes idle, and its job starts. Seconds of that alone.
  double start_jobs() {
    double seconds = 0;
    for (std::uint64_t left = batch(); left > 0;) {
      const auto round = std::min(left, scene_.workers);
      seconds += start_round(round);
      left -= round;
    }
    return seconds;
  }

 private:
  static farm::Policy policy(const Scene& scene) {
    farm::Policy policy;
    policy.order = scene.order;
    policy.first_tunnel_port = 10'000;
    return policy;
  }

  void block() {
    if (scene_.why == Blocked::kAllBusy) {
      const auto busy = farm_.enrol({{"pool", "busy"}});
      farm_.file({.caps = {{"pool", "busy"}}, .priority = 1});
      farm_.run(farm_.prepared(busy));
      BORUTA_ASSERT(farm_.runs_job(busy));
    }
    const auto* pool = scene_.why == Blocked::kAllBusy ? "busy" : "none";
    for (std::uint64_t number = 0; number < scene_.blocked; ++number) {
      farm_.file(demand({{"pool", pool}}, scene_.different ? number : 0, 1));
    }
  }

  void file_next() { farm_.file(demand({{"pool", "free"}}, filed_++ % kSignatures)); }

  double start_round(std::uint64_t round) {
    std::vector<WorkerUuid> chosen;
    std::vector<farm::Command> commands;
    for (std::uint64_t number = 0; number < round; ++number) {
      chosen.push_back(workers_[next_++ % workers_.size()]);
      commands.push_back(farm_.prepared(chosen.back()));
    }
    const auto seconds = seconds_of([&] {
      for (const auto& command : commands) farm_.run(command);
    });
    farm_.pass(1ms);
    for (const auto worker : chosen) {
      BORUTA_ASSERT(farm_.runs_job(worker));
      farm_.end_job(worker);
      file_next();
    }
    return seconds;
  }

  Scene scene_;
  BenchFarm farm_;
  std::vector<WorkerUuid> workers_;
  std::uint64_t next_ = 0;
  std::uint64_t filed_ = 0;
};

/// The stage is set once for all repetitions.
void start_job(benchmark::State& state, const Scene& scene) {
  static std::unique_ptr<Stage> stage;
  if (stage == nullptr || stage->scene() != scene) {
    stage.reset();
    stage = std::make_unique<Stage>(scene);
    stage->start_jobs();
  }
  std::uint64_t jobs = 0;
  for (auto _ : state) {
    state.SetIterationTime(stage->start_jobs());
    jobs += stage->batch();
  }
  state.counters["rate"] = benchmark::Counter(static_cast<double>(jobs), benchmark::Counter::kIsRate);
}

void add_start_job() {
  std::vector<Scene> scenes;
  const auto add = [&](const Scene& scene) {
    if (std::ranges::find(scenes, scene) == scenes.end()) scenes.push_back(scene);
  };
  for (const auto order : {farm::QueueOrder::kFifo, farm::QueueOrder::kFair}) {
    for (const std::uint64_t workers : {100, 1'000, 10'000}) add({.workers = workers, .order = order});
    for (const std::uint64_t classes : {1, 100, 1'000}) add({.classes = classes, .order = order});
  }
  add({.classes = 1'000, .blocked = 100'000, .different = true});
  for (const auto why : {Blocked::kNothingFits, Blocked::kAllBusy}) {
    for (const bool different : {false, true}) {
      for (const std::uint64_t blocked : {100, 1'000, 10'000, 100'000}) {
        add({.blocked = blocked, .why = why, .different = different});
      }
      add({.blocked = 100'000, .why = why, .different = different, .order = farm::QueueOrder::kFair});
    }
  }
  for (const auto& scene : scenes) {
    benchmark::RegisterBenchmark(scene.name().c_str(), [scene](benchmark::State& state) { start_job(state, scene); })
        ->UseManualTime()
        ->Iterations(10)
        ->Repetitions(3);
  }
}

/// Requests of 20,000 signatures, each of which fits 1,000 classes, are filed and closed again.
void churn_signatures(benchmark::State& state) {
  constexpr std::uint64_t kCount = 20'000;
  constexpr std::uint64_t kClasses = 1'000;
  BenchFarm farm(farm::Policy{}, kUsers);
  for (std::uint64_t number = 0; number < kClasses; ++number) farm.enrol({{"class", fmt::format("{}", number)}});
  double filing = 0;
  double closing = 0;
  std::uint64_t count = 0;
  for (auto _ : state) {
    std::vector<RequestId> filed;
    const auto file_all = seconds_of([&] {
      for (std::uint64_t number = 0; number < kCount; ++number) filed.push_back(farm.file(demand({}, number)));
    });
    BORUTA_ASSERT(farm.engine().matcher().signature_count() == kCount);
    const auto close_all = seconds_of([&] {
      for (const auto id : filed) farm.close(id);
    });
    BORUTA_ASSERT(farm.engine().matcher().signature_count() == 0);
    state.SetIterationTime(file_all + close_all);
    filing += file_all;
    closing += close_all;
    count += kCount;
  }
  state.counters["file_us"] = filing * 1e6 / static_cast<double>(count);
  state.counters["close_us"] = closing * 1e6 / static_cast<double>(count);
}

constexpr std::uint64_t kTimers = 1'000'000;

/// A million requests wait, each with a deadline of its own, a millisecond after the one before.
BenchFarm& farm_of_timers() {
  static const auto farm = [] {
    auto made = std::make_unique<BenchFarm>(farm::Policy{}, kUsers);
    for (std::uint64_t number = 1; number <= kTimers; ++number) {
      const auto deadline = made->now().wall + 1h + number * 1ms;
      made->file({.caps = {{"pool", "none"}}, .priority = 8, .deadline = WallTime{.at = deadline}});
    }
    made->pass(1h);
    return made;
  }();
  return *farm;
}

/// A tick at which `due` deadlines have come.
void tick(benchmark::State& state, std::uint64_t due) {
  auto& farm = farm_of_timers();
  for (auto _ : state) {
    farm.pass(due * 1ms);
    std::size_t ended = 0;
    state.SetIterationTime(seconds_of([&] { ended = farm.engine().tick(farm.now()).events.size(); }));
    BORUTA_ASSERT(ended == due);
  }
}

std::size_t allocated() {
  const auto info = mallinfo2();
  return info.uordblks + info.hblkhd;
}

/// What `requests` bytes of heap stand for, each: `make` makes one.
double bytes_each(std::uint64_t requests, const std::function<void(std::uint64_t)>& make) {
  const auto before = allocated();
  for (std::uint64_t number = 0; number < requests; ++number) make(number);
  return static_cast<double>(allocated() - before) / static_cast<double>(requests);
}

/// Heap that a request takes. The records alone are `sizeof`; the rest are indexes and columns.
void memory(benchmark::State& state) {
  constexpr std::uint64_t kFinished = 1'000'000;
  constexpr std::uint64_t kWaiting = 200'000;
  for (auto _ : state) {
    BenchFarm farm(farm::Policy{}, kUsers);
    state.counters["finished"] = bytes_each(kFinished, [&](std::uint64_t number) {
      farm.close(farm.file(demand({{"pool", "none"}}, number % kSignatures)));
    });
    state.counters["waiting"] = bytes_each(
        kWaiting, [&](std::uint64_t number) { farm.file(demand({{"pool", "none"}}, number % kSignatures)); });
    state.counters["waiting_different"] = bytes_each(
        kWaiting, [&](std::uint64_t number) { farm.file(demand({{"pool", "none"}}, kSignatures + number)); });
  }
  state.counters["record"] = sizeof(farm::Request);
}

void add_all() {
  add_start_job();
  benchmark::RegisterBenchmark("churn_signatures", churn_signatures)->UseManualTime()->Iterations(1)->Repetitions(3);
  for (const std::uint64_t due : {0, 1, 1'000}) {
    benchmark::RegisterBenchmark(fmt::format("tick/timers:{}/due:{}", kTimers, due).c_str(),
                                 [due](benchmark::State& state) { tick(state, due); })
        ->UseManualTime()
        ->Iterations(due == 1'000 ? 10 : 1'000)
        ->Repetitions(3);
  }
  benchmark::RegisterBenchmark("memory", memory)->Iterations(1);
}

}  // namespace
}  // namespace boruta::bench

int main(int argc, char** argv) {
  boruta::bench::add_all();
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}

#include "server/metrics.hpp"

#include <boost/asio/post.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <algorithm>
#include <array>
#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>
#include <utility>

#include "base/limits.hpp"
#include "runtime/process_stats.hpp"
#include "server/counter_slots.hpp"

namespace boruta::server {
namespace {

using prometheus::Counter;
using prometheus::Gauge;
using prometheus::Histogram;
using prometheus::Labels;

constexpr std::size_t kPriorities = limits::kLowestPriority - limits::kHighestPriority + 1;
constexpr std::size_t kRefusalCodes = static_cast<std::size_t>(RefusalCode::kUnavailable) + 1;
constexpr std::size_t kClients = 2;

constexpr std::array kWorkerStates{farm::WorkerState::kMaintenance, farm::WorkerState::kPrepare,
                                   farm::WorkerState::kIdle,        farm::WorkerState::kRunning,
                                   farm::WorkerState::kBusy,        farm::WorkerState::kFailed};
constexpr std::array kEndStates{farm::RequestState::kCancelled, farm::RequestState::kTimeout,
                                farm::RequestState::kInvalid, farm::RequestState::kDone, farm::RequestState::kFailed};

/// Of the queue, in one turn on the strand: some milliseconds.
constexpr std::size_t kRequestsAtOnce = 5'000;

/// Upper bounds in seconds. Requests wait for moments or for days, jobs run for a test or for a day.
const Histogram::BucketBoundaries kWaitBounds{0.1, 1, 5, 15, 60, 300, 900, 3'600, 14'400, 43'200, 86'400};
const Histogram::BucketBoundaries kRunBounds{1, 10, 30, 60, 300, 900, 1'800, 3'600, 7'200, 14'400, 28'800, 86'400};
const Histogram::BucketBoundaries kCommitBounds{0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 5, 30};

double seconds_of(Duration duration) { return std::chrono::duration<double>(duration).count(); }

/// Waiting for a ValidAfter that its owner chose is not waiting for a worker.
Instant waits_since(const farm::Request& request) { return std::max(request.created, request.valid_after.at); }

prometheus::Family<Gauge>& gauges(prometheus::Registry& registry, const std::string& name, const std::string& help) {
  return prometheus::BuildGauge().Name(name).Help(help).Register(registry);
}
Gauge& gauge(prometheus::Registry& registry, const std::string& name, const std::string& help) {
  return gauges(registry, name, help).Add({});
}
prometheus::Family<Counter>& counters(prometheus::Registry& registry, const std::string& name,
                                      const std::string& help) {
  return prometheus::BuildCounter().Name(name).Help(help).Register(registry);
}
Counter& counter(prometheus::Registry& registry, const std::string& name, const std::string& help) {
  return counters(registry, name, help).Add({});
}
Histogram& histogram(prometheus::Registry& registry, const std::string& name, const std::string& help,
                     const Histogram::BucketBoundaries& bounds) {
  return prometheus::BuildHistogram().Name(name).Help(help).Register(registry).Add({}, bounds);
}

/// One metric of `family` for each of `values`, in their order.
template <class Metric, class Value, std::size_t N>
std::array<Metric*, N> labelled(prometheus::Family<Metric>& family, const std::string& label,
                                const std::array<Value, N>& values) {
  std::array<Metric*, N> metrics{};
  std::ranges::transform(values, metrics.begin(),
                         [&](Value value) { return &family.Add({{label, std::string(to_string(value))}}); });
  return metrics;
}

template <class Metric>
std::array<Metric*, kPriorities> by_priority(prometheus::Family<Metric>& family) {
  std::array<Metric*, kPriorities> metrics{};
  for (std::size_t place = 0; place < kPriorities; ++place) {
    metrics.at(place) = &family.Add({{"priority", std::to_string(place + limits::kHighestPriority)}});
  }
  return metrics;
}

template <class Value, std::size_t N>
std::size_t place_of(const std::array<Value, N>& values, Value value) {
  return static_cast<std::size_t>(std::ranges::find(values, value) - values.begin());
}

std::string_view word_for(Metrics::Client client) { return client == Metrics::Client::kUser ? "user" : "agent"; }

}  // namespace

struct Metrics::Series {
  prometheus::Registry registry;

  std::array<Gauge*, kWorkerStates.size()> workers =
      labelled(gauges(registry, "boruta_workers", "Registered workers by state."), "state", kWorkerStates);
  Gauge& agents_connected = gauge(registry, "boruta_agents_connected", "Workers whose agent is connected.");
  std::array<Gauge*, kPriorities> queue_length =
      by_priority(gauges(registry, "boruta_queue_length", "Waiting requests by priority, 1 is the first."));
  std::array<Gauge*, kPriorities> queue_oldest =
      by_priority(gauges(registry, "boruta_queue_oldest_age_seconds",
                         "How long the oldest waiting request waits by now, by priority; 0 where none waits."));
  Gauge& store_stalled =
      gauge(registry, "boruta_store_stalled", "1 while the store cannot be written and changes are refused.");

  Counter& requests_created = counter(registry, "boruta_requests_created_total", "Requests filed.");
  std::array<Counter*, kEndStates.size()> requests_ended = labelled(
      counters(registry, "boruta_requests_ended_total", "Requests ended, by their last state."), "state", kEndStates);
  Counter& jobs_started = counter(registry, "boruta_jobs_started_total", "Requests that were given a worker.");
  Histogram& waiting = histogram(registry, "boruta_request_waiting_seconds",
                                 "From filing, or ValidAfter if that is later, to the start of the job.", kWaitBounds);
  Histogram& running =
      histogram(registry, "boruta_job_running_seconds", "From the start of a job to its end.", kRunBounds);
  Histogram& commit = histogram(registry, "boruta_commit_seconds",
                                "From the decision on a change to its being durable.", kCommitBounds);
  CounterSlots<kClients * kRefusalCodes> refusals{
      counters(registry, "boruta_refusals_total", "What users and agents were refused, by the reason's code.")};

  prometheus::Family<Counter>& tunnel_bytes =
      counters(registry, "boruta_tunnel_bytes_total", "Bytes that came in through tunnels, by where they go.");
  Counter& bytes_to_worker = tunnel_bytes.Add({{"to", "worker"}});
  Counter& bytes_to_user = tunnel_bytes.Add({{"to", "user"}});
  prometheus::Family<Counter>& tunnel_connections = counters(
      registry, "boruta_tunnel_connections_total", "Users' connections, by the way on which they reached the worker.");
  Counter& direct = tunnel_connections.Add({{"way", "direct"}});
  Counter& by_agent = tunnel_connections.Add({{"way", "agent"}});
  Counter& unreached = tunnel_connections.Add({{"way", "none"}});
  Counter& beyond_limit = tunnel_connections.Add({{"way", "refused"}});
  Gauge& open_connections =
      gauge(registry, "boruta_tunnel_open_connections", "Users' connections that stand, to running jobs.");

  Gauge& resident = gauge(registry, "process_resident_memory_bytes", "Resident memory.");
  Gauge& virtual_memory = gauge(registry, "process_virtual_memory_bytes", "Virtual memory.");
  Counter& cpu = counter(registry, "process_cpu_seconds_total", "CPU time of all threads, user and system.");
  Gauge& open_fds = gauge(registry, "process_open_fds", "Open file descriptors.");
  Gauge& max_fds = gauge(registry, "process_max_fds", "File descriptors that may be open.");
  Gauge& started = gauge(registry, "process_start_time_seconds", "When the process started, in seconds since 1970.");
};

Metrics::Metrics(Coordinator* coordinator, const Committer* committer)
    : coordinator_(*coordinator), committer_(*committer), series_(std::make_unique<Series>()) {
  series_->started.Set(runtime::process_start_seconds());
  coordinator_.add_listener(this);
}

Metrics::~Metrics() = default;

prometheus::Registry& Metrics::registry() { return series_->registry; }

void Metrics::on_durable(const farm::Events& events, const farm::Touched& /*touched*/) {
  for (const auto& event : events) {
    if (std::holds_alternative<farm::RequestCreated>(event.body)) {
      series_->requests_created.Increment();
    } else if (const auto* started = std::get_if<farm::JobStarted>(&event.body)) {
      take(*started, event.at);
    } else if (const auto* ended = std::get_if<farm::RequestEnded>(&event.body)) {
      take(*ended, event.at);
    }
  }
}

void Metrics::take(const farm::JobStarted& event, Instant at) {
  series_->jobs_started.Increment();
  // The record may be newer than the event, but when it was filed does not change.
  const auto request = coordinator_.engine().farm().find_request(event.id);
  if (request != nullptr) series_->waiting.Observe(seconds_of(at - waits_since(*request)));
}

void Metrics::take(const farm::RequestEnded& event, Instant at) {
  series_->requests_ended.at(place_of(kEndStates, event.state))->Increment();
  const auto request = coordinator_.engine().farm().find_request(event.id);
  if (request != nullptr && request->job) series_->running.Observe(seconds_of(at - request->job->started));
}

void Metrics::on_committed(Duration took) { series_->commit.Observe(seconds_of(took)); }

void Metrics::count_refusal(Client client, RefusalCode code) {
  const auto slot = static_cast<std::size_t>(client) * kRefusalCodes + static_cast<std::size_t>(code);
  series_->refusals.increment(
      slot, [&] { return Labels{{"client", std::string(word_for(client))}, {"code", std::string(word_of(code))}}; });
}

/// What waits, by priority.
struct Metrics::Queue {
  std::array<std::size_t, kPriorities> length{};
  std::array<Duration, kPriorities> oldest{};
};

Task<std::expected<std::string, Refusal>> Metrics::scrape() {
  Queue queue;
  for (std::optional next = RequestId{}; next;) {
    auto read = [this, &queue, next](View& view) {
      // Numbers promise nothing to anybody, and are wanted most while the store cannot be written.
      view.depends_on(EventSeq{});
      const auto rest = read_queue(view, *next, &queue);
      if (!rest) {
        set_queue(queue);
        read_farm(view);
        read_tunnels();
        read_process();
      }
      return rest;
    };
    const auto rest = co_await coordinator_.read(std::move(read));
    if (!rest) co_return std::unexpected(rest.error());
    next = *rest;
    // In a long queue others have their turn in between.
    if (next) co_await asio::post(co_await asio::this_coro::executor, asio::use_awaitable);
  }
  co_return prometheus::TextSerializer().Serialize(series_->registry.Collect());
}

std::optional<RequestId> Metrics::read_queue(const View& view, RequestId first, Queue* queue) {
  const auto& farm = view.farm();
  const auto now = view.now().wall;
  auto id = farm.open_requests().lower_bound(first);
  for (std::size_t left = kRequestsAtOnce; left > 0 && id != farm.open_requests().end(); --left, ++id) {
    const auto* request = farm.find_open_request(*id);
    if (request->state != farm::RequestState::kWaiting) continue;
    const auto place = request->priority.value - limits::kHighestPriority;
    ++queue->length.at(place);
    queue->oldest.at(place) = std::max(queue->oldest.at(place), now - waits_since(*request));
  }
  if (id == farm.open_requests().end()) return std::nullopt;
  return *id;
}

void Metrics::set_queue(const Queue& queue) {
  for (std::size_t place = 0; place < kPriorities; ++place) {
    series_->queue_length.at(place)->Set(static_cast<double>(queue.length.at(place)));
    series_->queue_oldest.at(place)->Set(seconds_of(queue.oldest.at(place)));
  }
}

void Metrics::read_farm(const View& view) {
  const auto& farm = view.farm();
  std::array<std::size_t, kWorkerStates.size()> workers{};
  std::size_t connected = 0;
  for (const auto& [uuid, worker] : farm.workers()) {
    ++workers.at(place_of(kWorkerStates, worker.state));
    if (worker.connected) ++connected;
  }
  series_->store_stalled.Set(committer_.stalled() ? 1 : 0);
  for (std::size_t place = 0; place < workers.size(); ++place) {
    series_->workers.at(place)->Set(static_cast<double>(workers.at(place)));
  }
  series_->agents_connected.Set(static_cast<double>(connected));
}

void Metrics::read_tunnels() {
  if (tunnels_ == nullptr) return;
  const auto totals = tunnels_->totals();
  const auto raise = [](Counter& counter, std::uint64_t total) {
    counter.Increment(std::max(0.0, static_cast<double>(total) - counter.Value()));
  };
  raise(series_->bytes_to_worker, totals.bytes_to_worker);
  raise(series_->bytes_to_user, totals.bytes_to_user);
  raise(series_->direct, totals.direct_connections);
  raise(series_->by_agent, totals.agent_connections);
  raise(series_->unreached, totals.failed_connections);
  raise(series_->beyond_limit, totals.refused_connections);
  series_->open_connections.Set(static_cast<double>(totals.open_connections));
}

void Metrics::read_process() {
  const auto stats = runtime::read_process_stats();
  series_->resident.Set(static_cast<double>(stats.resident_bytes));
  series_->virtual_memory.Set(static_cast<double>(stats.virtual_bytes));
  series_->cpu.Increment(std::max(0.0, stats.cpu_seconds - series_->cpu.Value()));
  series_->open_fds.Set(static_cast<double>(stats.open_fds));
  series_->max_fds.Set(static_cast<double>(stats.max_fds));
}

}  // namespace boruta::server

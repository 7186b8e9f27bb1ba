#pragma once

#include <boost/asio/bind_executor.hpp>
#include <boost/asio/dispatch.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <deque>
#include <expected>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <type_traits>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

#include "base/refusal.hpp"
#include "base/secret.hpp"
#include "match/engine.hpp"
#include "runtime/clock.hpp"
#include "runtime/task.hpp"
#include "server/committer.hpp"

namespace boruta::server {

/// The farm as a reader sees it, for the time of one call on the coordinator's strand.
class View {
 public:
  View(const match::Engine& engine, Now at) : engine_(engine), at_(at) {}

  [[nodiscard]] const farm::Farm& farm() const { return engine_.farm(); }
  [[nodiscard]] const match::Matcher& matcher() const { return engine_.matcher(); }
  [[nodiscard]] Now now() const { return at_; }
  /// An instant of the lease clock as wall time.
  [[nodiscard]] Instant to_wall(Instant lease) const { return lease + (at_.wall - at_.lease); }

  /// Tells that the answer depends on nothing newer than `event` (and what was told before): the reader then waits
  /// for no more than that to be durable. Untold, it waits for everything.
  void depends_on(EventSeq event) { newest_ = std::max(newest_.value_or(EventSeq{}), event); }
  [[nodiscard]] EventSeq newest() const { return newest_.value_or(farm().last_event()); }

 private:
  const match::Engine& engine_;
  Now at_;
  std::optional<EventSeq> newest_;
};

/// Hears of what happened, in order, once it is durable. Called on the coordinator's strand.
class Listener {
 public:
  virtual ~Listener() = default;
  virtual void on_durable(const farm::Events& events, const farm::Touched& touched) = 0;
  /// What was just told became durable within `took` of being decided.
  virtual void on_committed(Duration /*took*/) {}
};

/// How to get into a worker.
struct Access {
  std::uint16_t tunnel_port = 0;
  std::string username;
  /// Empty where the owner's own keys open the account.
  Secret private_key;
  std::vector<std::string> host_keys;
  WorkerUuid worker;
};

/// Owns the one mutable Farm and is its only writer.
/// Threads: all state lives on `strand`; `submit`, `note`, `read` and `acquire` may be called from any executor and
/// resume their caller on its own. Order: decide, apply, commit, then reply, publish and act. Nobody hears of an event
/// that is not durable. Stop: `request_stop` refuses new work and ends waits; `run` returns after the batch in hand.
class Coordinator {
 public:
  /// What it is wired to; all of it outlives the coordinator.
  struct Wiring {
    asio::any_io_executor strand;
    runtime::Clock* clock = nullptr;
    Committer* committer = nullptr;
  };

  Coordinator(Wiring wiring, farm::Policy policy, store::Loaded loaded);
  Coordinator(const Coordinator&) = delete;
  Coordinator& operator=(const Coordinator&) = delete;
  ~Coordinator();

  /// Before `run`, on the strand. `listener` outlives the coordinator.
  void add_listener(Listener* listener) { listeners_.push_back(listener); }

  /// Starts the server's life in the journal and lets time act, until request_stop.
  Task<void> run();
  void request_stop();

  /// Whether what runs on `executor` is on the strand; else it awaits `enter` first.
  [[nodiscard]] bool is_strand(const asio::any_io_executor& executor) const { return executor == strand_; }
  /// The coroutine goes on here on the strand, until its next wait: that resumes it on its own executor.
  auto enter() { return asio::dispatch(asio::bind_executor(strand_, asio::use_awaitable)); }

  /// Executes `command`; returns its own events once they are durable, or why it was refused. `secret` is the private
  /// key that a FinishPrepare brings.
  Task<std::expected<farm::Events, Refusal>> submit(farm::Command command, Secret secret = {});

  /// Executes `command`, which is for the record: returns at once, and a refusal is dropped.
  void note(farm::Command command);

  /// Calls `reader(View&)` on the strand and returns its result once all that it saw is durable.
  /// kUnavailable when the server stops before.
  template <class Reader>
  Task<std::expected<std::invoke_result_t<Reader, View&>, Refusal>> read(Reader reader) {
    const auto executor = co_await asio::this_coro::executor;
    if (!is_strand(executor)) co_await enter();
    View view(engine_, clock_.now());
    auto result = reader(view);
    // Most see nothing but what is durable, and are not worth a coroutine more.
    if (const auto newest = view.newest().value; newest > durable_.reached()) {
      const bool stored = co_await durable_.wait(newest);
      if (!stored) {
        co_return std::unexpected(Refusal{.code = RefusalCode::kUnavailable, .detail = "the server is shutting down"});
      }
    }
    co_return std::move(result);
  }

  /// Says who asks, or why nobody does any more: users are deleted and tokens revoked while somebody waits.
  using Identify = std::function<std::expected<farm::Actor, Refusal>()>;

  /// Waits while the request is WAITING (at most `wait`, for ever if none), then until access is ready; prolongs it
  /// and returns how to get in. Who asks, and whether they may, is asked on the strand before and after each wait.
  /// kNotAssigned when the request leaves WAITING any other way or the wait passes. Obeys cancellation.
  Task<std::expected<Access, Refusal>> acquire(Identify identify, RequestId id, std::optional<Duration> wait);

  /// Durable events, for histories.
  Task<std::expected<farm::Events, Refusal>> read_events(store::EventQuery query);

  // On the strand only:
  [[nodiscard]] bool stopping() const { return stopping_; }
  [[nodiscard]] const match::Engine& engine() const { return engine_; }
  [[nodiscard]] EventSeq durable() const { return EventSeq{durable_.reached()}; }
  [[nodiscard]] const asio::any_io_executor& strand() const { return strand_; }
  [[nodiscard]] runtime::Clock& clock() const { return clock_; }
  /// The tunnel of the request's job listens (or does no more).
  void set_tunnel_ready(RequestId id, bool ready);

 private:
  struct Unpublished {
    EventSeq last;
    farm::Events events;
    farm::Touched touched;
    /// When it went to the committer (lease clock).
    Instant submitted;
  };

  struct Executed {
    std::expected<farm::Events, Refusal> outcome;
    /// What must be durable before anybody hears of the outcome.
    EventSeq seen;
  };

  /// Why nothing can be changed by `actor` now, whatever it is.
  [[nodiscard]] std::optional<Refusal> refuse_now(const farm::Actor& actor) const;
  Executed execute(const farm::Command& command, Secret secret);
  Task<std::expected<Access, Refusal>> acquire_on_strand(Identify identify, RequestId id, std::optional<Duration> wait);
  /// The worker that registers stands prepared, and its key was not loaded: a backup has none.
  [[nodiscard]] bool key_lost(const farm::RegisterWorker& hello) const;
  void carry(match::Step step, Secret secret, Now now);
  void on_durable(EventSeq durable);
  void update_keys(const match::Step& step, Secret secret, store::EventBatch& batch);
  [[nodiscard]] bool access_ready(const farm::Request& request) const;
  [[nodiscard]] Access access_to(const farm::Request& request) const;
  /// False when `until` came first.
  Task<bool> wait_for_change(RequestId id, std::optional<Instant> until);
  void arm_timer();

  asio::any_io_executor strand_;
  runtime::Clock& clock_;
  Committer& committer_;
  match::Engine engine_;
  std::unordered_map<WorkerUuid, Secret> keys_;
  std::vector<Listener*> listeners_;
  std::deque<Unpublished> unpublished_;
  runtime::SequenceGate durable_;
  /// Requests that somebody waits for.
  std::unordered_map<RequestId, std::shared_ptr<runtime::Signal>> watched_;
  std::unordered_set<RequestId> tunnels_ready_;
  std::unique_ptr<runtime::Timer> timer_;
  /// What the timer waits for, unless it has expired.
  std::optional<Instant> armed_for_;
  bool stopping_ = false;
};

}  // namespace boruta::server

#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "match/engine.hpp"

/// A farm for tests: drives the whole core by readable steps, and after each step checks all that must always hold.
namespace boruta::farm {

/// What an agent remembers, and tells when it registers. The fixture keeps it as a well-behaved agent would.
struct AgentMemory {
  WorkerUuid uuid;
  /// Without UUID.
  Capabilities caps;
  std::string instance;
  std::string address = "192.0.2.1";
  std::uint16_t ssh_port = 22;
  std::vector<std::string> host_keys{"ssh-ed25519 AAAA"};
  Generation generation;
  bool prepared = false;
  std::optional<RequestId> job;
  std::optional<TokenId> token;
};

struct Filing {
  Capabilities caps{};
  /// As users write them.
  std::vector<std::string> requirements{};
  std::int64_t priority = 8;
  std::optional<Duration> valid_in = std::nullopt;
  std::optional<Duration> deadline_in = std::nullopt;
  std::optional<Duration> lease = std::nullopt;
  std::optional<Duration> claim_within = std::nullopt;
};

class FarmFixture {
 public:
  /// The farm starts on 2026-01-01 at noon with the admin "root" and the users "alice" and "bob".
  explicit FarmFixture(Policy policy = {});
  FarmFixture(const FarmFixture&) = delete;
  FarmFixture& operator=(const FarmFixture&) = delete;
  /// Replays everything that happened and compares.
  ~FarmFixture();

  // Time. Both clocks go on together.
  [[nodiscard]] Now now() const { return now_; }
  /// Stops at every deadline on the way, as the server does.
  void advance(Duration by);
  /// The server comes late: whatever became due in between is found at the end alone.
  void jump(Duration by);
  /// Wall time alone is set forward.
  void set_wall_forward(Duration by);
  /// The server stops, and starts again after `down`.
  void restart(Duration down = {});

  /// Anything. Returns why it was refused, as users read it; empty if it was not.
  std::string act(std::string_view actor, CommandBody body);
  /// The kinds of the events of the last step, with commas.
  [[nodiscard]] std::string last_events() const;

  // Agents, by their worker's name here. Their answers carry the worker's present generation.
  std::string register_worker(const std::string& name, Capabilities caps = {});
  std::string reconnect(const std::string& name);
  void disconnect(const std::string& name);
  void lose(const std::string& name);
  void prepare_ok(const std::string& name);
  void prepare_fails(const std::string& name, const std::string& error);
  void grant_ok(const std::string& name);
  void grant_fails(const std::string& name, const std::string& error);
  void end_job_ok(const std::string& name);
  void end_job_fails(const std::string& name, const std::string& error);
  void maintenance_ok(const std::string& name);
  void maintenance_fails(const std::string& name, const std::string& error);
  std::string set_fail(const std::string& name, std::string reason);
  /// Registered, prepared and IDLE.
  void make_idle(const std::string& name, Capabilities caps = {});
  [[nodiscard]] AgentMemory& agent(const std::string& name) { return agents_.at(name); }

  // Users
  RequestId create(std::string_view owner, Filing filing = {});
  std::string try_create(std::string_view owner, Filing filing);
  std::string close(std::string_view actor, RequestId id) { return act(actor, CloseRequest{.id = id}); }
  std::string prolong(std::string_view actor, RequestId id) { return act(actor, ProlongAccess{.id = id}); }
  std::string acquire(std::string_view actor, RequestId id) { return act(actor, AcquireWorker{.id = id}); }
  std::string set_state(const std::string& name, WorkerState state, std::string reason = {}, bool drain = false);
  std::string set_groups(const std::string& name, std::optional<Groups> groups);
  std::string deregister(const std::string& name);
  TokenId create_worker_token(bool reusable);

  /// Brings worker "w", and where the situation has a job request 1 of alice, into one of `situations()`.
  void bring(const std::string& situation);
  [[nodiscard]] static std::vector<std::string> situations();

  // What has become of it
  [[nodiscard]] const Farm& farm() const { return engine_->farm(); }
  [[nodiscard]] const match::Matcher& matcher() const { return engine_->matcher(); }
  [[nodiscard]] NextDeadline next_deadline() const { return engine_->next_deadline(); }
  [[nodiscard]] const Events& events() const { return events_; }
  [[nodiscard]] WorkerUuid uuid(const std::string& name) const { return agents_.at(name).uuid; }
  [[nodiscard]] const Worker& worker(const std::string& name) const;
  [[nodiscard]] Request request(RequestId id) const;
  [[nodiscard]] Job job(RequestId id) const { return *request(id).job; }
  [[nodiscard]] UserId user(std::string_view name) const;
  /// "FAILED lost dirty check: agent lost", all that an admin may want to know.
  [[nodiscard]] std::string describe(const std::string& name) const;
  /// "IN PROGRESS granted paused" or "DONE: closed by alice".
  [[nodiscard]] std::string describe(RequestId id) const;
  /// Worker "w", and request 1 where there is one: "IDLE | DONE: closed by alice".
  [[nodiscard]] std::string outcome() const;
  /// Which worker serves the request, by its name here; empty if none does.
  [[nodiscard]] std::string server_of(RequestId id) const;

  /// What an agent with this memory registers with.
  [[nodiscard]] RegisterWorker hello(const AgentMemory& memory) const;

 private:
  void absorb(const match::Step& step);
  void tick();
  void check(const match::Step& step);
  void check_touched(const Touched& touched, const Rows& after);
  void check_matched();
  void check_generations(const Events& events);
  [[nodiscard]] Actor actor(std::string_view name) const;
  template <class Answer>
  void answer(const std::string& name, const std::string& error);

  Policy policy_;
  Now now_;
  std::optional<match::Engine> engine_;
  Events events_;
  Events last_;
  Rows before_;
  std::map<std::string, AgentMemory> agents_;
  std::map<WorkerUuid, Generation> generations_;
};

/// One row of a table of outcomes.
struct Cell {
  std::string situation;
  std::string outcome;
};

/// Does `what` to a fresh farm in every situation and compares the outcome with its cell. Where there is no cell
/// nothing may have changed. `what` returns a refusal, with which the outcome then begins, and which is
/// `refusal_elsewhere` where there is no cell.
void expect_cells(const std::function<std::string(FarmFixture&)>& what, const std::string& refusal_elsewhere,
                  const std::vector<Cell>& cells);

}  // namespace boruta::farm

#pragma once

#include <boost/asio/io_context.hpp>

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "http/api.hpp"
#include "server/coordinator.hpp"
#include "server/metrics.hpp"
#include "sim/virtual_clock.hpp"
#include "store/memory_journal.hpp"

namespace boruta::http {

/// Who may call a route, in the words of its description.
[[nodiscard]] std::string_view word_of(Caller caller);

/// Commits at once, in memory; or says so only when `set_slow` ends, as if on a slow disk.
class DirectCommitter final : public server::Committer {
 public:
  explicit DirectCommitter(asio::any_io_executor executor) : executor_(std::move(executor)) {}

  void start(OnDurable on_durable) override { on_durable_ = std::move(on_durable); }
  void submit(store::EventBatch batch) override;
  [[nodiscard]] bool stalled() const override { return stalled_; }
  Task<std::expected<farm::Events, store::StoreError>> read(store::EventQuery query) override;
  Task<std::expected<store::Tidied, store::StoreError>> tidy(store::TidyOrder order) override;
  void stop() override {}

  store::MemoryJournal& journal() { return journal_; }
  void set_stalled(bool stalled) { stalled_ = stalled; }
  void set_slow(bool slow);

 private:
  asio::any_io_executor executor_;
  OnDurable on_durable_;
  store::MemoryJournal journal_;
  bool stalled_ = false;
  bool slow_ = false;
  EventSeq last_;
};

/// Says what a test wants to be said.
class FakeTunnelWatch final : public server::TunnelWatch {
 public:
  [[nodiscard]] std::optional<server::JobTraffic> traffic(RequestId job) const override {
    return job == traffic_of ? std::optional(some_traffic) : std::nullopt;
  }
  [[nodiscard]] server::TunnelTotals totals() const override { return all; }
  [[nodiscard]] std::optional<server::TunnelWay> way_to(WorkerUuid) const override { return way; }

  std::optional<RequestId> traffic_of;
  server::JobTraffic some_traffic{.bytes_to_worker = 12, .bytes_to_user = 345, .connections = 2};
  server::TunnelTotals all;
  std::optional<server::TunnelWay> way;
};

/// The whole server below its sockets, in one thread on virtual time, for tests: calls are answered when `call`
/// returns.
class ApiHarness {
 public:
  struct Headers : std::vector<std::pair<std::string, std::string>> {
    using vector::vector;
  };

  explicit ApiHarness(farm::Policy policy, Instant start = Instant(std::chrono::hours(24) * 365 * 50),
                      server::ClientLimits::Options limits = {});
  ~ApiHarness();

  /// The answer; fails the test if there is none without time passing.
  HttpResponse call(std::string_view method, std::string_view target, std::string_view body = {},
                    const Headers& headers = {});
  /// The status alone.
  unsigned status(std::string_view method, std::string_view target, std::string_view body = {},
                  const Headers& headers = {}) {
    return call(method, target, body, headers).status;
  }

  /// A call whose answer may need time, or an agent: one at a time, until `answered`.
  void start(std::string_view method, std::string_view target, std::string_view body = {}, const Headers& headers = {});
  [[nodiscard]] bool is_answered() const { return started_ && started_->response.has_value(); }
  HttpResponse answered();

  /// An agent's stream; what is said to it goes to `link`. Shows a good token unless one is given.
  std::expected<server::Agents::Session, Refusal> connect_agent(agent::Register hello,
                                                                std::shared_ptr<server::AgentLink> link,
                                                                std::optional<Secret> token = std::nullopt);
  /// A later message of the agent.
  void hear(server::Agents::Session session, agent::FromAgent message);
  void part_agent(server::Agents::Session session);

  /// What one `next` of a stream brought, once it is `done`.
  struct Pulled {
    bool done = false;
    std::optional<std::string> piece;
  };
  /// Asks `stream` for its next piece; it may come later.
  std::shared_ptr<Pulled> pull(std::shared_ptr<BodyStream> stream);

  std::expected<farm::Events, Refusal> submit(farm::CommandBody body, Secret secret = {}, farm::Actor actor = {});
  /// All but the newest, behind a checkpoint.
  void forget_events();
  /// Lets everything happen that needs no time.
  void settle();
  void pass_time(Duration duration);

  /// A worker whose agent does what it is told in `run_agents`. Returns its UUID.
  WorkerUuid add_worker(std::string_view uuid, Capabilities caps);
  /// Agents answer whatever they are asked, and the tunnels of jobs stand, until nothing is left to do. `broken`
  /// answers nothing but failures.
  void run_agents(std::optional<WorkerUuid> broken = std::nullopt);
  /// A bearer token of a new user, as a header's value.
  std::string add_user(std::string_view name, farm::Role role, Groups groups = {});

  asio::io_context& context() { return context_; }
  sim::VirtualClock& clock() { return clock_; }
  DirectCommitter& committer() { return committer_; }
  server::Agents& agents() { return *agents_; }
  server::Coordinator& coordinator() { return *coordinator_; }
  const farm::Farm& farm() { return coordinator_->engine().farm(); }
  Api& api() { return *api_; }
  FakeTunnelWatch& tunnels() { return tunnels_; }

 private:
  /// A call on its way, with all that it refers to.
  struct Started {
    std::string target;
    std::string body;
    HttpRequest request;
    std::optional<HttpResponse> response;
  };

  bool answer_for(const farm::Worker& worker, bool broken);

  asio::io_context context_;
  sim::VirtualClock clock_;
  DirectCommitter committer_;
  std::unique_ptr<server::Coordinator> coordinator_;
  std::unique_ptr<server::EventFeed> feed_;
  std::unique_ptr<server::Metrics> metrics_;
  std::unique_ptr<server::RefusalLog> refusals_;
  FakeTunnelWatch tunnels_;
  std::unique_ptr<server::Agents> agents_;
  std::unique_ptr<server::AgentBoards> boards_;
  std::unique_ptr<Started> started_;
  std::unique_ptr<Api> api_;
  runtime::TaskGroup tasks_;
};

/// Values of all headers of that name.
std::vector<std::string> values_of(const HttpResponse& response, std::string_view name);

}  // namespace boruta::http

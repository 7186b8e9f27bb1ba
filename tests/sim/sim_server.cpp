#include "sim/sim_server.hpp"

#include <boost/asio/post.hpp>

#include <sys/epoll.h>

/// Stands in for the system's: Asio asks the kernel whenever it has run out of handlers, and nothing ever comes from
/// there in a simulation, where the answer would take longer than all the rest.
extern "C" int epoll_wait(int /*epoll*/, epoll_event* /*events*/, int /*most*/, int /*timeout*/) { return 0; }

namespace boruta::sim {

using namespace std::chrono_literals;

void SimCommitter::submit(store::EventBatch batch) {
  store::merge(waiting_, std::move(batch));
  if (!under_way_) commit_later();
}

void SimCommitter::commit_later() {
  under_way_ = true;
  if (in_hand_.empty()) in_hand_ = std::exchange(waiting_, {});
  const bool slow = world_.chance(world_.weather().slow_commit);
  if (slow) world_.count("commit slow");
  world_.clock().after(slow ? world_.some_time(20ms, 10s) : world_.some_time(100us, 20ms), [this, alive = alive_] {
    if (*alive) commit();
  });
}

void SimCommitter::commit() {
  if (world_.chance(world_.weather().fail_commit)) {
    stalled_ = true;
    world_.count("commit failed");
    commit_later();
    return;
  }
  stalled_ = false;
  const auto batch = std::exchange(in_hand_, {});
  if (world_.chance(world_.weather().lose_outcome)) {
    world_.count("outcome of a commit unknown");
    if (world_.chance(500)) static_cast<void>(world_.disk().append(batch));
    // The process exits at once.
    world_.demand_exit();
    return;
  }
  const auto appended = world_.disk().append(batch);
  if (!appended) world_.violate("the journal refused a batch: " + appended.error().message);
  // The answer takes its time too: a crash in between leaves changes that nobody was told of.
  world_.clock().after(world_.some_time(0us, 5ms), [this, alive = alive_, durable = batch.last_seq()] {
    if (!*alive) return;
    asio::post(executor_, [this, durable] { on_durable_(durable); });
    under_way_ = false;
    if (!waiting_.empty()) commit_later();
  });
}

Task<std::expected<farm::Events, store::StoreError>> SimCommitter::read(store::EventQuery query) {
  co_return world_.disk().read(query);
}

Task<std::expected<store::Tidied, store::StoreError>> SimCommitter::tidy(store::TidyOrder order) {
  constexpr std::size_t kFew = 100;
  const auto before = world_.disk().last_seq();
  auto tidied = world_.disk().tidy(order, kFew);
  if (tidied->more) world_.count("events forgotten");
  if (world_.disk().last_seq() != before) world_.violate("a journal that was tidied is another one");
  co_return tidied;
}

namespace {

Task<void> retain(server::Retention* retention) {
  co_await retention->begin();
  co_await retention->run();
}

}  // namespace

std::expected<void, std::string> SimTunnels::open(RequestId job, std::uint16_t /*port*/,
                                                  server::TunnelTarget /*target*/) {
  const auto& durable = world_.disk().requests();
  const auto found = durable.find(job);
  const bool known = found != durable.end() && found->second.state == farm::RequestState::kInProgress;
  if (!known) world_.violate("a tunnel was opened for a job that is not durable");
  open_.insert(job);
  world_.let_in(coordinator_.engine().farm().find_open_request(job)->job->worker, job);
  return {};
}

void SimTunnels::retarget(RequestId job, server::TunnelTarget /*target*/) {
  if (!open_.contains(job)) world_.violate("a tunnel was turned that is not open");
}

void ServerEnd::arrive(agent::FromAgent message) {
  if (ended_) return;
  inbound_.push_back(std::move(message));
  arrived_->cancel();
}

void ServerEnd::break_off() {
  ended_ = true;
  arrived_->cancel();
}

void ServerEnd::send(agent::ToAgent message) {
  if (ended_) return;
  if (world_.loses_message()) return;
  last_delivery_ = std::max(last_delivery_, world_.clock().now().lease + world_.transit());
  world_.clock().at(last_delivery_, [agent = agent_, message = std::move(message)]() mutable {
    if (const auto alive = agent.lock()) alive->deliver(std::move(message));
  });
}

void ServerEnd::close(std::optional<Refusal> /*why*/) {
  if (ended_) return;
  world_.clock().at(std::max(last_delivery_, world_.clock().now().lease + 1ms), [agent = agent_] {
    if (const auto alive = agent.lock()) alive->end_stream();
  });
  break_off();
}

Task<void> ServerEnd::serve(std::shared_ptr<ServerEnd> self, server::Agents* agents) {
  auto& inbound = self->inbound_;
  while (inbound.empty() && !self->ended_) co_await self->arrived_->wait();
  if (inbound.empty()) co_return;
  auto hello = std::get<agent::Register>(std::move(inbound.front()));
  inbound.pop_front();
  auto session = co_await agents->connect(workers_token(), std::move(hello), "192.0.2.1", self);
  if (!session) {
    self->world_.count("registration refused");
    self->close(session.error());
    co_return;
  }
  while (!self->ended_ || !inbound.empty()) {
    if (inbound.empty()) {
      co_await self->arrived_->wait();
      continue;
    }
    auto message = std::move(inbound.front());
    inbound.pop_front();
    co_await agents->receive(*session, std::move(message));
  }
  co_await agents->disconnect(*session);
}

SimServer::SimServer(World* world, farm::Policy policy, Duration keep_events, store::Loaded durable,
                     server::Listener* invariants)
    : world_(*world),
      committer_(world, context_.get_executor()),
      coordinator_({.strand = context_.get_executor(), .clock = &world->clock(), .committer = &committer_}, policy,
                   std::move(durable)),
      agents_(&coordinator_),
      tunnels_(world, &coordinator_),
      reconciler_(&coordinator_, &agents_, &tunnels_),
      feed_(&coordinator_),
      retention_(&coordinator_, &committer_, &feed_, keep_events),
      tasks_(context_.get_executor()) {
  coordinator_.add_listener(invariants);
  tasks_.spawn("coordinator", coordinator_.run());
  tasks_.spawn("agents", agents_.run());
  tasks_.spawn("reconciler", reconciler_.run(30s));
  tasks_.spawn("retention", retain(&retention_));
}

SimServer::~SimServer() {
  world_.clock().abandon_waits();
  context_.destroy_handlers();
}

std::shared_ptr<ServerEnd> SimServer::accept(std::weak_ptr<AgentEnd> agent) {
  auto end = std::make_shared<ServerEnd>(&world_, context_.get_executor(), std::move(agent));
  tasks_.spawn("stream", ServerEnd::serve(end, &agents_));
  return end;
}

}  // namespace boruta::sim

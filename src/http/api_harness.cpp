#include "http/api_harness.hpp"

#include <boost/asio/post.hpp>
#include <gtest/gtest.h>

#include "http/url.hpp"
#include "server/access.hpp"

namespace boruta::http {
namespace {

Task<void> handle_into(Application* application, const HttpRequest* request, std::optional<HttpResponse>* out) {
  *out = co_await application->handle(request);
}

Task<void> submit_into(server::Coordinator* coordinator, farm::Command command, Secret secret,
                       std::optional<std::expected<farm::Events, Refusal>>* out) {
  *out = co_await coordinator->submit(std::move(command), std::move(secret));
}

Task<void> connect_into(server::Agents* agents, Secret token, agent::Register hello,
                        std::shared_ptr<server::AgentLink> link,
                        std::optional<std::expected<server::Agents::Session, Refusal>>* out) {
  std::optional<Secret> shown(std::move(token));
  std::string peer = "192.0.2.7";
  *out = co_await agents->connect(std::move(shown), std::move(hello), std::move(peer), std::move(link));
}

Task<void> pull_into(std::shared_ptr<BodyStream> stream, std::shared_ptr<ApiHarness::Pulled> pulled) {
  pulled->piece = co_await stream->next();
  pulled->done = true;
}

}  // namespace

std::string_view word_of(Caller caller) {
  switch (caller) {
    case Caller::kAnyone:
      return "anyone";
    case Caller::kUser:
      return "user";
    case Caller::kAdmin:
      return "admin";
  }
  return {};
}

void DirectCommitter::submit(store::EventBatch batch) {
  ASSERT_TRUE(journal_.append(batch));
  last_ = batch.last_seq();
  if (!slow_) asio::post(executor_, [this, last = last_] { on_durable_(last); });
}

void DirectCommitter::set_slow(bool slow) {
  slow_ = slow;
  if (!slow) asio::post(executor_, [this, last = last_] { on_durable_(last); });
}

Task<std::expected<farm::Events, store::StoreError>> DirectCommitter::read(store::EventQuery query) {
  co_return journal_.read(query);
}

Task<std::expected<store::Tidied, store::StoreError>> DirectCommitter::tidy(store::TidyOrder order) {
  co_return journal_.tidy(order, limits::kListPage);
}

ApiHarness::ApiHarness(farm::Policy policy, Instant start, server::ClientLimits::Options limits)
    : clock_(start), committer_(context_.get_executor()), tasks_(context_.get_executor()) {
  server::Coordinator::Wiring wiring{.strand = context_.get_executor(), .clock = &clock_, .committer = &committer_};
  coordinator_ = std::make_unique<server::Coordinator>(std::move(wiring), policy, store::Loaded{});
  feed_ = std::make_unique<server::EventFeed>(coordinator_.get());
  metrics_ = std::make_unique<server::Metrics>(coordinator_.get(), &committer_);
  metrics_->watch(&tunnels_);
  agents_ = std::make_unique<server::Agents>(coordinator_.get());
  boards_ = std::make_unique<server::AgentBoards>(coordinator_.get(), agents_.get());
  refusals_ = std::make_unique<server::RefusalLog>(coordinator_.get());
  Api::Options options{.coordinator = coordinator_.get(),
                       .committer = &committer_,
                       .feed = feed_.get(),
                       .metrics = metrics_.get(),
                       .tunnels = &tunnels_,
                       .boards = boards_.get(),
                       .refusals = refusals_.get(),
                       .limits = limits,
                       .version = "9.9.9",
                       .advertise = std::nullopt};
  api_ = std::make_unique<Api>(std::move(options));
  tasks_.spawn("coordinator", coordinator_->run());
  tasks_.spawn("refusals", refusals_->run());
  settle();
  EXPECT_TRUE(submit(farm::CreateUser{
      .name = std::string(farm::kAnonymous), .role = farm::Role::kAdmin, .groups = {}, .token_hash = {}}));
}

ApiHarness::~ApiHarness() {
  coordinator_->request_stop();
  tasks_.request_stop();
  settle();
}

void ApiHarness::forget_events() {
  const auto now = clock_.now().wall;
  const auto tidied =
      committer_.journal().tidy({.now = now, .checkpoint_since = now, .forget_until = now}, limits::kListPage);
  ASSERT_TRUE(tidied);
  feed_->set_oldest(tidied->first);
}

void ApiHarness::settle() {
  context_.restart();
  while (context_.poll() > 0) {
  }
}

void ApiHarness::pass_time(Duration duration) {
  bool over = false;
  clock_.after(duration, [&over] { over = true; });
  while (!over) {
    ASSERT_TRUE(clock_.step(Instant::max()));
    settle();
  }
}

HttpResponse ApiHarness::call(std::string_view method, std::string_view target, std::string_view body,
                              const Headers& headers) {
  start(method, target, body, headers);
  return answered();
}

void ApiHarness::start(std::string_view method, std::string_view target, std::string_view body,
                       const Headers& headers) {
  auto started = std::make_unique<Started>();
  started->target = target;
  started->body = body;
  const auto split = split_target(started->target);
  started->request = {.method = parse_method(method),
                      .path = split.path,
                      .query = split.query,
                      .headers = {},
                      .body = started->body,
                      .local_address = "::ffff:192.0.2.1",
                      .peer_address = "192.0.2.9"};
  for (const auto& [name, value] : headers) started->request.headers.push_back({name, value});
  tasks_.spawn("call", handle_into(api_.get(), &started->request, &started->response));
  started_ = std::move(started);
  settle();
}

HttpResponse ApiHarness::answered() {
  settle();
  EXPECT_TRUE(is_answered()) << started_->target << " was not answered";
  auto response = std::move(started_->response);
  return response ? std::move(*response) : HttpResponse{.status = 0, .headers = {}, .body = {}};
}

std::expected<server::Agents::Session, Refusal> ApiHarness::connect_agent(agent::Register hello,
                                                                          std::shared_ptr<server::AgentLink> link,
                                                                          std::optional<Secret> token) {
  if (!token) {
    token = server::make_token();
    EXPECT_TRUE(submit(farm::CreateToken{.role = farm::Role::kWorker,
                                         .user = {},
                                         .name = "worker",
                                         .hash = server::hash_of(*token),
                                         .expires = std::nullopt}));
  }
  std::optional<std::expected<server::Agents::Session, Refusal>> outcome;
  tasks_.spawn("agent", connect_into(agents_.get(), *token, std::move(hello), std::move(link), &outcome));
  settle();
  return outcome ? *outcome : std::unexpected(Refusal{.code = RefusalCode::kUnavailable, .detail = {}});
}

void ApiHarness::hear(server::Agents::Session session, agent::FromAgent message) {
  tasks_.spawn("agent", agents_->receive(session, std::move(message)));
  settle();
}

void ApiHarness::part_agent(server::Agents::Session session) {
  tasks_.spawn("agent", agents_->disconnect(session));
  settle();
}

std::shared_ptr<ApiHarness::Pulled> ApiHarness::pull(std::shared_ptr<BodyStream> stream) {
  auto pulled = std::make_shared<Pulled>();
  tasks_.spawn("pull", pull_into(std::move(stream), pulled));
  settle();
  return pulled;
}

std::expected<farm::Events, Refusal> ApiHarness::submit(farm::CommandBody body, Secret secret, farm::Actor actor) {
  std::optional<std::expected<farm::Events, Refusal>> outcome;
  farm::Command command{.actor = std::move(actor), .body = std::move(body)};
  tasks_.spawn("submit", submit_into(coordinator_.get(), std::move(command), std::move(secret), &outcome));
  settle();
  return outcome ? std::move(*outcome) : std::unexpected(Refusal{.code = RefusalCode::kUnavailable, .detail = {}});
}

WorkerUuid ApiHarness::add_worker(std::string_view uuid, Capabilities caps) {
  caps.insert_or_assign(std::string(kUuidCap), std::string(uuid));
  farm::Registration registration{
      .caps = std::move(caps), .ssh_address = "192.0.2.7", .ssh_port = 22, .host_keys = {"ssh-ed25519 AAAA"}};
  EXPECT_TRUE(submit(farm::RegisterWorker{.registration = std::move(registration),
                                          .instance = std::string(uuid),
                                          .generation = {},
                                          .prepared = false,
                                          .job = std::nullopt,
                                          .token = std::nullopt}));
  return WorkerUuid::parse(uuid).value();
}

void ApiHarness::run_agents(std::optional<WorkerUuid> broken) {
  for (bool busy = true; busy;) {
    busy = false;
    for (const auto id : farm().open_requests()) {
      if (farm().find_open_request(id)->job) coordinator_->set_tunnel_ready(id, true);
    }
    const auto workers = farm().workers();
    for (const auto& [uuid, worker] : workers) busy = answer_for(worker, uuid == broken) || busy;
  }
}

bool ApiHarness::answer_for(const farm::Worker& worker, bool broken) {
  const auto uuid = worker.uuid;
  const auto generation = worker.generation;
  const std::string error = broken ? "the agent cannot be reached" : "";
  if (worker.dirty && worker.state != farm::WorkerState::kRunning) {
    return submit(farm::FinishEndJob{.uuid = uuid, .generation = generation, .error = error})->size() > 0;
  }
  if (worker.state == farm::WorkerState::kPrepare) {
    farm::FinishPrepare done{.uuid = uuid,
                             .generation = generation,
                             .error = error,
                             .username = "boruta-user",
                             .key_fingerprint = "SHA256:x"};
    return submit(std::move(done), Secret("-----BEGIN RSA PRIVATE KEY-----\n"))->size() > 0;
  }
  if (worker.state == farm::WorkerState::kBusy) {
    return submit(farm::FinishMaintenance{.uuid = uuid, .generation = generation, .error = error})->size() > 0;
  }
  if (worker.state == farm::WorkerState::kRunning && !farm().find_open_request(*worker.job)->job->granted) {
    return submit(farm::FinishGrant{.uuid = uuid, .generation = generation, .error = error})->size() > 0;
  }
  return false;
}

std::string ApiHarness::add_user(std::string_view name, farm::Role role, Groups groups) {
  const auto token = server::make_token();
  EXPECT_TRUE(submit(farm::CreateUser{
      .name = std::string(name), .role = role, .groups = std::move(groups), .token_hash = server::hash_of(token)}));
  return "Bearer " + std::string(token.reveal());
}

std::vector<std::string> values_of(const HttpResponse& response, std::string_view name) {
  std::vector<std::string> values;
  for (const auto& header : response.headers) {
    if (equal_ignoring_case(header.name, name)) values.push_back(header.value);
  }
  return values;
}

}  // namespace boruta::http

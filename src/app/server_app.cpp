#include "app/server_app.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <memory>
#include <optional>
#include <sys/resource.h>
#include <sys/stat.h>
#include <thread>

#include "app/backup_socket.hpp"
#include "app/bootstrap.hpp"
#include "base/limits.hpp"
#include "http/api.hpp"
#include "http/server.hpp"
#include "http/tls.hpp"
#include "runtime/allocator.hpp"
#include "runtime/files.hpp"
#include "runtime/service_notifier.hpp"
#include "server/agent_boards.hpp"
#include "server/agent_tunnels.hpp"
#include "server/agents.hpp"
#include "server/coordinator.hpp"
#include "server/event_feed.hpp"
#include "server/event_log.hpp"
#include "server/health_checks.hpp"
#include "server/metrics.hpp"
#include "server/reconciler.hpp"
#include "server/refusal_log.hpp"
#include "server/retention.hpp"
#include "store/sqlite_journal.hpp"
#include "superviser/service.hpp"
#include "superviser/tls_files.hpp"
#include "tunnel/relay.hpp"

namespace boruta::app {
namespace {

using namespace std::chrono_literals;

/// How often agents are asked again for what they failed to do.
constexpr Duration kAskAgainEvery = 30s;
/// However many cores there are: requests and the store want some too.
constexpr unsigned kMostTunnelThreads = 4;

int complain(const std::string& text) {
  fmt::print(stderr, "borutad: {}\n", text);
  return kExitCannotStart;
}

/// Every connection is an open file, and the usual soft limit of 1024 would let idle clients lock everybody out.
void raise_file_limit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
  // Beside HTTP there are agents, tunnels and the store.
  constexpr rlim_t kWanted = 2 * limits::kHttpConnections;
  if (limit.rlim_max >= kWanted) return;
  runtime::log_warning("few files may be open at once, see ulimit -Hn",
                       {{"allowed", std::to_string(limit.rlim_max)}, {"wanted", std::to_string(kWanted)}});
}

/// What every command on the data directory needs: the journal, its thread, and the coordinator over both.
class Core {
 public:
  Core(const ServerConfig& config, std::unique_ptr<store::Journal> journal, store::Loaded loaded)
      : clock_(runtime::make_system_clock(loaded.last_event_at.value_or(Instant{}))),
        committer_(server::make_commit_thread(std::move(journal), context_.get_executor(), config.store_patience)),
        coordinator_({.strand = context_.get_executor(), .clock = clock_.get(), .committer = committer_.get()},
                     config.policy, std::move(loaded)),
        tasks_(context_.get_executor()) {}

  [[nodiscard]] asio::io_context& context() { return context_; }
  [[nodiscard]] runtime::Clock& clock() { return *clock_; }
  [[nodiscard]] server::StoreThread& committer() { return *committer_; }
  [[nodiscard]] server::Coordinator& coordinator() { return coordinator_; }
  [[nodiscard]] runtime::TaskGroup& tasks() { return tasks_; }

 private:
  asio::io_context context_{1};
  std::unique_ptr<runtime::Clock> clock_;
  std::unique_ptr<server::StoreThread> committer_;
  server::Coordinator coordinator_;
  runtime::TaskGroup tasks_;
};

std::expected<std::unique_ptr<Core>, std::string> open_core(const ServerConfig& config) {
  ::umask(077);
  auto journal = store::make_sqlite_journal(config.data_dir);
  if (!journal) return std::unexpected(journal.error().message);
  auto loaded = (*journal)->load();
  if (!loaded) return std::unexpected(loaded.error().message);
  return std::make_unique<Core>(config, std::move(*journal), std::move(*loaded));
}

/// After a pause a client may do so many seconds' worth at once.
constexpr double kBurstSeconds = 2;

/// What both listeners show who connects.
struct Tls {
  http::TlsContext http;
  std::shared_ptr<grpc::ServerCredentials> agents;
};

std::filesystem::path agent_tls_directory(const ServerConfig& config) { return config.data_dir / "agent-tls"; }

/// The operator's files as they are now, for both listeners. Blocks.
std::expected<http::TlsContext, std::string> install_tls(const ServerConfig& config) {
  const auto identity = http::load_tls_identity(config.tls_certificate, config.tls_key);
  if (!identity) return std::unexpected(identity.error());
  auto context = http::make_tls_context(*identity);
  if (!context) return context;
  superviser::TlsFiles files(agent_tls_directory(config));
  if (auto installed = files.install(identity->chain, identity->key.reveal()); !installed) {
    return std::unexpected(installed.error());
  }
  runtime::log_info("certificate is in use",
                    {{"file", config.tls_certificate.string()}, {"valid_until", http::tls_valid_until(*identity)}});
  return context;
}

/// Nothing in it where both listeners are plain.
std::expected<Tls, std::string> prepare_tls(const ServerConfig& config) {
  if (config.tls_certificate.empty()) return Tls{};
  auto context = install_tls(config);
  if (!context) return std::unexpected(context.error());
  const superviser::TlsFiles files(agent_tls_directory(config));
  return Tls{.http = std::move(*context), .agents = files.credentials()};
}

/// The running server: the graph of its parts, and the order in which they start and stop.
class Server {
 public:
  Server(const ServerConfig& config, Core& core, const Tls& tls, const runtime::ServiceNotifier& service)
      : config_(config),
        core_(core),
        service_(service),
        event_log_(&core.coordinator()),
        hook_(&core.coordinator(), config.hook),
        metrics_(&core.coordinator(), &core.committer()),
        agents_(&core.coordinator()),
        agent_tunnels_(&core.coordinator(), &agents_),
        agent_boards_(&core.coordinator(), &agents_),
        relay_(core.context().get_executor(), tunnel_threads_.get_executor(), &core.clock(), &agent_tunnels_,
               {.listen_address = config.tunnel_address.empty() ? config.http.host : config.tunnel_address,
                .dialling = {.mode = config.tunnel_mode}}),
        reconciler_(&core.coordinator(), &agents_, &relay_),
        health_checks_(&core.coordinator(), &agents_, config.healthcheck_every),
        quarantine_(&core.coordinator(), config.quarantine),
        feed_(&core.coordinator()),
        retention_(&core.coordinator(), &core.committer(), &feed_, config.keep_events),
        refusals_(&core.coordinator()),
        api_({.coordinator = &core.coordinator(),
              .committer = &core.committer(),
              .feed = &feed_,
              .metrics = &metrics_,
              .tunnels = &relay_,
              .boards = &agent_boards_,
              .refusals = &refusals_,
              .limits = {.rate = static_cast<double>(config.requests_per_second),
                         .burst = kBurstSeconds * config.requests_per_second},
              .version = BORUTA_VERSION,
              .advertise = config.tunnel_advertise.empty() ? std::nullopt : std::optional(config.tunnel_advertise)}),
        http_({.executor = core.context().get_executor(),
               .clock = &core.clock(),
               .application = &api_,
               .access_log = config.log_level == runtime::LogLevel::kDebug,
               .tls = tls.http,
               .connections_per_client = config.connections_per_client}),
        superviser_(core.context().get_executor(), &core.clock(), &agents_, &agent_tunnels_,
                    {.listen_address = format_host_port(config.agent.host, config.agent.port.value_or(kAgentPort)),
                     .credentials = tls.agents}),
        backups_({.executor = core.context().get_executor(), .clock = &core.clock(), .store = &core.committer()},
                 config.data_dir),
        http_tasks_(core.context().get_executor()),
        signals_(core.context(), SIGTERM, SIGINT),
        reload_(core.context(), SIGHUP) {
    metrics_.watch(&relay_);
    agents_.set_on_refused([this](const farm::Actor& actor, const Refusal& refusal) {
      metrics_.count_refusal(server::Metrics::Client::kAgent, refusal.code);
      refusals_.note(actor, "register", refusal);
    });
  }

  /// Until a signal. The error is why it could not start.
  Task<std::expected<void, std::string>> run() {
    auto& tasks = core_.tasks();
    tasks.spawn("coordinator", core_.coordinator().run());
    auto started = co_await start();
    if (started) {
      service_.ready();
      service_.status("takes requests");
      tasks.spawn("watchdog", runtime::keep_alive(&service_, &core_.clock()));
      const auto [error, signal] = co_await signals_.async_wait(asio::as_tuple(asio::use_awaitable));
      runtime::log_info("stopping", {{"signal", std::to_string(error ? 0 : signal)}});
    }
    service_.stopping();
    co_await stop();
    co_return started;
  }

 private:
  Task<std::expected<void, std::string>> start() {
    const auto first = co_await make_first_users(&core_.coordinator(), config_.data_dir);
    if (!first) co_return std::unexpected(first.error());
    if (*first) {
      runtime::log_info("first start: the admin's token was written",
                        {{"file", (config_.data_dir / kAdminTokenFile).string()}});
    }
    co_await retention_.begin();
    const auto http = http_.listen(config_.http.host, config_.http.port.value_or(kHttpPort));
    if (!http) co_return std::unexpected(http.error());
    const auto agent_port = superviser_.listen();
    if (!agent_port) co_return std::unexpected(agent_port.error());
    superviser_listens_ = true;
    auto& tasks = core_.tasks();
    http_tasks_.spawn("http", http_.run());
    tasks.spawn("agents", agents_.run());
    tasks.spawn("refusals", refusals_.run());
    tasks.spawn("retention", retention_.run());
    tasks.spawn("reload", reload());
    tasks.spawn("reconciler", reconciler_.run(kAskAgainEvery));
    tasks.spawn("health checks", health_checks_.run());
    const auto http_address = format_host_port(config_.http.host, http->port());
    const auto agent_address = format_host_port(config_.agent.host, *agent_port);
    warn_of_plain_listeners();
    if (const auto backups = backups_.listen(); !backups) {
      runtime::log_warning("backups can only be made while the server is stopped", {{"error", backups.error()}});
    }
    const auto endpoints = fmt::format("{{\"http\": \"{}\", \"agent\": \"{}\"}}\n", http_address, agent_address);
    constexpr unsigned kReadable = 0644;
    if (auto written = runtime::write_file_durably(config_.data_dir / "endpoints.json", endpoints, kReadable);
        !written) {
      co_return std::unexpected(written.error());
    }
    runtime::log_info("borutad is up", {{"version", BORUTA_VERSION},
                                        {"http", http_address},
                                        {"agents", agent_address},
                                        {"auth", config_.policy.access_control ? "on" : "off"},
                                        {"tls", config_.tls_certificate.empty() ? "off" : "on"},
                                        {"data", config_.data_dir.string()}});
    co_return std::expected<void, std::string>{};
  }

  /// One line where the operator's word stands in for encryption.
  void warn_of_plain_listeners() const {
    std::string plain;
    for (const auto& [what, listen] : {std::pair("HTTP", config_.http), std::pair("agents", config_.agent)}) {
      if (is_loopback(listen.host)) continue;
      plain += fmt::format("{}{} on {}", plain.empty() ? "" : " and ", what, listen.host);
    }
    if (plain.empty() || !config_.tls_certificate.empty()) return;
    runtime::log_warning("not encrypted, as --insecure says: whoever listens on the network can read tokens and keys",
                         {{"listeners", plain}});
  }

  /// At each SIGHUP the certificate is read anew; one that is no good leaves the old one in use.
  Task<void> reload() {
    while (true) {
      const auto [error, signal] = co_await reload_.async_wait(asio::as_tuple(asio::use_awaitable));
      if (error) co_return;
      if (config_.tls_certificate.empty()) continue;
      auto renewed = install_tls(config_);
      if (renewed) {
        http_.renew_tls(std::move(*renewed));
      } else {
        runtime::log_error("the certificate cannot be read, the old one stays in use", {{"error", renewed.error()}});
      }
    }
  }

  /// Acceptors, sessions, tunnels, coordinator; the store follows when nobody is left who could write.
  Task<void> stop() {
    http_.request_stop();
    refusals_.flush();
    core_.coordinator().request_stop();
    co_await http_tasks_.join();
    agents_.close_all();
    relay_.request_stop();
    co_await relay_.join();
    if (superviser_listens_) {
      superviser_.request_stop();
      co_await superviser_.join();
    }
    reconciler_.request_stop();
    co_await reconciler_.join();
    hook_.stop();
    quarantine_.request_stop();
    co_await quarantine_.join();
    backups_.request_stop();
    co_await backups_.join();
    core_.tasks().request_stop();
    co_await core_.tasks().join();
  }

  const ServerConfig& config_;
  Core& core_;
  const runtime::ServiceNotifier& service_;
  server::EventLog event_log_;
  EventHook hook_;
  server::Metrics metrics_;
  server::Agents agents_;
  server::AgentTunnels agent_tunnels_;
  server::AgentBoards agent_boards_;
  asio::thread_pool tunnel_threads_{std::clamp(std::thread::hardware_concurrency(), 1U, kMostTunnelThreads)};
  tunnel::Relay relay_;
  server::Reconciler reconciler_;
  server::HealthChecks health_checks_;
  server::Quarantine quarantine_;
  server::EventFeed feed_;
  server::Retention retention_;
  server::RefusalLog refusals_;
  http::Api api_;
  http::HttpServer http_;
  superviser::Service superviser_;
  BackupSocket backups_;
  runtime::TaskGroup http_tasks_;
  asio::signal_set signals_;
  asio::signal_set reload_;
  bool superviser_listens_ = false;
};

Task<std::expected<void, std::string>> run_token_maker(Core* core, std::filesystem::path data_dir) {
  core->tasks().spawn("coordinator", core->coordinator().run());
  auto made = co_await add_admin_token(&core->coordinator(), std::move(data_dir));
  core->coordinator().request_stop();
  co_await core->tasks().join();
  co_return made;
}

/// Runs `task` to its end on the core's context.
std::expected<void, std::string> run_to_end(Core& core, Task<std::expected<void, std::string>> task) {
  std::expected<void, std::string> result;
  const auto keep_result = [&](const std::exception_ptr& failure, std::expected<void, std::string> outcome) {
    if (failure) std::rethrow_exception(failure);
    result = std::move(outcome);
    core.context().stop();
  };
  asio::co_spawn(core.context(), std::move(task), keep_result);
  core.context().run();
  core.committer().stop();
  return result;
}

}  // namespace

int serve(const ServerConfig& config) {
  runtime::start_log(config.log_level, config.log_format);
  // Before there is a thread.
  runtime::keep_freed_buffers();
  const auto service = runtime::ServiceNotifier::take_environment();
  raise_file_limit();
  const auto core = open_core(config);
  if (!core) return complain(core.error());
  std::signal(SIGPIPE, SIG_IGN);
  // A file that reached the limit on its size cannot be written for now, which is no reason to die.
  std::signal(SIGXFSZ, SIG_IGN);
  const auto tls = prepare_tls(config);
  if (!tls) return complain(tls.error());
  Server server(config, **core, *tls, service);
  const auto ended = run_to_end(**core, server.run());
  return ended ? 0 : complain(ended.error());
}

int make_admin_token(const ServerConfig& config) {
  runtime::start_log(runtime::LogLevel::kWarning, config.log_format);
  const auto core = open_core(config);
  if (!core) return complain(core.error());
  const auto made = run_to_end(**core, run_token_maker(core->get(), config.data_dir));
  if (!made) return complain(made.error());
  fmt::print("the new admin token is in {}\n", (config.data_dir / kAdminTokenFile).string());
  return 0;
}

}  // namespace boruta::app

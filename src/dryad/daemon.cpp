#include "dryad/daemon.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <csignal>
#include <functional>
#include <memory>
#include <random>
#include <vector>

#include "dryad/account_setup.hpp"
#include "dryad/agent.hpp"
#include "dryad/board_desk.hpp"
#include "dryad/board_socket.hpp"
#include "dryad/exit_codes.hpp"
#include "dryad/grpc_link.hpp"
#include "dryad/grpc_tunnels.hpp"
#include "dryad/reloader.hpp"
#include "dryad/root_access.hpp"
#include "dryad/root_link.hpp"
#include "dryad/run_as.hpp"
#include "dryad/setup.hpp"
#include "dryad/simulated_access.hpp"
#include "runtime/log.hpp"

namespace boruta::dryad {
namespace {

using std::chrono::duration_cast;
using std::chrono::milliseconds;

/// Keys in stock: one for the next Prepare and one while its successor is made.
constexpr std::size_t kKeysInStock = 2;
constexpr std::size_t kSimulatedKeys = 4;

std::uint64_t random_seed() {
  std::random_device device;
  return (std::uint64_t{device()} << 32U) | device();
}

std::expected<GrpcOptions, std::string> grpc_options_of(const HostPort& boruta, const std::filesystem::path& token_file,
                                                        const std::filesystem::path& ca_file) {
  std::string warning;
  auto token = read_token(token_file, warning);
  if (!token) return std::unexpected(token.error());
  if (!warning.empty()) runtime::log_warning(warning);
  return make_grpc_options(boruta, *std::move(token), ca_file);
}

Task<void> run_agent(Agent* agent, int* exit_code, std::function<void()> ended) {
  *exit_code = co_await agent->run();
  ended();
}

struct Hooks {
  std::function<void()> on_signal = [] {};
  /// The last agent has ended: nothing else may keep the context busy.
  std::function<void()> on_end = [] {};
};

/// Runs agents on `context` until all have ended, which a signal asks them to. The highest exit code counts.
int run_all(asio::io_context& context, const std::vector<std::unique_ptr<Agent>>& agents, const Hooks& hooks = {}) {
  asio::signal_set signals(context, SIGINT, SIGTERM);
  signals.async_wait([&](const boost::system::error_code& error, int) {
    if (error) return;
    // A second signal ends the process at once.
    signals.clear();
    hooks.on_signal();
    for (const auto& agent : agents) agent->request_stop();
  });
  runtime::TaskGroup group(context.get_executor());
  std::vector<int> codes(agents.size(), kExitFault);
  std::size_t left = agents.size();
  const auto ended = [&] {
    if (--left > 0) return;
    signals.cancel();
    hooks.on_end();
  };
  for (std::size_t i = 0; i < agents.size(); ++i) group.spawn("agent", run_agent(agents[i].get(), &codes[i], ended));
  context.run();
  return *std::ranges::max_element(codes);
}

int fail(int exit_code, const std::string& text) {
  runtime::log_error(text);
  return exit_code;
}

struct Running {
  const Options& options;
  const ConfigFile& file;
  const runtime::ServiceNotifier& service;
  /// Null: what there is to be done this process does itself.
  RootLink* root;
  /// Where the agent keeps what must outlive it.
  std::filesystem::path home;
};

/// Everything behind one real worker, in the order in which it must go.
struct RealWorker {
  KeyPool keys{kKeysInStock};
  std::unique_ptr<Access> access;
  std::unique_ptr<Board> board;
};

std::expected<std::unique_ptr<BoardSocket>, std::string> make_board_socket(const Running& running,
                                                                           BoardSocket::Parts parts) {
  if (running.root == nullptr) return BoardSocket::listen(std::move(parts), board_socket_of(running.file.config));
  auto handed = running.root->ask_beside(root::ListenForUsers{});
  if (!handed.descriptor.valid()) return std::unexpected(handed.answer.text);
  return BoardSocket::serve_at(std::move(parts), std::move(handed.descriptor));
}

/// A worker whose users don't get at the board from within is a worker all the same.
std::unique_ptr<BoardSocket> listen_for_users(const Running& running, BoardSocket::Parts parts) {
  auto socket = make_board_socket(running, std::move(parts));
  if (socket) return *std::move(socket);
  runtime::log_warning("boruta-board does not work on this worker", {{"reason", socket.error()}});
  return nullptr;
}

std::expected<SerialPort, std::string> open_console(const Running& running) {
  const auto& board = running.file.config.board;
  if (running.root == nullptr) return SerialPort::open(board.console, board.console_baud);
  auto handed = running.root->ask_beside(root::OpenConsole{});
  if (!handed.descriptor.valid()) return std::unexpected(handed.answer.text);
  return SerialPort::adopt(handed.descriptor.release(), board.console);
}

std::unique_ptr<Console> make_console(const asio::any_io_executor& executor, runtime::Clock& clock,
                                      const Running& running) {
  if (running.file.config.board.console.empty()) return nullptr;
  return std::make_unique<Console>(Console::Parts{.executor = executor,
                                                  .clock = &clock,
                                                  .open = [&running] { return open_console(running); },
                                                  .log_dir = running.home / "console"});
}

std::expected<ConfigFile, config::Errors> load_again(const Running& running) {
  if (running.root == nullptr) return load_config(running.options);
  auto handed = running.root->ask_beside(root::ReadConfig{});
  if (handed.answer.outcome != root::Outcome::kDone) return std::unexpected(config::Errors{handed.answer.text});
  return config_from(std::move(handed.answer.text), running.options, true);
}

/// Without its root part the agent can do nothing for the worker, nor start it anew: it ends, and is started again.
Task<void> watch_root(RootLink* root, Agent* agent) {
  asio::posix::stream_descriptor socket(co_await asio::this_coro::executor, root->take_lifeline().release());
  const auto [error] =
      co_await socket.async_wait(asio::posix::stream_descriptor::wait_error, asio::as_tuple(asio::use_awaitable));
  if (error) co_return;
  runtime::log_error("dryad-root has ended; dryad ends with it");
  agent->request_stop(kExitFault);
}

int serve(const Running& running, FileStateStore& store, AgentState state, RealWorker& real, const Endpoint& endpoint,
          GrpcOptions grpc) {
  const auto& config = running.file.config;
  asio::io_context context(1);
  const auto clock = runtime::make_system_clock(Instant{});
  Worker worker(*real.access, *real.board, running.home);
  grpc.keepalive_every = duration_cast<milliseconds>(config.keepalive_every);
  grpc.keepalive_timeout = duration_cast<milliseconds>(config.keepalive_timeout);
  grpc.longest_pause = duration_cast<milliseconds>(config.backoff_most);
  const auto caller = make_grpc_tunnel_caller(grpc);
  const auto connector = make_grpc_connector(std::move(grpc), context.get_executor());
  Tunnels tunnels({.executor = context.get_executor(),
                   .clock = clock.get(),
                   .caller = caller.get(),
                   .ssh_address = endpoint.local_address,
                   .ssh_port = endpoint.ssh_port});
  Session::Options session{.identity = {.caps = config.caps,
                                        .ssh_address = config.ssh.host,
                                        .ssh_port = endpoint.ssh_port,
                                        .host_keys = endpoint.host_keys}};
  std::vector<std::unique_ptr<Agent>> agents;
  ThreadRunner runner(context.get_executor(), &worker);
  const auto console = make_console(context.get_executor(), *clock, running);
  BoardDesk desk(context.get_executor(), clock.get(), &runner, console.get());
  const auto board_socket = listen_for_users(
      running, {.executor = context.get_executor(), .clock = clock.get(), .desk = &desk, .user = [&real] {
                  return real.access->user_id();
                }});
  agents.push_back(std::make_unique<Agent>(
      Agent::Parts{.executor = context.get_executor(),
                   .clock = clock.get(),
                   .connector = connector.get(),
                   .runner = &runner,
                   .tunnels = &tunnels,
                   .desk = &desk,
                   .backoff = Backoff({.least = config.backoff_least, .most = config.backoff_most}, random_seed()),
                   .name = config.caps.at(std::string(kUuidCap)),
                   .service = &running.service},
      Session(std::move(session), &store, std::move(state), endpoint.standing, clock->now())));
  Reloader reloader(
      context, [&running] { return load_again(running); }, running.file, agents.front().get(), &running.service);
  runtime::TaskGroup watchers(context.get_executor());
  watchers.spawn("watchdog", runtime::keep_alive(&running.service, clock.get()));
  if (running.root != nullptr) watchers.spawn("root's end", watch_root(running.root, agents.front().get()));
  // Set up: also while the server is out of reach, which no restart would mend.
  running.service.ready();
  const int code = run_all(context, agents,
                           {.on_signal = [&] { running.service.stopping(); },
                            .on_end =
                                [&] {
                                  reloader.stop();
                                  watchers.request_stop();
                                  if (board_socket) board_socket->request_stop();
                                }});
  runner.finish();
  real.access->stop(agents.front()->session().state().job.has_value());
  return code;
}

int run_worker(const Running& running, GrpcOptions grpc) {
  const auto& config = running.file.config;
  FileStateStore store(running.home / "state.json");
  auto state = store.load_or_make();
  if (!state) return fail(kExitFault, state.error());
  RealWorker real;
  if (running.root == nullptr) {
    auto board = make_board(config.board);
    if (!board) return fail(kExitConfig, board.error());
    real.board = *std::move(board);
    real.access = make_access(config, state->instance, real.keys);
  } else {
    real.board = std::make_unique<RootBoard>(*running.root);
    real.access = std::make_unique<RootAccess>(
        RootAccess::Options{.username = config.user_name, .ssh_port = config.ssh.port.value_or(kSshPort)},
        *running.root, real.keys);
  }
  if (auto fit = real.access->check(); !fit) return fail(kExitUnfit, fit.error());
  const auto endpoint = real.access->start();
  if (!endpoint) return fail(kExitFault, endpoint.error());
  return serve(running, store, *std::move(state), real, *endpoint, std::move(grpc));
}

}  // namespace

int run_daemon(const Options& options, const ConfigFile& file) {
  // Before there is a thread. A reload that is asked for this early is not needed: the config is read just now.
  const auto service = runtime::ServiceNotifier::take_environment();
  (void)std::signal(SIGHUP, SIG_IGN);
  const auto& config = file.config;
  for (const auto& warning : config.warnings) runtime::log_warning(warning);
  const auto lock = StateDirLock::take(config.state_dir);
  if (!lock) return fail(kExitUnfit, lock.error());
  auto grpc = grpc_options_of(config.boruta, config.token_file, config.ca_file);
  if (!grpc) return fail(kExitConfig, grpc.error());
  if (config.access == AccessMode::kPrivate) {
    return run_worker({.options = options, .file = file, .service = service, .root = nullptr, .home = config.state_dir},
                      *std::move(grpc));
  }
  const auto root = part_with_root(options, config);
  if (!root) return fail(kExitUnfit, root.error());
  runtime::log_info(
      "the agent has no rights, its root part has a process of its own",
      {{"run_as", config.run_as}, {"state", agent_dir(config)}, {"root", std::to_string((*root)->pid())}});
  return run_worker({.options = options, .file = file, .service = service, .root = root->get(), .home = "."},
                    *std::move(grpc));
}

int run_simulation(const SimulateOptions& simulate, const Options& options) {
  auto grpc =
      grpc_options_of(*parse_host_port(*options.boruta), options.token_file.value_or(""), options.ca_file.value_or(""));
  if (!grpc) return fail(kExitConfig, grpc.error());
  const HostPort ssh = parse_host_port(simulate.ssh_address).value_or(HostPort{});
  RepeatedKeys keys(std::min(simulate.count, kSimulatedKeys));
  SimulatedAccess access(keys, ssh.port.value_or(kSshPort));
  const auto endpoint = access.start();
  const auto board = make_board(BoardOptions{});
  asio::io_context context(1);
  const auto clock = runtime::make_system_clock(Instant{});
  Worker worker(access, **board, "/");
  SimulatedRunner runner(context.get_executor(), &worker, simulate.faults);
  const auto caller = make_grpc_tunnel_caller(*grpc);
  const auto connector = make_grpc_connector(*std::move(grpc), context.get_executor());
  const auto seed = random_seed();
  std::vector<MemoryStateStore> stores(simulate.count);
  std::vector<std::unique_ptr<Tunnels>> tunnels;
  std::vector<std::unique_ptr<BoardDesk>> desks;
  std::vector<std::unique_ptr<Agent>> agents;
  for (std::size_t i = 0; i < simulate.count; ++i) {
    const auto uuid = fmt::format("{}-0000-4000-8000-{:012x}", simulate.uuid_prefix, i);
    Session::Options session{.identity = {.caps = simulate.caps,
                                          .ssh_address = ssh.host,
                                          .ssh_port = endpoint->ssh_port,
                                          .host_keys = endpoint->host_keys},
                             .heartbeats = !simulate.faults.silent};
    session.identity.caps.emplace(kUuidCap, uuid);
    // The same at every start, so that a simulation started again takes over from one that was killed.
    AgentState state{.instance = "simulated-" + uuid};
    tunnels.push_back(std::make_unique<Tunnels>(Tunnels::Parts{.executor = context.get_executor(),
                                                               .clock = clock.get(),
                                                               .caller = caller.get(),
                                                               .ssh_address = endpoint->local_address,
                                                               .ssh_port = endpoint->ssh_port}));
    desks.push_back(std::make_unique<BoardDesk>(context.get_executor(), clock.get(), &runner));
    agents.push_back(
        std::make_unique<Agent>(Agent::Parts{.executor = context.get_executor(),
                                             .clock = clock.get(),
                                             .connector = connector.get(),
                                             .runner = &runner,
                                             .tunnels = tunnels.back().get(),
                                             .desk = desks.back().get(),
                                             .backoff = Backoff(Backoff::Limits{}, seed + i),
                                             .name = uuid,
                                             .quiet = i > 0},
                                Session(std::move(session), &stores[i], std::move(state), false, clock->now())));
  }
  return run_all(context, agents);
}

}  // namespace boruta::dryad

#include "dryad/daemon.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <csignal>
#include <functional>
#include <memory>
#include <random>
#include <sys/stat.h>
#include <unistd.h>
#include <vector>

#include "dryad/account_access.hpp"
#include "dryad/agent.hpp"
#include "dryad/board_desk.hpp"
#include "dryad/board_socket.hpp"
#include "dryad/exit_codes.hpp"
#include "dryad/files.hpp"
#include "dryad/grpc_link.hpp"
#include "dryad/grpc_tunnels.hpp"
#include "dryad/private_access.hpp"
#include "dryad/simulated_access.hpp"
#include "runtime/log.hpp"

namespace boruta::dryad {
namespace {

using std::chrono::duration_cast;
using std::chrono::milliseconds;

constexpr std::size_t kTokenFileBytes = 4096;
constexpr std::size_t kCaFileBytes = std::size_t{1024} * 1024;
/// Keys in stock: one for the next Prepare and one while its successor is made.
constexpr std::size_t kKeysInStock = 2;
constexpr std::size_t kSimulatedKeys = 4;

std::uint64_t random_seed() {
  std::random_device device;
  return (std::uint64_t{device()} << 32U) | device();
}

/// Where a job's user on this machine reaches the board.
std::filesystem::path board_socket_of(const Config& config) {
  if (!config.board.socket.empty()) return config.board.socket;
  return config.access == AccessMode::kPrivate ? config.state_dir / "board.sock" : "/run/boruta/board.sock";
}

/// boruta-board is found, and finds this dryad. It lies beside dryad, wherever that was started from.
std::vector<std::string> session_environment(const Config& config) {
  std::vector<std::string> environment{fmt::format("BORUTA_BOARD_SOCKET={}", board_socket_of(config).native())};
  std::error_code error;
  const auto beside = std::filesystem::read_symlink("/proc/self/exe", error).parent_path();
  if (error || beside.native().find_first_of(" \t\n\"'\\%#$`") != std::string::npos) return environment;
  environment.push_back(
      fmt::format("PATH={}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", beside.native()));
  return environment;
}

std::unique_ptr<Access> make_access(const Config& config, const std::string& instance, KeySource& keys) {
  if (config.access == AccessMode::kPrivate) {
    return std::make_unique<PrivateAccess>(PrivateAccessOptions{.state_dir = config.state_dir,
                                                                .sshd = config.sshd,
                                                                .listen = listen_addresses(config),
                                                                .port = config.ssh.port.value_or(0),
                                                                .kill_limit = config.kill_limit,
                                                                .environment = session_environment(config)},
                                           keys);
  }
  AccountAccessOptions options{.state_dir = config.state_dir,
                               .instance = instance,
                               .username = config.user_name,
                               .groups = config.user_groups,
                               .ssh_port = config.ssh.port.value_or(kSshPort),
                               .kill_limit = config.kill_limit};
  return std::make_unique<AccountAccess>(std::move(options), keys);
}

std::expected<GrpcOptions, std::string> make_grpc_options(const HostPort& boruta,
                                                          const std::filesystem::path& token_file,
                                                          const std::filesystem::path& ca_file) {
  GrpcOptions options;
  options.address = format_host_port(boruta.host, boruta.port.value_or(kBorutaPort));
  std::string warning;
  auto token = read_token(token_file, warning);
  if (!token) return std::unexpected(token.error());
  if (!warning.empty()) runtime::log_warning(warning);
  options.token = *std::move(token);
  if (ca_file.empty()) return options;
  auto ca = read_file(ca_file, kCaFileBytes);
  if (!ca) return std::unexpected(ca.error());
  options.ca_pem = *std::move(ca);
  return options;
}

Task<void> run_agent(Agent* agent, int* exit_code, std::function<void()> ended) {
  *exit_code = co_await agent->run();
  ended();
}

/// Runs agents on `context` until all have ended, which a signal asks them to; then `all_ended` ends what else runs
/// there. The highest exit code counts.
int run_all(asio::io_context& context, const std::vector<std::unique_ptr<Agent>>& agents,
            const std::function<void()>& all_ended = {}) {
  asio::signal_set signals(context, SIGINT, SIGTERM);
  signals.async_wait([&](const boost::system::error_code& error, int) {
    if (error) return;
    // A second signal ends the process at once.
    signals.clear();
    for (const auto& agent : agents) agent->request_stop();
  });
  runtime::TaskGroup group(context.get_executor());
  std::vector<int> codes(agents.size(), kExitFault);
  std::size_t left = agents.size();
  const auto ended = [&] {
    if (--left > 0) return;
    signals.cancel();
    if (all_ended) all_ended();
  };
  for (std::size_t i = 0; i < agents.size(); ++i) group.spawn("agent", run_agent(agents[i].get(), &codes[i], ended));
  context.run();
  return *std::ranges::max_element(codes);
}

int fail(int exit_code, const std::string& text) {
  runtime::log_error(text);
  return exit_code;
}

/// Everything behind one real worker, in the order in which it must go.
struct RealWorker {
  KeyPool keys{kKeysInStock};
  std::unique_ptr<Access> access;
  std::unique_ptr<Board> board;
};

/// A worker whose users don't get at the board from within is a worker all the same.
std::unique_ptr<BoardSocket> listen_for_users(BoardSocket::Parts parts, const std::filesystem::path& path) {
  auto socket = BoardSocket::listen(std::move(parts), path);
  if (socket) return *std::move(socket);
  runtime::log_warning("boruta-board does not work on this worker", {{"reason", socket.error()}});
  return nullptr;
}

std::unique_ptr<Console> make_console(const asio::any_io_executor& executor, runtime::Clock& clock,
                                      const Config& config) {
  if (config.board.console.empty()) return nullptr;
  return std::make_unique<Console>(Console::Parts{.executor = executor,
                                                  .clock = &clock,
                                                  .tty = config.board.console,
                                                  .baud = config.board.console_baud,
                                                  .log_dir = config.state_dir / "console"});
}

int serve(const Config& config, FileStateStore& store, AgentState state, RealWorker& real, const Endpoint& endpoint,
          GrpcOptions grpc) {
  asio::io_context context(1);
  const auto clock = runtime::make_system_clock(Instant{});
  Worker worker(*real.access, *real.board, config.state_dir);
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
  const auto console = make_console(context.get_executor(), *clock, config);
  BoardDesk desk(context.get_executor(), clock.get(), &runner, console.get());
  const auto board_socket = listen_for_users({.executor = context.get_executor(),
                                              .clock = clock.get(),
                                              .desk = &desk,
                                              .user = [&real] { return real.access->user_id(); }},
                                             board_socket_of(config));
  agents.push_back(std::make_unique<Agent>(
      Agent::Parts{.executor = context.get_executor(),
                   .clock = clock.get(),
                   .connector = connector.get(),
                   .runner = &runner,
                   .tunnels = &tunnels,
                   .desk = &desk,
                   .backoff = Backoff({.least = config.backoff_least, .most = config.backoff_most}, random_seed()),
                   .name = config.caps.at(std::string(kUuidCap))},
      Session(std::move(session), &store, std::move(state), endpoint.standing, clock->now())));
  const int code = run_all(context, agents, [&board_socket] {
    if (board_socket) board_socket->request_stop();
  });
  runner.finish();
  real.access->stop(agents.front()->session().state().job.has_value());
  return code;
}

}  // namespace

std::expected<Secret, std::string> read_token(const std::filesystem::path& file, std::string& warning) {
  if (file.empty()) return Secret{};
  auto text = read_file(file, kTokenFileBytes);
  if (!text) return std::unexpected("the token: " + text.error());
  struct stat info{};
  if (::stat(file.c_str(), &info) == 0 && (info.st_mode & (S_IRGRP | S_IROTH)) != 0) {
    warning = fmt::format("{}: others may read the token; chmod 600 it", file.native());
  }
  std::string token = text->substr(0, text->find_first_of("\r\n"));
  wipe(*text);
  const bool printable = std::ranges::all_of(token, [](char c) { return c > 0x20 && c < 0x7F; });
  if (token.empty() || !printable) {
    return std::unexpected(fmt::format("{}: the first line must be a token, and nothing else", file.native()));
  }
  return Secret(std::move(token));
}

int run_daemon(const Config& config) {
  for (const auto& warning : config.warnings) runtime::log_warning(warning);
  const auto lock = StateDirLock::take(config.state_dir);
  if (!lock) return fail(kExitUnfit, lock.error());
  FileStateStore store(config.state_dir / "state.json");
  auto state = store.load_or_make();
  if (!state) return fail(kExitFault, state.error());
  auto grpc = make_grpc_options(config.boruta, config.token_file, config.ca_file);
  if (!grpc) return fail(kExitConfig, grpc.error());
  auto board = make_board(config.board);
  if (!board) return fail(kExitConfig, board.error());
  RealWorker real;
  real.board = *std::move(board);
  real.access = make_access(config, state->instance, real.keys);
  if (auto fit = real.access->check(); !fit) return fail(kExitUnfit, fit.error());
  const auto endpoint = real.access->start();
  if (!endpoint) return fail(kExitFault, endpoint.error());
  return serve(config, store, *std::move(state), real, *endpoint, *std::move(grpc));
}

int run_check(const Config& config) {
  int code = kExitOk;
  const auto report = [&](const char* what, const std::string& detail, const std::string& error, int failed) {
    fmt::print("{:<8} {}\n", what, error.empty() ? detail : error);
    if (!error.empty() && code == kExitOk) code = failed;
  };
  for (const auto& warning : config.warnings) fmt::print("{:<8} {}\n", "note", warning);
  report("worker", format_caps(config.caps), "", kExitOk);
  std::string warning;
  const auto token = read_token(config.token_file, warning);
  report("token",
         config.token_file.empty() ? "none"
         : warning.empty()         ? "fine"
                                   : warning,
         token ? std::string() : token.error(), kExitConfig);
  const auto state = FileStateStore(config.state_dir / "state.json").load();
  report("state", config.state_dir, state ? std::string() : state.error(), kExitFault);
  RepeatedKeys unused(1);
  const auto access = make_access(config, state && *state ? (*state)->instance : "", unused);
  const auto fit = access->check();
  report("access", config.access == AccessMode::kPrivate ? "private: fine" : "account: fine",
         fit ? std::string() : fit.error(), kExitUnfit);
  const auto board = make_board(config.board);
  report("board", config.board.driver + ": fine", board ? std::string() : board.error(), kExitConfig);
  return code;
}

int run_simulation(const SimulateOptions& simulate, const Options& options) {
  auto grpc = make_grpc_options(*parse_host_port(*options.boruta), options.token_file.value_or(""),
                                options.ca_file.value_or(""));
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

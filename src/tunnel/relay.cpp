#include "tunnel/relay.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/ip/v6_only.hpp>
#include <boost/asio/strand.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <fmt/format.h>

#include <utility>

#include "base/assert.hpp"
#include "runtime/log.hpp"
#include "tunnel/connection.hpp"

namespace boruta::tunnel {
namespace {

using namespace std::chrono_literals;
using asio::ip::tcp;
using boost::system::error_code;

/// Out of descriptors or memory: others may give some back.
constexpr Duration kAcceptPause = 100ms;

std::string text_of(RequestId id) { return std::to_string(id.value); }

error_code listen(tcp::acceptor& acceptor, const tcp::endpoint& endpoint) {
  error_code error;
  acceptor.open(endpoint.protocol(), error);
  // A job's port may be given to the next one while connections of the last are in TIME_WAIT.
  if (!error) acceptor.set_option(asio::socket_base::reuse_address(true), error);
  if (!error && endpoint.address().is_v6()) acceptor.set_option(asio::ip::v6_only(false), error);
  if (!error) acceptor.bind(endpoint, error);
  if (!error) acceptor.listen(asio::socket_base::max_listen_connections, error);
  return error;
}

}  // namespace

struct Relay::Tunnel {
  Tunnel(RequestId id, const asio::any_io_executor& strand, server::TunnelTarget where)
      : job(id), acceptor(strand), target(std::move(where)), closed(strand) {}

  struct Live {
    std::shared_ptr<Connection> connection;
    /// Its worker was reached: from then on it lives on a strand of its own.
    bool relaying = false;
  };

  RequestId job;
  tcp::acceptor acceptor;
  server::TunnelTarget target;
  std::shared_ptr<Connection::Counters> counters = std::make_shared<Connection::Counters>();
  std::uint64_t accepted = 0;
  /// By the number under which they were accepted.
  std::unordered_map<std::uint64_t, Live> connections;
  bool limit_logged = false;
  bool accept_error_logged = false;
  bool unreachable_logged = false;
  /// For those who still try to reach the worker.
  runtime::Signal closed;
};

Relay::Relay(asio::any_io_executor strand, asio::any_io_executor io, runtime::Clock* clock, server::AgentRoutes* routes,
             Options options)
    : strand_(std::move(strand)),
      io_(std::move(io)),
      clock_(*clock),
      options_(std::move(options)),
      dialer_(clock, routes, options_.dialling),
      tasks_(strand_) {}

Relay::~Relay() = default;

std::expected<void, std::string> Relay::open(RequestId job, std::uint16_t port, server::TunnelTarget target) {
  BORUTA_ASSERT(!tunnels_.contains(job));
  if (stopping_) return std::unexpected("the server is shutting down");
  error_code error;
  const auto address = asio::ip::make_address(options_.listen_address, error);
  if (error) return std::unexpected(fmt::format("tunnel address \"{}\" is no IP address", options_.listen_address));
  auto tunnel = std::make_shared<Tunnel>(job, strand_, std::move(target));
  error = listen(tunnel->acceptor, tcp::endpoint(address, port));
  if (error) {
    return std::unexpected(
        fmt::format("cannot listen on {} port {}: {}", options_.listen_address, port, error.message()));
  }
  tunnels_.emplace(job, tunnel);
  tasks_.spawn("tunnel", accept(std::move(tunnel)));
  return {};
}

void Relay::retarget(RequestId job, server::TunnelTarget target) {
  if (const auto tunnel = tunnels_.find(job); tunnel != tunnels_.end()) tunnel->second->target = std::move(target);
}

void Relay::close(RequestId job) {
  const auto found = tunnels_.find(job);
  if (found == tunnels_.end()) return;
  const auto tunnel = found->second;
  tunnels_.erase(found);
  error_code ignored;
  tunnel->acceptor.close(ignored);
  tunnel->closed.notify_all();
  for (const auto& [number, live] : tunnel->connections) {
    if (live.relaying) live.connection->cut();
  }
  totals_.bytes_to_worker += tunnel->counters->from_socket;
  totals_.bytes_to_user += tunnel->counters->from_pipe;
  runtime::log_info("tunnel closed", {{"job", text_of(job)},
                                      {"connections", std::to_string(tunnel->accepted)},
                                      {"bytes_to_worker", std::to_string(tunnel->counters->from_socket)},
                                      {"bytes_to_user", std::to_string(tunnel->counters->from_pipe)}});
}

std::optional<server::JobTraffic> Relay::traffic(RequestId job) const {
  const auto found = tunnels_.find(job);
  if (found == tunnels_.end()) return std::nullopt;
  const auto& tunnel = *found->second;
  return server::JobTraffic{.bytes_to_worker = tunnel.counters->from_socket,
                            .bytes_to_user = tunnel.counters->from_pipe,
                            .connections = tunnel.accepted};
}

server::TunnelTotals Relay::totals() const {
  auto totals = totals_;
  for (const auto& [job, tunnel] : tunnels_) {
    totals.bytes_to_worker += tunnel->counters->from_socket;
    totals.bytes_to_user += tunnel->counters->from_pipe;
    totals.open_connections += tunnel->connections.size();
  }
  return totals;
}

std::optional<server::TunnelWay> Relay::way_to(WorkerUuid worker) const { return dialer_.way_to(worker); }

void Relay::request_stop() {
  stopping_ = true;
  while (!tunnels_.empty()) close(tunnels_.begin()->first);
}

Task<void> Relay::join() { return tasks_.join(); }

Task<void> Relay::accept(std::shared_ptr<Tunnel> tunnel) {
  while (tunnel->acceptor.is_open()) {
    const asio::any_io_executor own_strand = asio::make_strand(io_);
    auto [error, user] = co_await tunnel->acceptor.async_accept(own_strand, asio::as_tuple(asio::use_awaitable));
    // A connection that came just before the tunnel was closed goes with its socket.
    if (!tunnel->acceptor.is_open()) co_return;
    if (!error) {
      admit(tunnel, std::move(user));
      continue;
    }
    if (!std::exchange(tunnel->accept_error_logged, true)) {
      runtime::log_warning("tunnel cannot accept", {{"job", text_of(tunnel->job)}, {"error", error.message()}});
    }
    co_await runtime::sleep_for(clock_, kAcceptPause);
  }
}

void Relay::admit(const std::shared_ptr<Tunnel>& tunnel, tcp::socket user) {
  if (tunnel->connections.size() >= options_.connections_per_job) {
    if (!std::exchange(tunnel->limit_logged, true)) {
      runtime::log_warning("tunnel has all the connections it may have",
                           {{"job", text_of(tunnel->job)}, {"limit", std::to_string(options_.connections_per_job)}});
    }
    ++totals_.refused_connections;
    return;
  }
  const auto number = ++tunnel->accepted;
  auto connection = std::make_shared<Connection>(&splices_, std::move(user), tunnel->counters);
  tunnel->connections.emplace(number, Tunnel::Live{.connection = std::move(connection)});
  tasks_.spawn("tunnel connection", serve(tunnel, number));
}

Task<void> Relay::serve(std::shared_ptr<Tunnel> tunnel, std::uint64_t number) {
  const auto connection = tunnel->connections.at(number).connection;
  const bool reached = co_await reach(tunnel, connection);
  if (reached) {
    tunnel->connections.at(number).relaying = true;
    const auto [failure] =
        co_await asio::co_spawn(connection->executor(), connection->run(), asio::as_tuple(asio::use_awaitable));
    if (failure) runtime::log_exception("tunnel connection", failure);
  }
  tunnel->connections.erase(number);
}

Task<bool> Relay::reach(std::shared_ptr<Tunnel> tunnel, std::shared_ptr<Connection> connection) {
  using namespace asio::experimental::awaitable_operators;
  auto outcome = co_await (dialer_.reach(tunnel->target, tunnel->job, &connection->worker()) || tunnel->closed.wait());
  if (!tunnel->acceptor.is_open()) co_return false;
  const auto failure = outcome.index() == 0 ? std::move(std::get<0>(outcome)) : std::string("cut");
  if (!failure.empty()) {
    ++totals_.failed_connections;
    if (!std::exchange(tunnel->unreachable_logged, true)) {
      runtime::log_warning(
          "worker cannot be reached through its tunnel",
          {{"job", text_of(tunnel->job)}, {"worker", tunnel->target.worker.to_string()}, {"error", failure}});
    }
    co_return false;
  }
  tunnel->unreachable_logged = false;
  ++(connection->worker().pipe ? totals_.agent_connections : totals_.direct_connections);
  co_return true;
}

}  // namespace boruta::tunnel

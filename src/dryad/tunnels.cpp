#include "dryad/tunnels.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <fmt/format.h>

#include <utility>

#include "base/limits.hpp"
#include "runtime/deadline.hpp"
#include "runtime/tcp_options.hpp"

namespace boruta::dryad {
namespace {

using namespace std::chrono_literals;
using asio::ip::tcp;
using boost::system::error_code;

/// Of this same machine.
constexpr Duration kConnectWithin = 5s;

Task<error_code> connect(tcp::socket* socket, tcp::endpoint endpoint) {
  const auto [error] = co_await socket->async_connect(endpoint, asio::as_tuple(asio::use_awaitable));
  co_return error;
}

}  // namespace

struct Tunnels::Connection {
  explicit Connection(const asio::any_io_executor& executor) : socket(executor) {}

  tcp::socket socket;
  std::shared_ptr<runtime::BytePipe> pipe;
  bool cut = false;
};

Tunnels::Tunnels(Parts parts) : parts_(std::move(parts)), tasks_(parts_.executor) {}

Tunnels::~Tunnels() = default;

void Tunnels::open(Secret token, std::function<void(Secret, std::string)> failed) {
  tasks_.spawn("tunnelled connection", serve(std::move(token), std::move(failed)));
}

void Tunnels::cut_all() {
  for (const auto& connection : connections_) {
    connection->cut = true;
    runtime::reset_on_close(connection->socket);
    error_code ignored;
    connection->socket.close(ignored);
    if (connection->pipe) connection->pipe->close();
  }
}

Task<void> Tunnels::join() { return tasks_.join(); }

Task<void> Tunnels::serve(Secret token, std::function<void(Secret, std::string)> failed) {
  if (connections_.size() >= limits::kTunnelConnectionsPerJob) {
    failed(std::move(token), fmt::format("the job has {} connections, as many as it may", connections_.size()));
    co_return;
  }
  const auto connection = std::make_shared<Connection>(parts_.executor);
  const auto place = connections_.insert(connections_.end(), connection);
  auto failure = co_await reach_sshd(connection);
  if (connection->cut) failure = "the job is over";
  if (failure.empty()) {
    connection->pipe = parts_.caller->call(token);
    co_await runtime::join_socket_and_pipe(&connection->socket, connection->pipe, limits::kTunnelChunkBytes,
                                           &counters_);
  } else {
    failed(std::move(token), std::move(failure));
  }
  connections_.erase(place);
}

Task<std::string> Tunnels::reach_sshd(std::shared_ptr<Connection> connection) {
  const tcp::endpoint endpoint(asio::ip::make_address(parts_.ssh_address), parts_.ssh_port);
  const auto error =
      co_await runtime::with_deadline(*parts_.clock, kConnectWithin, connect(&connection->socket, endpoint));
  if (error && !*error) {
    runtime::set_relay_options(connection->socket);
    co_return std::string();
  }
  co_return fmt::format("sshd at {} port {}: {}", parts_.ssh_address, parts_.ssh_port,
                        error ? error->message() : "no answer");
}

}  // namespace boruta::dryad

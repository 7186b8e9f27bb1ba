#include "tunnel/dialer.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/connect.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <fmt/format.h>

#include "runtime/deadline.hpp"

namespace boruta::tunnel {
namespace {

using asio::ip::tcp;
using boost::system::error_code;
using server::TunnelWay;

constexpr auto kAsTuple = asio::as_tuple(asio::use_awaitable);

/// Empty on success.
Task<std::string> connect(std::string address, std::uint16_t port, tcp::socket* socket) {
  error_code not_literal;
  const auto literal = asio::ip::make_address(address, not_literal);
  if (!not_literal) {
    const tcp::endpoint endpoint(literal, port);
    const auto [error] = co_await socket->async_connect(endpoint, kAsTuple);
    co_return error ? error.message() : std::string();
  }
  tcp::resolver resolver(co_await asio::this_coro::executor);
  const auto [unknown, found] = co_await resolver.async_resolve(address, std::to_string(port), kAsTuple);
  if (unknown) co_return unknown.message();
  const auto [error, endpoint] = co_await asio::async_connect(*socket, found, kAsTuple);
  co_return error ? error.message() : std::string();
}

TunnelWay other(TunnelWay way) { return way == TunnelWay::kDirect ? TunnelWay::kAgent : TunnelWay::kDirect; }

}  // namespace

std::optional<TunnelWay> Dialer::way_to(WorkerUuid worker) const {
  if (options_.mode == Mode::kAgent) return TunnelWay::kAgent;
  if (options_.mode == Mode::kDirect || routes_ == nullptr) return TunnelWay::kDirect;
  return routes_->known_way(worker);
}

Task<std::string> Dialer::reach(server::TunnelTarget target, RequestId job, WorkerEnd* end) {
  const auto way = way_to(target.worker).value_or(TunnelWay::kDirect);
  if (options_.mode != Mode::kAuto || routes_ == nullptr) {
    co_return co_await go(way, options_.dial_timeout, std::move(target), job, end);
  }
  auto failure = co_await go(way, options_.try_timeout, target, job, end);
  if (failure.empty()) {
    routes_->learn_way(target.worker, way);
    co_return failure;
  }
  const auto worker = target.worker;
  const auto second = co_await go(other(way), options_.dial_timeout, std::move(target), job, end);
  if (!second.empty()) co_return failure + "; " + second;
  routes_->learn_way(worker, other(way));
  co_return std::string();
}

Task<std::string> Dialer::go(TunnelWay way, Duration limit, server::TunnelTarget target, RequestId job,
                             WorkerEnd* end) {
  if (way == TunnelWay::kAgent) co_return co_await go_through_agent(target.worker, job, end);
  const auto failure =
      co_await runtime::with_deadline(clock_, limit, connect(target.address, target.port, &end->socket));
  if (failure && failure->empty()) co_return std::string();
  error_code ignored;
  end->socket.close(ignored);
  co_return fmt::format("dialling {} port {}: {}", target.address, target.port, failure.value_or("no answer"));
}

Task<std::string> Dialer::go_through_agent(WorkerUuid worker, RequestId job, WorkerEnd* end) {
  auto pipe = co_await routes_->dial(worker, job);
  if (!pipe) co_return "through its agent: " + pipe.error();
  end->pipe = std::move(*pipe);
  co_return std::string();
}

}  // namespace boruta::tunnel

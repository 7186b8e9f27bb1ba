#include "http/server.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/ip/v6_only.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <fmt/chrono.h>
#include <fmt/format.h>

#include "base/limits.hpp"
#include "http/cors.hpp"
#include "http/response_head.hpp"
#include "runtime/deadline.hpp"
#include "runtime/log.hpp"
#include "server/client_limits.hpp"

namespace boruta::http {
namespace {

using asio::ip::tcp;
using boost::system::error_code;

constexpr Duration kSweepEvery = std::chrono::seconds(1);
/// Answers under way when the server stops have so long to get out.
constexpr Duration kStopTime = std::chrono::seconds(3);
/// After a failure to accept, most likely for want of file descriptors.
constexpr Duration kAcceptPause = std::chrono::milliseconds(500);
/// Accepted one behind the other. One at a time, each would wait until all open connections had their turn, and a flood
/// of these would keep newcomers out.
constexpr int kAcceptAtOnce = 64;

class TcpStream final : public ByteStream {
 public:
  explicit TcpStream(tcp::socket socket) : socket_(std::move(socket)) {
    error_code ignored;
    socket_.non_blocking(true, ignored);
  }

  Task<Transfer> read_some(asio::mutable_buffer into) override {
    const auto [error, count] = co_await socket_.async_read_some(into, asio::as_tuple(asio::use_awaitable));
    co_return Transfer{.error = error, .count = count};
  }

  Task<Transfer> write_some(WriteBuffers from) override {
    const auto [error, count] = co_await socket_.async_write_some(from, asio::as_tuple(asio::use_awaitable));
    co_return Transfer{.error = error, .count = count};
  }

  std::size_t write_now(const WriteBuffers& from) override {
    error_code ignored;
    return socket_.write_some(from, ignored);
  }

  void cancel() override {
    error_code ignored;
    socket_.cancel(ignored);
  }

  void shutdown_send() override {
    error_code ignored;
    socket_.shutdown(tcp::socket::shutdown_send, ignored);
  }

  void close() override {
    error_code ignored;
    socket_.close(ignored);
  }

 private:
  tcp::socket socket_;
};

/// Says why, as far as that goes without waiting, and closes.
void refuse_connection(tcp::socket& socket, HttpResponse response) {
  std::string out;
  add_cors_headers(response);
  append_response_head(out, response, {}, Persistence::kClose);
  out += response.body;
  error_code ignored;
  socket.non_blocking(true, ignored);
  socket.write_some(asio::buffer(out), ignored);
}

std::string format_date(Instant now) {
  return fmt::format("{:%a, %d %b %Y %H:%M:%S} GMT",
                     fmt::gmtime(std::chrono::system_clock::to_time_t(std::chrono::floor<std::chrono::seconds>(now))));
}

}  // namespace

HttpServer::HttpServer(const Options& options)
    : executor_(options.executor),
      clock_(*options.clock),
      context_(options.executor),
      acceptor_(options.executor),
      acceptors_(options.executor),
      connections_(options.executor),
      tls_(options.tls),
      connections_per_client_(options.connections_per_client),
      count_loopback_(options.count_loopback) {
  context_.application = options.application;
  context_.access_log = options.access_log;
  take_time();
}

HttpServer::~HttpServer() = default;

std::expected<tcp::endpoint, std::string> HttpServer::listen(const std::string& address, std::uint16_t port) {
  error_code error;
  const auto parsed = asio::ip::make_address(address, error);
  if (error) return std::unexpected(fmt::format("\"{}\" is not an IP address", address));
  const tcp::endpoint endpoint(parsed, port);
  acceptor_.open(endpoint.protocol(), error);
  if (!error) acceptor_.set_option(tcp::acceptor::reuse_address(true), error);
  if (!error && parsed.is_v6()) acceptor_.set_option(asio::ip::v6_only(false), error);
  if (!error) acceptor_.bind(endpoint, error);
  if (!error) acceptor_.listen(tcp::acceptor::max_listen_connections, error);
  if (!error) acceptor_.non_blocking(true, error);
  if (error) return std::unexpected(fmt::format("cannot listen on {} port {}: {}", address, port, error.message()));
  return acceptor_.local_endpoint();
}

Task<void> HttpServer::run() {
  acceptors_.spawn("http sweep", sweep());
  co_await accept_connections();
  if (const bool all_ended = co_await runtime::with_deadline(clock_, kStopTime, connections_.join()); !all_ended) {
    runtime::log_warning("connections are cut", {{"connections", std::to_string(sessions_.size())}});
    connections_.request_stop();
    for (auto* session : sessions_) session->abort();
    co_await connections_.join();
  }
  acceptors_.request_stop();
  co_await acceptors_.join();
}

void HttpServer::request_stop() {
  if (context_.stopping) return;
  context_.stopping = true;
  error_code ignored;
  acceptor_.close(ignored);
  context_.stop.notify_all();
  for (auto* session : sessions_) session->request_stop();
}

Task<void> HttpServer::accept_connections() {
  while (!context_.stopping) {
    auto [error, socket] = co_await acceptor_.async_accept(asio::as_tuple(asio::use_awaitable));
    if (context_.stopping) break;
    if (error) {
      runtime::log_warning("a connection could not be accepted", {{"error", error.message()}});
      co_await runtime::sleep_for(clock_, kAcceptPause);
    } else {
      admit(std::move(socket));
      accept_waiting();
    }
  }
}

void HttpServer::accept_waiting() {
  for (int i = 1; i < kAcceptAtOnce && !context_.stopping; ++i) {
    error_code error;
    tcp::socket socket(executor_);
    acceptor_.accept(socket, error);
    // None waits, or whatever it is is told when the next one is awaited.
    if (error) return;
    admit(std::move(socket));
  }
}

void HttpServer::admit(tcp::socket socket) {
  // To a client that expects TLS nothing could be said.
  const auto turn_away = [&](unsigned status, std::string_view why) {
    if (!tls_) refuse_connection(socket, error_response(status, why));
  };
  if (connections_.size() >= limits::kHttpConnections) {
    turn_away(503, "the server has as many connections as it takes, try again later");
    return;
  }
  auto client = counted_client(socket);
  if (!client.empty() && clients_[client] >= connections_per_client_) {
    turn_away(429, fmt::format("you have {} connections, which is as many as one client may have: close some first",
                               clients_[client]));
    return;
  }
  ++clients_[client];
  connections_.spawn("http session", serve(std::move(socket), std::move(client)));
}

std::string HttpServer::counted_client(const tcp::socket& socket) const {
  error_code error;
  const auto address = socket.remote_endpoint(error).address();
  if (error || connections_per_client_ == 0) return {};
  const bool mapped = address.is_v6() && address.to_v6().is_v4_mapped();
  const bool loopback =
      mapped ? asio::ip::make_address_v4(asio::ip::v4_mapped, address.to_v6()).is_loopback() : address.is_loopback();
  return loopback && !count_loopback_ ? std::string() : server::client_of(address.to_string());
}

Task<void> HttpServer::serve(tcp::socket socket, std::string client) {
  std::exception_ptr failure;
  try {
    co_await converse(std::move(socket));
  } catch (...) {
    failure = std::current_exception();
  }
  const auto count = clients_.find(client);
  if (--count->second == 0) clients_.erase(count);
  if (failure) std::rethrow_exception(failure);
}

Task<void> HttpServer::converse(tcp::socket socket) {
  error_code error;
  socket.set_option(tcp::no_delay(true), error);
  const auto local = socket.local_endpoint(error).address().to_string();
  const auto peer = socket.remote_endpoint(error).address().to_string();
  if (error) co_return;
  std::unique_ptr<ByteStream> stream;
  if (tls_) {
    auto shaken = co_await runtime::with_deadline(clock_, limits::kHttpReadTime, accept_tls(std::move(socket), tls_));
    if (!shaken || !*shaken) co_return;
    stream = std::move(*shaken);
  } else {
    stream = std::make_unique<TcpStream>(std::move(socket));
  }
  const auto session = make_session(std::move(stream), &context_, local, peer);
  sessions_.insert(session.get());
  std::exception_ptr failure;
  try {
    co_await session->run();
  } catch (...) {
    failure = std::current_exception();
  }
  sessions_.erase(session.get());
  if (failure) std::rethrow_exception(failure);
}

Task<void> HttpServer::sweep() {
  while (true) {
    const bool time_passed = co_await runtime::sleep_for(clock_, kSweepEvery);
    if (!time_passed) co_return;
    take_time();
    for (auto* session : sessions_) session->check_time(context_.now);
  }
}

void HttpServer::take_time() {
  const auto now = clock_.now();
  context_.now = now.lease;
  context_.date = format_date(now.wall);
}

}  // namespace boruta::http

#pragma once

#include <boost/asio/ip/tcp.hpp>

#include <cstdint>
#include <expected>
#include <string>
#include <unordered_map>
#include <unordered_set>

#include "http/session.hpp"
#include "http/tls.hpp"
#include "runtime/clock.hpp"

namespace boruta::http {

/// Listens, and runs a session for each connection.
/// Thread: everything happens on the executor it is given, which runs one thing at a time: a strand, or a context with
/// one thread, which is fastest.
/// Stop: `request_stop` closes the acceptor and idle connections and ends blocking waits with 503; `run` returns when
/// the answers under way are out, or after a bounded time.
class HttpServer {
 public:
  /// What it is wired to outlives it.
  struct Options {
    asio::any_io_executor executor;
    runtime::Clock* clock = nullptr;
    Application* application = nullptr;
    /// A line for each request, at debug level.
    bool access_log = false;
    /// Null: plain HTTP.
    TlsContext tls{};
    /// How many connections one client (see server::client_of) may have; 0: as many as there may be at all.
    std::size_t connections_per_client = 0;
    /// Those from this machine, where a proxy may stand for many, are counted as well.
    bool count_loopback = false;
  };

  explicit HttpServer(const Options& options);
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;
  ~HttpServer();

  /// `address` is an IP literal; port 0 takes a free one. Returns where it listens, or why it cannot.
  std::expected<asio::ip::tcp::endpoint, std::string> listen(const std::string& address, std::uint16_t port);
  /// After `listen`, until request_stop.
  Task<void> run();
  void request_stop();
  /// New connections are served with it. REQUIRES: the server was made with one.
  void renew_tls(TlsContext tls) { tls_ = std::move(tls); }

  [[nodiscard]] std::size_t connections() const { return sessions_.size(); }

 private:
  Task<void> accept_connections();
  void accept_waiting();
  void admit(asio::ip::tcp::socket socket);
  Task<void> serve(asio::ip::tcp::socket socket, std::string client);
  Task<void> converse(asio::ip::tcp::socket socket);
  /// As it is counted; empty: it is not.
  [[nodiscard]] std::string counted_client(const asio::ip::tcp::socket& socket) const;
  Task<void> sweep();
  void take_time();

  asio::any_io_executor executor_;
  runtime::Clock& clock_;
  SessionContext context_;
  asio::ip::tcp::acceptor acceptor_;
  runtime::TaskGroup acceptors_;
  runtime::TaskGroup connections_;
  std::unordered_set<Session*> sessions_;
  TlsContext tls_;
  std::size_t connections_per_client_;
  bool count_loopback_;
  /// By client, of those that are counted.
  std::unordered_map<std::string, std::size_t> clients_;
};

}  // namespace boruta::http

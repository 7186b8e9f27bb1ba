#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/context.hpp>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

namespace boruta::client {

/// What a client sent, as it came over the wire.
struct Received {
  std::string method;
  std::string target;
  /// Names in lower case.
  std::map<std::string, std::string> headers;
  std::string body;
  /// Counted from 0.
  std::size_t connection = 0;
};

struct FakeAnswer {
  unsigned status = 200;
  std::string body;
  std::string extra_headers;
  bool close_after = false;
  /// Sent instead of all of the above when not empty.
  std::string raw;
};

/// An HTTP/1.1 server for tests: real sockets on a port of its own, one connection at a time, in its own thread.
class FakeServer {
 public:
  /// Nothing: the connection is closed without an answer.
  using Handler = std::function<std::optional<FakeAnswer>(const Received&)>;

  /// With `tls`, a certificate for "localhost" and 127.0.0.1 that only `ca_pem` can vouch for.
  explicit FakeServer(Handler handler, bool tls = false, const char* address = "127.0.0.1");
  FakeServer(const FakeServer&) = delete;
  FakeServer& operator=(const FakeServer&) = delete;
  /// Waits until the last client has closed its connection.
  ~FakeServer();

  [[nodiscard]] std::uint16_t port() const { return port_; }
  [[nodiscard]] const std::string& ca_pem() const { return ca_pem_; }
  /// All requests so far.
  [[nodiscard]] std::vector<Received> received() const;

 private:
  void serve();
  template <class Stream>
  void serve_connection(Stream& stream, std::size_t number);

  Handler handler_;
  bool tls_;
  boost::asio::io_context io_;
  boost::asio::ssl::context context_{boost::asio::ssl::context::tls_server};
  boost::asio::ip::tcp::acceptor acceptor_;
  std::uint16_t port_ = 0;
  std::string ca_pem_;
  mutable std::mutex mutex_;
  std::vector<Received> received_;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace boruta::client

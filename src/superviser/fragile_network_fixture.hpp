#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/write.hpp>
#include <fmt/format.h>

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <string>
#include <thread>

#include "runtime/task.hpp"

namespace boruta::superviser {

/// Forwards one connection to the service until it is told to fall silent, as a network does that breaks in between.
class FragileNetwork {
 public:
  explicit FragileNetwork(std::uint16_t port) : server_(io_), port_(port) {
    thread_ = std::thread([this] { forward(); });
  }
  ~FragileNetwork() { thread_.join(); }

  [[nodiscard]] std::string address() const { return fmt::format("127.0.0.1:{}", acceptor_.local_endpoint().port()); }
  void fall_silent() { silent_ = true; }
  void go() { gone_ = true; }

 private:
  void forward() {
    auto client = acceptor_.accept();
    server_.connect(asio::ip::tcp::endpoint(asio::ip::address_v4::loopback(), port_));
    client.non_blocking(true);
    server_.non_blocking(true);
    while (!gone_) {
      if (!silent_) {
        carry(client, server_);
        carry(server_, client);
      }
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
  }

  static void carry(asio::ip::tcp::socket& from, asio::ip::tcp::socket& to) {
    std::array<char, 65'536> buffer{};
    boost::system::error_code error;
    const auto size = from.read_some(asio::buffer(buffer), error);
    if (!error) asio::write(to, asio::buffer(buffer, size), error);
  }

  asio::io_context io_;
  asio::ip::tcp::acceptor acceptor_{io_, asio::ip::tcp::endpoint(asio::ip::address_v4::loopback(), 0)};
  asio::ip::tcp::socket server_;
  std::uint16_t port_;
  std::atomic<bool> silent_ = false;
  std::atomic<bool> gone_ = false;
  std::thread thread_;
};

}  // namespace boruta::superviser

#include "runtime/tcp_options.hpp"

#include <netinet/tcp.h>

namespace boruta::runtime {
namespace {

namespace asio = boost::asio;
using boost::system::error_code;

// 60 s of silence, then four probes.
constexpr int kKeepAliveIdleSeconds = 60;
constexpr int kKeepAliveIntervalSeconds = 15;
constexpr int kKeepAliveProbes = 4;

template <int name>
using TcpOption = asio::detail::socket_option::integer<IPPROTO_TCP, name>;

}  // namespace

void set_relay_options(asio::ip::tcp::socket& socket) {
  error_code ignored;
  socket.set_option(asio::ip::tcp::no_delay(true), ignored);
  socket.set_option(asio::socket_base::keep_alive(true), ignored);
  socket.set_option(TcpOption<TCP_KEEPIDLE>(kKeepAliveIdleSeconds), ignored);
  socket.set_option(TcpOption<TCP_KEEPINTVL>(kKeepAliveIntervalSeconds), ignored);
  socket.set_option(TcpOption<TCP_KEEPCNT>(kKeepAliveProbes), ignored);
  socket.non_blocking(true, ignored);
}

void reset_on_close(asio::ip::tcp::socket& socket) {
  error_code ignored;
  socket.set_option(asio::socket_base::linger(true, 0), ignored);
}

}  // namespace boruta::runtime

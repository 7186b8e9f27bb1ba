#include "app/backup_socket.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <sys/un.h>
#include <system_error>
#include <utility>

#include "runtime/deadline.hpp"
#include "runtime/log.hpp"

namespace boruta::app {
namespace {

using asio::local::stream_protocol;
using namespace std::chrono_literals;

/// To take the copy away.
constexpr Duration kFetchWithin = 10min;
/// Out of descriptors, say: others may give some back.
constexpr Duration kAcceptAgainAfter = 100ms;

void remove_file(const std::filesystem::path& file) {
  std::error_code ignored;
  std::filesystem::remove(file, ignored);
}

Task<void> wait_for_close(std::shared_ptr<stream_protocol::socket> socket) {
  std::array<char, 16> unread;
  co_await socket->async_read_some(asio::buffer(unread), asio::as_tuple(asio::use_awaitable));
}

std::string line_of(const std::expected<void, store::StoreError>& made) {
  if (made) return "ok\n";
  std::string why = made.error().message;
  std::ranges::replace(why, '\n', ' ');
  return fmt::format("failed {}\n", why);
}

}  // namespace

BackupSocket::BackupSocket(Parts parts, std::filesystem::path data_dir)
    : parts_(std::move(parts)), data_dir_(std::move(data_dir)), acceptor_(parts_.executor), tasks_(parts_.executor) {}

std::expected<void, std::string> BackupSocket::listen() {
  const auto path = data_dir_ / kBackupSocket;
  constexpr std::size_t kLongest = sizeof(sockaddr_un::sun_path) - 1;
  if (path.native().size() > kLongest) {
    return std::unexpected(fmt::format("{}: {} bytes, and the path of a socket has {} at most", path.native(),
                                       path.native().size(), kLongest));
  }
  remove_file(path);
  remove_file(data_dir_ / kBackupCopy);
  boost::system::error_code error;
  acceptor_.open(stream_protocol(), error);
  if (!error) acceptor_.bind(stream_protocol::endpoint(path.native()), error);
  if (!error) acceptor_.listen(asio::socket_base::max_listen_connections, error);
  if (error) return std::unexpected(fmt::format("{}: {}", path.native(), error.message()));
  tasks_.spawn("backups", accept());
  return {};
}

void BackupSocket::request_stop() {
  if (!acceptor_.is_open()) return;
  boost::system::error_code ignored;
  acceptor_.close(ignored);
  remove_file(data_dir_ / kBackupSocket);
  parts_.store->stop_backups();
  tasks_.request_stop();
}

Task<void> BackupSocket::accept() {
  while (acceptor_.is_open()) {
    const auto socket = std::make_shared<Socket>(parts_.executor);
    const auto [error] = co_await acceptor_.async_accept(*socket, asio::as_tuple(asio::use_awaitable));
    if (error == asio::error::operation_aborted) co_return;
    if (error) {
      co_await runtime::sleep_for(*parts_.clock, kAcceptAgainAfter);
      continue;
    }
    co_await serve(socket);
  }
}

Task<void> BackupSocket::serve(std::shared_ptr<Socket> socket) {
  const auto copy = data_dir_ / kBackupCopy;
  const auto began = parts_.clock->now().lease;
  const auto made = co_await parts_.store->backup(copy);
  if (made) {
    const auto took = std::chrono::duration_cast<std::chrono::milliseconds>(parts_.clock->now().lease - began);
    runtime::log_info("a backup was made", {{"milliseconds", std::to_string(took.count())}});
  } else {
    runtime::log_warning("a backup could not be made", {{"error", made.error().message}});
  }
  auto line = line_of(made);
  const auto [error, written] =
      co_await asio::async_write(*socket, asio::buffer(line), asio::as_tuple(asio::use_awaitable));
  if (!error && made) {
    auto closed = wait_for_close(socket);
    co_await runtime::with_deadline(*parts_.clock, kFetchWithin, std::move(closed));
  }
  remove_file(copy);
}

}  // namespace boruta::app

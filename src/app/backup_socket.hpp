#pragma once

#include <boost/asio/local/stream_protocol.hpp>

#include <expected>
#include <filesystem>
#include <memory>
#include <string>

#include "runtime/clock.hpp"
#include "runtime/task.hpp"
#include "server/committer.hpp"

namespace boruta::app {

/// In the data directory: where a running server is asked for a backup, and the copy that it makes there.
inline constexpr const char* kBackupSocket = "backup.sock";
inline constexpr const char* kBackupCopy = "boruta.db.backup";

/// Makes backups for whoever can reach into the data directory, which is the server's user and root: permissions of
/// files are all the access control there is. The server writes nowhere else, and is told no path.
///
/// A connection is a wish: it is answered by "ok" when the copy is complete, or "failed REASON", a line; the copy is
/// there until the other end closes, 10 minutes at most. One is served at a time, the next waits.
/// Thread: the executor. Stop: `request_stop`; it must outlive `join`.
class BackupSocket {
 public:
  struct Parts {
    asio::any_io_executor executor;
    /// Both must outlive this.
    runtime::Clock* clock = nullptr;
    server::StoreThread* store = nullptr;
  };

  BackupSocket(Parts parts, std::filesystem::path data_dir);
  BackupSocket(const BackupSocket&) = delete;
  BackupSocket& operator=(const BackupSocket&) = delete;

  /// Replaces what a server that died left there. REQUIRES: this process holds the data directory.
  /// Error: the path is too long for a socket, or the file system says no.
  std::expected<void, std::string> listen();
  /// Removes the socket; a backup in hand is given up.
  void request_stop();
  Task<void> join() { return tasks_.join(); }

 private:
  using Socket = asio::local::stream_protocol::socket;

  Task<void> accept();
  Task<void> serve(std::shared_ptr<Socket> socket);

  Parts parts_;
  std::filesystem::path data_dir_;
  asio::local::stream_protocol::acceptor acceptor_;
  runtime::TaskGroup tasks_;
};

}  // namespace boruta::app

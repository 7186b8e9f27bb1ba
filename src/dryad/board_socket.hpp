#pragma once

#include <boost/asio/local/stream_protocol.hpp>

#include <expected>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <sys/types.h>

#include "dryad/board_desk.hpp"
#include "runtime/clock.hpp"
#include "runtime/descriptor.hpp"
#include "runtime/task.hpp"

namespace boruta::dryad {

/// Users that are served at one time; more are hung up on.
inline constexpr std::size_t kBoardSocketUsers = 16;
/// From connecting to having said what is wanted.
inline constexpr std::chrono::seconds kBoardSocketRead{5};

/// Where the running job's user on the worker asks for what the board can do: a unix socket that any may connect to,
/// and that serves one. The kernel says who is at the other end (SO_PEERCRED), so there is nothing to be known or kept
/// secret, and a process of an earlier job gets nothing.
///
/// One line each way: "power cycle", "current", … is answered by "ok", "ok 240" (milliamperes), "refused REASON" or
/// "failed REASON"; then the connection ends. "console" is answered by "ok writer" or "ok reader", and what follows are
/// the console's bytes, each way, until the job ends.
/// Thread: the executor. Stop: `request_stop`; it must outlive `join`.
class BoardSocket {
 public:
  struct Parts {
    asio::any_io_executor executor;
    /// Both must outlive this.
    runtime::Clock* clock = nullptr;
    BoardDesk* desk = nullptr;
    /// Who is the job's user; asked for each connection.
    std::function<std::optional<uid_t>()> user;
  };

  /// Listens at `path`, whose directory is made (0755) where it is missing. A socket that nobody listens at any more
  /// is replaced. Error: the path is too long for a socket, somebody listens there, or the file system says no.
  static std::expected<std::unique_ptr<BoardSocket>, std::string> listen(Parts parts,
                                                                         const std::filesystem::path& path);
  /// Serves at `listener`, a unix socket that listens and whose path somebody else looks after.
  static std::unique_ptr<BoardSocket> serve_at(Parts parts, runtime::Descriptor listener);
  BoardSocket(const BoardSocket&) = delete;
  BoardSocket& operator=(const BoardSocket&) = delete;
  ~BoardSocket();

  /// Removes the socket, if `listen` made it, and ends the conversations.
  void request_stop();
  Task<void> join() { return tasks_.join(); }

 private:
  using Socket = asio::local::stream_protocol::socket;

  BoardSocket(Parts parts, runtime::Descriptor listener, std::filesystem::path path);
  Task<void> accept();
  Task<void> serve(std::shared_ptr<Socket> socket);
  /// What the peer of `socket` wants; nothing: it was told why it gets nothing.
  Task<std::optional<std::string>> admit(std::shared_ptr<Socket> socket);
  Task<std::string> answer(std::string wish);
  /// Carries the console's bytes.
  Task<void> converse(std::shared_ptr<Socket> socket);
  Task<agent::BoardResult> act(agent::BoardAction action);

  Parts parts_;
  asio::local::stream_protocol::acceptor acceptor_;
  /// Empty: not ours to remove.
  std::filesystem::path path_;
  runtime::TaskGroup tasks_;
};

}  // namespace boruta::dryad

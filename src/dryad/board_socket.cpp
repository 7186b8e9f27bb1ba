#include "dryad/board_socket.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <poll.h>
#include <sys/socket.h>
#include <utility>

#include "dryad/board_listener.hpp"
#include "runtime/deadline.hpp"
#include "runtime/log.hpp"

namespace boruta::dryad {
namespace {

using asio::local::stream_protocol;
using boost::system::error_code;

/// Of what is asked for.
constexpr std::size_t kLineBytes = 64;
constexpr std::string_view kConsoleWish = "console";
constexpr std::chrono::milliseconds kLineIsFull{20};
constexpr std::chrono::milliseconds kLookForClosed{500};

std::optional<uid_t> peer_of(stream_protocol::socket& socket) {
  ucred peer{};
  socklen_t size = sizeof peer;
  if (::getsockopt(socket.native_handle(), SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0) return std::nullopt;
  return peer.uid;
}

Task<std::optional<std::string>> read_line(std::shared_ptr<stream_protocol::socket> socket) {
  std::string line;
  const auto [error, size] = co_await asio::async_read_until(*socket, asio::dynamic_buffer(line, kLineBytes), '\n',
                                                             asio::as_tuple(asio::use_awaitable));
  if (error) co_return std::nullopt;
  co_return line.substr(0, size - 1);
}

std::string text_of(const agent::BoardResult& result) {
  // One line: what a program said may have more.
  std::string error = result.error;
  std::ranges::replace_if(error, [](unsigned char c) { return c < ' '; }, ' ');
  switch (result.outcome) {
    case agent::BoardOutcome::kDone:
      return result.milliamperes ? fmt::format("ok {}\n", *result.milliamperes) : "ok\n";
    case agent::BoardOutcome::kRefused:
      return fmt::format("refused {}\n", error);
    case agent::BoardOutcome::kFailed:
      break;
  }
  return fmt::format("failed {}\n", error);
}

/// It fits into the socket's buffer, so it is written at once or never.
Task<void> say(std::shared_ptr<stream_protocol::socket> socket, std::string text) {
  co_await asio::async_write(*socket, asio::buffer(text), asio::as_tuple(asio::use_awaitable));
}

/// What the console has printed and one connection not taken yet.
class SocketReader final : public ConsoleReader {
 public:
  explicit SocketReader(const asio::any_io_executor& executor) : changed_(executor) {}

  void heard_first(std::string_view bytes) { waiting_ = bytes; }
  void heard(std::string_view bytes) override {
    // A reader that stands still loses what it can't take, and is told; the console and its log go on.
    const bool fits = waiting_.size() + bytes.size() <= kConsoleBacklog;
    if (fits && lost_) waiting_ += "\r\n[dryad: some of it was lost here, it came too fast]\r\n";
    if (fits) waiting_ += bytes;
    lost_ = !fits;
    changed_.notify_all();
  }
  void ended() override {
    ended_ = true;
    changed_.notify_all();
  }
  /// What is to be sent next; nothing: the console has ended.
  Task<std::optional<std::string>> next() {
    while (waiting_.empty() && !ended_) co_await changed_.wait();
    if (waiting_.empty()) co_return std::nullopt;
    co_return std::exchange(waiting_, {});
  }

 private:
  std::string waiting_;
  bool lost_ = false;
  bool ended_ = false;
  runtime::Signal changed_;
};

Task<void> pass_on(std::shared_ptr<stream_protocol::socket> socket, std::shared_ptr<SocketReader> reader) {
  for (bool open = true; open;) {
    auto piece = co_await reader->next();
    if (!piece) co_return;
    const auto [error, size] =
        co_await asio::async_write(*socket, asio::buffer(*piece), asio::as_tuple(asio::use_awaitable));
    open = !error;
  }
}

/// The peer has closed both directions.
bool is_closed(stream_protocol::socket& socket) {
  pollfd state{socket.native_handle(), 0, 0};
  return ::poll(&state, 1, 0) > 0 && (state.revents & (POLLHUP | POLLERR)) != 0;
}

Task<void> take_in(std::shared_ptr<stream_protocol::socket> socket, std::shared_ptr<SocketReader> reader,
                   Console* console, runtime::Clock* clock) {
  std::array<char, 1024> buffer;
  for (;;) {
    const auto [error, size] =
        co_await socket->async_read_some(asio::buffer(buffer), asio::as_tuple(asio::use_awaitable));
    if (error) break;
    while (!console->write(reader, {buffer.data(), size})) {
      // The line is slower than who types: it is read no faster than the line takes it.
      co_await runtime::sleep_for(*clock, kLineIsFull);
    }
  }
  console->stop_writing(reader);
  // It may read on; that it has left altogether is not told, but can be seen.
  while (!is_closed(*socket)) co_await runtime::sleep_for(*clock, kLookForClosed);
}

}  // namespace

std::expected<std::unique_ptr<BoardSocket>, std::string> BoardSocket::listen(Parts parts,
                                                                             const std::filesystem::path& path) {
  auto listener = listen_at(path);
  if (!listener) return std::unexpected(listener.error());
  std::unique_ptr<BoardSocket> made(new BoardSocket(std::move(parts), *std::move(listener), path));
  return made;
}

std::unique_ptr<BoardSocket> BoardSocket::serve_at(Parts parts, runtime::Descriptor listener) {
  return std::unique_ptr<BoardSocket>(new BoardSocket(std::move(parts), std::move(listener), {}));
}

BoardSocket::BoardSocket(Parts parts, runtime::Descriptor listener, std::filesystem::path path)
    : parts_(std::move(parts)),
      acceptor_(parts_.executor, stream_protocol(), listener.release()),
      path_(std::move(path)),
      tasks_(parts_.executor) {
  tasks_.spawn("board's socket", accept());
}

BoardSocket::~BoardSocket() = default;

void BoardSocket::request_stop() {
  error_code ignored;
  acceptor_.close(ignored);
  std::error_code unremoved;
  if (!path_.empty()) std::filesystem::remove(path_, unremoved);
  tasks_.request_stop();
}

Task<void> BoardSocket::accept() {
  while (acceptor_.is_open()) {
    const auto socket = std::make_shared<Socket>(parts_.executor);
    const auto [error] = co_await acceptor_.async_accept(*socket, asio::as_tuple(asio::use_awaitable));
    if (error == asio::error::operation_aborted) co_return;
    if (error) {
      // Out of descriptors, say: others may give some back.
      co_await runtime::sleep_for(*parts_.clock, std::chrono::milliseconds(100));
      continue;
    }
    // This loop is one of the tasks.
    if (tasks_.size() <= kBoardSocketUsers) tasks_.spawn("board's user", serve(socket));
  }
}

Task<void> BoardSocket::serve(std::shared_ptr<Socket> socket) {
  auto wish = co_await admit(socket);
  if (!wish) co_return;
  if (*wish == kConsoleWish && parts_.desk->console() != nullptr) {
    co_await converse(socket);
  } else {
    auto text = co_await answer(std::move(*wish));
    co_await say(socket, std::move(text));
  }
}

Task<std::optional<std::string>> BoardSocket::admit(std::shared_ptr<Socket> socket) {
  const auto peer = peer_of(*socket);
  auto line = co_await runtime::with_deadline(*parts_.clock, kBoardSocketRead, read_line(socket));
  std::string refusal;
  // Who asks is asked now, not when the connection came: between the two a job may have ended.
  const auto user = parts_.desk->serving() ? parts_.user() : std::nullopt;
  if (!line || !*line) {
    refusal = "refused one line is expected, like: power cycle\n";
  } else if (**line != kConsoleWish && !agent::parse_board_action(**line)) {
    refusal = "refused there is no such action\n";
  } else if (!parts_.desk->serving()) {
    refusal = "refused no job runs on this worker\n";
  } else if (!peer || !user || *peer != *user) {
    refusal = "refused only the user of the job that runs on this worker may do this\n";
  } else {
    co_return std::move(**line);
  }
  co_await say(socket, std::move(refusal));
  co_return std::nullopt;
}

Task<std::string> BoardSocket::answer(std::string wish) {
  const auto action = agent::parse_board_action(wish);
  if (!action) {
    co_return std::string(
        "refused this worker's board has no console: board.console is not set in the config of its agent\n");
  }
  const auto result = co_await act(*action);
  co_return text_of(result);
}

Task<void> BoardSocket::converse(std::shared_ptr<Socket> socket) {
  using asio::experimental::awaitable_operators::operator||;
  auto* console = parts_.desk->console();
  const auto reader = std::make_shared<SocketReader>(parts_.executor);
  const bool writes = console->attach(reader);
  // Whatever ends this, others may write then.
  const std::shared_ptr<void> leave(nullptr, [console, reader](void*) { console->detach(reader); });
  reader->heard_first(writes ? "ok writer\n" : "ok reader\n");
  auto printed = pass_on(socket, reader);
  auto typed = take_in(socket, reader, console, parts_.clock);
  co_await (std::move(printed) || std::move(typed));
}

Task<agent::BoardResult> BoardSocket::act(agent::BoardAction action) {
  struct Answer {
    explicit Answer(const asio::any_io_executor& executor) : changed(executor) {}
    std::optional<agent::BoardResult> result;
    runtime::Signal changed;
  };
  // Shared: the desk may answer when this conversation has been cut.
  const auto answer = std::make_shared<Answer>(parts_.executor);
  auto done = [answer](agent::BoardResult result) {
    answer->result = std::move(result);
    answer->changed.notify_all();
  };
  parts_.desk->act(action, std::move(done));
  if (!answer->result) co_await answer->changed.wait();
  if (!answer->result)
    co_return agent::BoardResult{
        .outcome = agent::BoardOutcome::kRefused, .error = "dryad ends", .milliamperes = std::nullopt};
  co_return *std::move(answer->result);
}

}  // namespace boruta::dryad

#include "dryad/board_socket.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <gtest/gtest.h>

#include <fstream>
#include <future>
#include <pwd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>

#include "dryad/scratch_dir.hpp"

namespace boruta::dryad {
namespace {

using namespace std::chrono_literals;
using agent::BoardAction;

class AnsweringRunner final : public OperationRunner {
 public:
  explicit AnsweringRunner(asio::any_io_executor executor) : executor_(std::move(executor)) {}

  void start(Operation, std::stop_token, Done) override {}
  void act(BoardAction action, std::stop_token, Acted acted) override {
    agent::BoardResult result;
    if (action == BoardAction::kCurrent) result.milliamperes = 240;
    if (action == BoardAction::kSdHost) result = {agent::BoardOutcome::kRefused, "no mux\nat all", std::nullopt};
    if (action == BoardAction::kSdDut) result = {agent::BoardOutcome::kFailed, "it sticks", std::nullopt};
    asio::post(executor_, [acted = std::move(acted), result = std::move(result)] { acted(result); });
  }

 private:
  asio::any_io_executor executor_;
};

/// What is said by who connects and says `line`; empty when hung up on.
std::string converse(const std::filesystem::path& path, const std::string& line) {
  const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.native().copy(address.sun_path, sizeof address.sun_path - 1);
  std::string answer;
  if (::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0 &&
      ::send(fd, line.data(), line.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(line.size())) {
    char buffer[256];
    for (ssize_t got = 0; (got = ::read(fd, buffer, sizeof buffer)) > 0;) {
      answer.append(buffer, static_cast<std::size_t>(got));
    }
  }
  ::close(fd);
  return answer;
}

class BoardSocketTest : public testing::Test {
 protected:
  BoardSocketTest() {
    auto made = BoardSocket::listen(parts(), path());
    EXPECT_TRUE(made.has_value()) << made.error();
    socket_ = *std::move(made);
    desk_.serve(RequestId{7});
    thread_ = std::jthread([this] { context_.run(); });
  }
  ~BoardSocketTest() override {
    asio::post(context_, [this] {
      desk_.close();
      socket_->request_stop();
    });
    thread_.join();
    EXPECT_FALSE(std::filesystem::exists(path())) << "removed with dryad";
  }

  [[nodiscard]] std::filesystem::path path() const { return dir_.path() / "run" / "board.sock"; }
  BoardSocket::Parts parts() {
    return {
        .executor = context_.get_executor(), .clock = clock_.get(), .desk = &desk_, .user = [this] { return user_; }};
  }
  std::string ask(const std::string& line) { return converse(path(), line); }

  ScratchDir dir_;
  asio::io_context context_;
  std::unique_ptr<runtime::Clock> clock_ = runtime::make_system_clock(Instant{});
  AnsweringRunner runner_{context_.get_executor()};
  BoardDesk desk_{context_.get_executor(), clock_.get(), &runner_};
  std::optional<uid_t> user_ = ::geteuid();
  std::unique_ptr<BoardSocket> socket_;
  /// Outlives its tasks.
  std::unique_ptr<BoardSocket> kept_;
  std::jthread thread_;
};

TEST_F(BoardSocketTest, ServesTheJobsUser) {
  EXPECT_EQ(ask("power cycle\n"), "ok\n");
  EXPECT_EQ(ask("current\n"), "ok 240\n");
  EXPECT_EQ(ask("sd host\n"), "refused no mux at all\n");
  EXPECT_EQ(ask("sd dut\n"), "failed it sticks\n");
}

TEST_F(BoardSocketTest, RefusesWhatIsNoAction) {
  EXPECT_EQ(ask("reboot\n"), "refused there is no such action\n");
  EXPECT_EQ(ask("\n"), "refused there is no such action\n");
  EXPECT_EQ(ask(std::string(5000, 'x')), "refused one line is expected, like: power cycle\n");
}

TEST_F(BoardSocketTest, SaysThatThereIsNoConsole) {
  EXPECT_EQ(ask("console\n"),
            "refused this worker's board has no console: board.console is not set in the config of its agent\n");
}

TEST_F(BoardSocketTest, RefusesAllWhenNoJobRuns) {
  std::promise<void> done;
  asio::post(context_, [&] {
    desk_.serve(std::nullopt);
    done.set_value();
  });
  done.get_future().wait();
  EXPECT_EQ(ask("power off\n"), "refused no job runs on this worker\n");
}

TEST_F(BoardSocketTest, KnowsByTheKernelThatAnotherAsks) {
  user_ = ::geteuid() + 1;
  EXPECT_EQ(ask("power off\n"), "refused only the user of the job that runs on this worker may do this\n");
  user_.reset();
  EXPECT_EQ(ask("power off\n"), "refused only the user of the job that runs on this worker may do this\n");
}

TEST_F(BoardSocketTest, LetsOtherAccountsConnectButServesThemNothing) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root to be somebody else";
  ::chmod(dir_.path().c_str(), 0755);
  const passwd* nobody = ::getpwnam("nobody");
  ASSERT_NE(nobody, nullptr);
  int ends[2];
  ASSERT_EQ(::pipe(ends), 0);
  const pid_t child = ::fork();
  if (child == 0) {
    if (::setuid(nobody->pw_uid) != 0) ::_exit(1);
    const auto answer = converse(path(), "power off\n");
    const auto written = ::write(ends[1], answer.data(), answer.size());
    ::_exit(written > 0 ? 0 : 1);
  }
  ::close(ends[1]);
  char buffer[256];
  const ssize_t got = ::read(ends[0], buffer, sizeof buffer);
  ::close(ends[0]);
  ::waitpid(child, nullptr, 0);
  ASSERT_GT(got, 0);
  EXPECT_EQ(std::string(buffer, static_cast<std::size_t>(got)),
            "refused only the user of the job that runs on this worker may do this\n");
}

TEST_F(BoardSocketTest, HangsUpOnWhoSaysNothing) {
  const auto begin = std::chrono::steady_clock::now();
  EXPECT_EQ(ask(""), "refused one line is expected, like: power cycle\n");
  const auto took = std::chrono::steady_clock::now() - begin;
  EXPECT_GE(took, 4900ms);
  EXPECT_LT(took, 7s);
}

TEST_F(BoardSocketTest, RefusesToListenWhereAnotherDoesAndReplacesWhatIsLeft) {
  EXPECT_FALSE(BoardSocket::listen(parts(), path()).has_value());
  const auto left = dir_.path() / "left.sock";
  const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  left.native().copy(address.sun_path, sizeof address.sun_path - 1);
  ASSERT_EQ(::bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
  ::close(fd);
  std::promise<bool> listens;
  asio::post(context_, [&] {
    auto again = BoardSocket::listen(parts(), left);
    listens.set_value(again.has_value());
    if (again) {
      again->get()->request_stop();
      kept_ = std::move(*again);
    }
  });
  EXPECT_TRUE(listens.get_future().get());
  const auto too_long = BoardSocket::listen(parts(), dir_.path() / std::string(100, 'x'));
  ASSERT_FALSE(too_long.has_value());
  EXPECT_NE(too_long.error().find("107 at most: set board.socket"), std::string::npos);
}

}  // namespace
}  // namespace boruta::dryad

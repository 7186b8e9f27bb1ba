#include "runtime/service_notifier.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <array>
#include <cstring>
#include <filesystem>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include <vector>

namespace boruta::runtime {
namespace {

using namespace std::chrono_literals;

/// The manager's end: a real datagram socket.
class Manager {
 public:
  explicit Manager(std::string name) : name_(std::move(name)), fd_(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, name_.data(), name_.size());
    if (name_.front() == '@') address.sun_path[0] = '\0';
    const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + name_.size());
    bound_ = ::bind(fd_, reinterpret_cast<sockaddr*>(&address), size) == 0;
  }
  Manager(const Manager&) = delete;
  Manager& operator=(const Manager&) = delete;
  ~Manager() {
    ::close(fd_);
    if (name_.front() == '/') ::unlink(name_.c_str());
  }

  [[nodiscard]] bool bound() const { return bound_; }
  /// What has come since, a datagram each.
  [[nodiscard]] std::vector<std::string> heard() const {
    std::vector<std::string> all;
    std::array<char, 512> buffer{};
    for (;;) {
      const ssize_t got = ::recv(fd_, buffer.data(), buffer.size(), MSG_DONTWAIT);
      if (got < 0) return all;
      all.emplace_back(buffer.data(), static_cast<std::size_t>(got));
    }
  }

 private:
  std::string name_;
  int fd_;
  bool bound_ = false;
};

std::string socket_path() {
  return (std::filesystem::temp_directory_path() / fmt::format("boruta-notify-{}", ::getpid())).native();
}

class NotifierEnvironment : public testing::Test {
 protected:
  ~NotifierEnvironment() override {
    for (const auto* name : {"NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"}) ::unsetenv(name);
  }
};

TEST(ServiceNotifier, SaysEachChangeInADatagramOfItsOwn) {
  const Manager manager(socket_path());
  ASSERT_TRUE(manager.bound());
  const ServiceNotifier notifier(socket_path());
  notifier.ready();
  notifier.reloading();
  notifier.status("two\nlines");
  notifier.stopping();
  const auto heard = manager.heard();
  ASSERT_EQ(heard.size(), 4U);
  EXPECT_EQ(heard[0], "READY=1");
  EXPECT_TRUE(heard[1].starts_with("RELOADING=1\nMONOTONIC_USEC=")) << heard[1];
  EXPECT_EQ(heard[2], "STATUS=two lines");
  EXPECT_EQ(heard[3], "STOPPING=1");
}

TEST(ServiceNotifier, ReachesASocketInTheAbstractNameSpace) {
  const auto name = fmt::format("@boruta-notify-{}", ::getpid());
  const Manager manager(name);
  ASSERT_TRUE(manager.bound());
  ServiceNotifier(name).ready();
  EXPECT_EQ(manager.heard(), std::vector<std::string>{"READY=1"});
}

TEST(ServiceNotifier, DoesNothingWithoutAManager) {
  ServiceNotifier().ready();
  ServiceNotifier("/no/such/socket").ready();
  ServiceNotifier("vsock:2:1234").ready();
  ServiceNotifier("/" + std::string(200, 'x')).ready();
}

TEST(ServiceNotifier, NeverWaitsForAManagerThatDoesNotRead) {
  const Manager manager(socket_path());
  ASSERT_TRUE(manager.bound());
  const ServiceNotifier notifier(socket_path());
  const auto start = std::chrono::steady_clock::now();
  for (int i = 0; i < 5000; ++i) notifier.alive();
  EXPECT_LT(std::chrono::steady_clock::now() - start, 5s);
  EXPECT_LT(manager.heard().size(), 5000U) << "the socket never filled: nothing was tried";
}

TEST_F(NotifierEnvironment, IsTakenOutSoThatNoChildSpeaksForUs) {
  const Manager manager(socket_path());
  ASSERT_TRUE(manager.bound());
  ::setenv("NOTIFY_SOCKET", socket_path().c_str(), 1);
  ::setenv("WATCHDOG_USEC", "60000000", 1);
  ::setenv("WATCHDOG_PID", std::to_string(::getpid()).c_str(), 1);
  const auto notifier = ServiceNotifier::take_environment();
  EXPECT_EQ(notifier.watchdog(), 60s);
  for (const auto* name : {"NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"}) EXPECT_EQ(std::getenv(name), nullptr);
  notifier.ready();
  EXPECT_EQ(manager.heard(), std::vector<std::string>{"READY=1"});
}

TEST_F(NotifierEnvironment, WatchdogOfAnotherProcessIsNotOurs) {
  ::setenv("NOTIFY_SOCKET", socket_path().c_str(), 1);
  ::setenv("WATCHDOG_USEC", "60000000", 1);
  ::setenv("WATCHDOG_PID", "1", 1);
  EXPECT_EQ(ServiceNotifier::take_environment().watchdog(), std::nullopt);
  ::setenv("NOTIFY_SOCKET", socket_path().c_str(), 1);
  ::setenv("WATCHDOG_USEC", "soon", 1);
  EXPECT_EQ(ServiceNotifier::take_environment().watchdog(), std::nullopt);
}

TEST(ServiceNotifier, SaysAliveTwiceInEachPeriod) {
  const Manager manager(socket_path());
  ASSERT_TRUE(manager.bound());
  const ServiceNotifier notifier(socket_path(), 200ms);
  asio::io_context context;
  const auto clock = make_system_clock(Instant{});
  TaskGroup group(context.get_executor());
  group.spawn("watchdog", keep_alive(&notifier, clock.get()));
  context.run_for(1050ms);
  const auto heard = manager.heard();
  // At 0 ms, 100 ms, …; fewer on a machine that was busy, yet never so few that a period went by in silence.
  EXPECT_GE(heard.size(), 6U);
  EXPECT_LE(heard.size(), 11U);
  for (const auto& datagram : heard) EXPECT_EQ(datagram, "WATCHDOG=1");
  group.request_stop();
  context.restart();
  context.run_for(1s);
  EXPECT_EQ(group.size(), 0U);
}

}  // namespace
}  // namespace boruta::runtime

#include "tunnel/relay.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/strand.hpp>
#include <boost/asio/use_future.hpp>
#include <boost/asio/write.hpp>
#include <gtest/gtest.h>

#include <array>
#include <filesystem>
#include <functional>
#include <future>
#include <sys/socket.h>
#include <thread>
#include <vector>

namespace boruta::tunnel {
namespace {

using namespace std::chrono_literals;
using asio::ip::tcp;
using boost::system::error_code;
using Clock = std::chrono::steady_clock;

constexpr RequestId kJob{7};
/// Both ends of the pipes that the relay keeps for the next connection.
constexpr std::size_t kSparePipes = 32;
constexpr std::size_t kMiB = std::size_t{1024} * 1024;

/// Bytes that tell their place, so that loss and disorder show.
std::string pattern(std::size_t size, unsigned seed) {
  std::string text(size, '\0');
  std::uint32_t state = seed;
  for (auto& byte : text) {
    state = state * 1'664'525U + 1'013'904'223U;
    byte = static_cast<char>(state >> 24U);
  }
  return text;
}

std::size_t open_descriptors() {
  const std::filesystem::directory_iterator entries("/proc/self/fd");
  return static_cast<std::size_t>(std::distance(begin(entries), end(entries)));
}

bool eventually(const std::function<bool()>& holds) {
  const auto until = Clock::now() + 5s;
  while (!holds()) {
    if (Clock::now() > until) return false;
    std::this_thread::sleep_for(1ms);
  }
  return true;
}

/// A blocking socket whose reads give up, so that a broken relay fails a test instead of stopping it.
void limit_waits(tcp::socket& socket) {
  const timeval limit{.tv_sec = 10, .tv_usec = 0};
  ASSERT_EQ(::setsockopt(socket.native_handle(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)), 0);
  ASSERT_EQ(::setsockopt(socket.native_handle(), SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit)), 0);
}

std::string read_to_end(tcp::socket& socket, error_code& error) {
  std::string text;
  std::vector<char> buffer(65'536);
  while (true) {
    const auto size = socket.read_some(asio::buffer(buffer), error);
    if (error) return text;
    text.append(buffer.data(), size);
  }
}

/// What a peer sees that waits for the end of its connection.
error_code wait_for_end(tcp::socket& socket) {
  error_code error;
  read_to_end(socket, error);
  return error;
}

struct Pair {
  tcp::socket user;
  tcp::socket worker;
};

class RelayTest : public testing::Test {
 protected:
  explicit RelayTest(Options options = {.listen_address = "127.0.0.1"})
      : relay_(strand_, io_.get_executor(), clock_.get(), nullptr, std::move(options)) {
    for (auto& thread : threads_) thread = std::thread([this] { io_.run(); });
  }

  ~RelayTest() override {
    on_strand([this] { relay_.request_stop(); });
    asio::co_spawn(strand_, relay_.join(), asio::use_future).get();
    work_.reset();
    for (auto& thread : threads_) thread.join();
  }

  /// Runs `call` on the strand and waits for it.
  void on_strand(const std::function<void()>& call) { asio::post(strand_, asio::use_future(call)).get(); }

  std::expected<void, std::string> open(RequestId job, std::uint16_t port, std::uint16_t target_port,
                                        std::string target = "127.0.0.1") {
    std::expected<void, std::string> opened;
    on_strand([&] {
      opened = relay_.open(job, port, server::TunnelTarget{.worker = {}, .address = target, .port = target_port});
    });
    return opened;
  }

  /// Opens the job's tunnel to `acceptor_`.
  void open() {
    const auto opened = open(kJob, port_, worker_port());
    ASSERT_TRUE(opened.has_value()) << opened.error();
  }

  void close() {
    on_strand([this] { relay_.close(kJob); });
  }

  server::JobTraffic traffic() {
    server::JobTraffic traffic;
    on_strand([&] { traffic = relay_.traffic(kJob).value(); });
    return traffic;
  }

  [[nodiscard]] std::uint16_t worker_port() const { return acceptor_.local_endpoint().port(); }

  static std::uint16_t free_port(asio::io_context& io) {
    const tcp::acceptor probe(io, tcp::endpoint(asio::ip::address_v4::loopback(), 0));
    return probe.local_endpoint().port();
  }

  tcp::socket dial() {
    tcp::socket user(peers_);
    user.connect(tcp::endpoint(asio::ip::address_v4::loopback(), port_));
    limit_waits(user);
    return user;
  }

  tcp::socket accept() {
    auto worker = acceptor_.accept();
    limit_waits(worker);
    return worker;
  }

  Pair connect() {
    auto user = dial();
    return {.user = std::move(user), .worker = accept()};
  }

  asio::io_context io_;
  asio::executor_work_guard<asio::io_context::executor_type> work_ = asio::make_work_guard(io_);
  asio::any_io_executor strand_ = asio::make_strand(io_);
  std::unique_ptr<runtime::Clock> clock_ = runtime::make_system_clock(Instant{});
  Relay relay_;
  std::array<std::thread, 2> threads_;
  /// The test's own ends, used in a blocking way.
  asio::io_context peers_;
  tcp::acceptor acceptor_{peers_, tcp::endpoint(asio::ip::address_v4::loopback(), 0)};
  std::uint16_t port_ = free_port(peers_);
};

using Tunnel = RelayTest;

TEST_F(Tunnel, CarriesEverythingAfterTheUserHasEndedItsSide) {
  open();
  auto pair = connect();
  const auto question = pattern(32 * kMiB, 1);
  const auto answer = pattern(16 * kMiB, 2);
  std::thread worker([&] {
    error_code error;
    EXPECT_EQ(read_to_end(pair.worker, error), question);
    EXPECT_EQ(error, asio::error::eof);
    asio::write(pair.worker, asio::buffer(answer));
    pair.worker.close();
  });
  asio::write(pair.user, asio::buffer(question));
  pair.user.shutdown(tcp::socket::shutdown_send);
  error_code error;
  EXPECT_EQ(read_to_end(pair.user, error), answer);
  EXPECT_EQ(error, asio::error::eof);
  worker.join();
  EXPECT_EQ(traffic(),
            (server::JobTraffic{.bytes_to_worker = 32 * kMiB, .bytes_to_user = 16 * kMiB, .connections = 1}));
}

TEST_F(Tunnel, CarriesEverythingAfterTheWorkerHasEndedItsSide) {
  open();
  auto pair = connect();
  const auto upload = pattern(4 * kMiB, 3);
  asio::write(pair.worker, asio::buffer(std::string("bye")));
  pair.worker.shutdown(tcp::socket::shutdown_send);
  error_code error;
  EXPECT_EQ(read_to_end(pair.user, error), "bye");
  EXPECT_EQ(error, asio::error::eof);
  std::thread user([&] {
    asio::write(pair.user, asio::buffer(upload));
    pair.user.close();
  });
  EXPECT_EQ(read_to_end(pair.worker, error), upload);
  EXPECT_EQ(error, asio::error::eof);
  user.join();
}

TEST_F(Tunnel, CarriesBothWaysAtOnce) {
  open();
  auto pair = connect();
  const auto text = pattern(16 * kMiB, 4);
  std::thread echo([&] {
    std::vector<char> buffer(100'000);
    error_code error;
    while (true) {
      const auto size = pair.worker.read_some(asio::buffer(buffer), error);
      if (error) break;
      asio::write(pair.worker, asio::buffer(buffer, size));
    }
    pair.worker.close();
  });
  std::thread sender([&] {
    asio::write(pair.user, asio::buffer(text));
    pair.user.shutdown(tcp::socket::shutdown_send);
  });
  error_code error;
  EXPECT_EQ(read_to_end(pair.user, error), text);
  EXPECT_EQ(error, asio::error::eof);
  sender.join();
  echo.join();
}

TEST_F(Tunnel, DeliversWhatTheWorkerSaidBeforeItBroke) {
  open();
  auto pair = connect();
  asio::write(pair.user, asio::buffer(std::string("never read")));
  ASSERT_TRUE(eventually([&] { return pair.worker.available() > 0; }));
  asio::write(pair.worker, asio::buffer(std::string("last words")));
  pair.worker.close();  // with unread input: a reset
  error_code error;
  EXPECT_EQ(read_to_end(pair.user, error), "last words");
}

TEST_F(Tunnel, StallsTheSenderWhileTheReaderStalls) {
  open();
  auto pair = connect();
  const auto text = pattern(64 * kMiB, 5);
  pair.user.non_blocking(true);
  std::size_t sent = 0;
  auto last_progress = Clock::now();
  while (sent < text.size() && Clock::now() - last_progress < 300ms) {
    error_code error;
    const auto size = pair.user.write_some(asio::buffer(text) + sent, error);
    if (!error) {
      sent += size;
      last_progress = Clock::now();
    }
  }
  EXPECT_LT(sent, text.size());
  pair.user.non_blocking(false);
  std::thread sender([&] {
    asio::write(pair.user, asio::buffer(text) + sent);
    pair.user.shutdown(tcp::socket::shutdown_send);
  });
  error_code error;
  EXPECT_EQ(read_to_end(pair.worker, error), text);
  sender.join();
}

TEST_F(Tunnel, CloseCutsBothSidesAtOnce) {
  open();
  auto pair = connect();
  asio::write(pair.user, asio::buffer(std::string("x")));
  ASSERT_TRUE(eventually([&] { return pair.worker.available() == 1; }));
  const auto start = Clock::now();
  close();
  EXPECT_EQ(wait_for_end(pair.user), asio::error::connection_reset);
  EXPECT_EQ(wait_for_end(pair.worker), asio::error::connection_reset);
  EXPECT_LT(Clock::now() - start, 100ms);
  error_code error;
  tcp::socket late(peers_);
  late.connect(tcp::endpoint(asio::ip::address_v4::loopback(), port_), error);
  EXPECT_EQ(error, asio::error::connection_refused);
}

TEST_F(Tunnel, CloseCutsWhileASenderIsStalled) {
  open();
  auto pair = connect();
  pair.user.non_blocking(true);
  const auto text = pattern(64 * kMiB, 9);
  error_code error;
  for (std::size_t sent = 0; !error; sent += pair.user.write_some(asio::buffer(text) + sent, error)) {
  }
  const auto start = Clock::now();
  close();
  pair.user.non_blocking(false);
  EXPECT_EQ(wait_for_end(pair.user), asio::error::connection_reset);
  EXPECT_LT(Clock::now() - start, 100ms);
}

TEST_F(Tunnel, PortCanBeUsedAgainAtOnce) {
  for (int round = 0; round < 3; ++round) {
    open();
    auto pair = connect();
    asio::write(pair.user, asio::buffer(std::string("x")));
    ASSERT_TRUE(eventually([&] { return pair.worker.available() == 1; }));
    close();
  }
}

TEST_F(Tunnel, SaysSoWhenThePortIsTaken) {
  const auto opened = open(kJob, worker_port(), worker_port());
  ASSERT_FALSE(opened.has_value());
  EXPECT_EQ(opened.error(),
            "cannot listen on 127.0.0.1 port " + std::to_string(worker_port()) + ": Address already in use");
}

TEST_F(Tunnel, EndsTheUsersConnectionWhenTheWorkerRefuses) {
  ASSERT_TRUE(open(kJob, port_, free_port(peers_)).has_value());
  auto user = dial();
  EXPECT_EQ(wait_for_end(user), asio::error::eof);
}

TEST_F(Tunnel, FindsTheWorkerByName) {
  ASSERT_TRUE(open(kJob, port_, worker_port(), "localhost").has_value());
  auto pair = connect();
  asio::write(pair.worker, asio::buffer(std::string("hello")));
  pair.worker.close();
  error_code error;
  EXPECT_EQ(read_to_end(pair.user, error), "hello");
}

TEST_F(Tunnel, LaterConnectionsGoToTheNewTarget) {
  open();
  const auto first = connect();
  tcp::acceptor other(peers_, tcp::endpoint(asio::ip::address_v4::loopback(), 0));
  on_strand(
      [&] { relay_.retarget(kJob, {.worker = {}, .address = "127.0.0.1", .port = other.local_endpoint().port()}); });
  auto user = dial();
  auto worker = other.accept();
  asio::write(worker, asio::buffer(std::string("other")));
  worker.close();
  error_code error;
  EXPECT_EQ(read_to_end(user, error), "other");
}

TEST_F(Tunnel, LeavesNoDescriptorAfterThousandsOfConnections) {
  open();
  {
    auto pair = connect();
  }
  ASSERT_TRUE(eventually([&] { return traffic().connections == 1; }));
  const auto before = open_descriptors();
  for (int i = 0; i < 10'000; ++i) {
    auto pair = connect();
    if (i % 2 == 0) pair.worker.close();
  }
  EXPECT_EQ(traffic().connections, 10'001U);
  EXPECT_TRUE(eventually([&] { return open_descriptors() <= before + kSparePipes; }))
      << open_descriptors() << " > " << before;
}

TEST_F(Tunnel, LeavesNoDescriptorWhenItIsCut) {
  const auto before = open_descriptors();
  for (int round = 0; round < 40; ++round) {
    open();
    std::vector<Pair> pairs;
    pairs.reserve(50);
    for (int i = 0; i < 50; ++i) pairs.push_back(connect());
    close();
    for (auto& pair : pairs) EXPECT_TRUE(wait_for_end(pair.user));
  }
  EXPECT_TRUE(eventually([&] { return open_descriptors() <= before + kSparePipes; }))
      << open_descriptors() << " > " << before;
}

TEST_F(Tunnel, RefusesToOpenAfterItWasStopped) {
  open();
  auto pair = connect();
  on_strand([this] { relay_.request_stop(); });
  EXPECT_TRUE(wait_for_end(pair.user));
  EXPECT_FALSE(open(RequestId{8}, free_port(peers_), worker_port()).has_value());
}

class TunnelLimits : public RelayTest {
 protected:
  TunnelLimits()
      : RelayTest({.listen_address = "127.0.0.1", .dialling = {.dial_timeout = 200ms}, .connections_per_job = 2}) {}
};

TEST_F(TunnelLimits, ClosesTheConnectionBeyondTheLimitAndTakesOneWhenAnotherEnded) {
  open();
  auto first = connect();
  const auto second = connect();
  auto third = dial();
  EXPECT_TRUE(wait_for_end(third));
  first.user.close();
  EXPECT_EQ(wait_for_end(first.worker), asio::error::eof);
  first.worker.close();
  ASSERT_TRUE(eventually([&] {
    auto user = dial();
    user.non_blocking(true);
    char byte = 0;
    error_code error;
    std::this_thread::sleep_for(10ms);
    user.read_some(asio::buffer(&byte, 1), error);
    return error == asio::error::would_block;
  }));
}

TEST_F(TunnelLimits, EndsTheUsersConnectionWhenTheWorkerDoesNotAnswer) {
  // Linux drops what comes to a listener whose queue is full.
  tcp::acceptor full(peers_);
  full.open(tcp::v4());
  full.bind(tcp::endpoint(asio::ip::address_v4::loopback(), 0));
  full.listen(0);
  tcp::socket filler(peers_);
  filler.connect(full.local_endpoint());
  ASSERT_TRUE(open(kJob, port_, full.local_endpoint().port()).has_value());
  auto user = dial();
  const auto start = Clock::now();
  EXPECT_EQ(wait_for_end(user), asio::error::eof);
  EXPECT_GE(Clock::now() - start, 150ms);
  EXPECT_LT(Clock::now() - start, 5s);
}

class TunnelOnIpv6 : public RelayTest {
 protected:
  TunnelOnIpv6() : RelayTest({.listen_address = "::"}) {}
};

TEST_F(TunnelOnIpv6, TakesBothFamilies) {
  if (const auto opened = open(kJob, port_, worker_port()); !opened) GTEST_SKIP() << opened.error();
  auto pair = connect();
  asio::write(pair.worker, asio::buffer(std::string("four")));
  pair.worker.close();
  error_code error;
  EXPECT_EQ(read_to_end(pair.user, error), "four");
  tcp::socket user(peers_);
  user.connect(tcp::endpoint(asio::ip::address_v6::loopback(), port_), error);
  if (error) GTEST_SKIP() << error.message();
  auto worker = accept();
  asio::write(worker, asio::buffer(std::string("six")));
  worker.close();
  EXPECT_EQ(read_to_end(user, error), "six");
}

class TunnelOnNoAddress : public RelayTest {
 protected:
  TunnelOnNoAddress() : RelayTest({.listen_address = "localhost"}) {}
};

TEST_F(TunnelOnNoAddress, SaysWhatIsWrong) {
  const auto opened = open(kJob, port_, worker_port());
  ASSERT_FALSE(opened.has_value());
  EXPECT_EQ(opened.error(), "tunnel address \"localhost\" is no IP address");
}

}  // namespace
}  // namespace boruta::tunnel

#include <boost/asio/io_context.hpp>
#include <gtest/gtest.h>

#include <vector>

#include "http/memory_stream.hpp"
#include "http/session.hpp"

namespace boruta::http {
namespace {

/// Takes up to `at_once` bytes of an answer without a wait, and notes how many those were each time.
class EagerStream final : public ByteStream {
 public:
  EagerStream(Wire* wire, std::size_t at_once, std::vector<std::size_t>* left_at_once)
      : wire_(*wire), stream_(wire), at_once_(at_once), left_at_once_(*left_at_once) {}

  Task<Transfer> read_some(asio::mutable_buffer into) override { return stream_.read_some(into); }
  Task<Transfer> write_some(WriteBuffers from) override { return stream_.write_some(from); }
  std::size_t write_now(const WriteBuffers& from) override {
    std::size_t count = 0;
    for (const auto& buffer : from) {
      const auto part = std::min(buffer.size(), at_once_ - count);
      wire_.from_server.append(static_cast<const char*>(buffer.data()), part);
      count += part;
    }
    left_at_once_.push_back(count);
    return count;
  }
  void cancel() override { stream_.cancel(); }
  void shutdown_send() override { stream_.shutdown_send(); }
  void close() override { stream_.close(); }

 private:
  Wire& wire_;
  MemoryStream stream_;
  std::size_t at_once_;
  std::vector<std::size_t>& left_at_once_;
};

/// Answers with as many bytes as the request's body says.
class Sizes final : public Application {
 public:
  Task<HttpResponse> handle(const HttpRequest* request) override {
    const std::string body(std::stoul(std::string(request->body)), 'x');
    co_return HttpResponse{.status = 200, .headers = {}, .body = body};
  }
  [[nodiscard]] bool may_wait(const HttpRequest& /*request*/) const override { return false; }
};

std::string ask(std::string_view size) {
  return "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: " + std::to_string(size.size()) + "\r\n\r\n" +
         std::string(size);
}

std::string answer(std::size_t size) {
  return "HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(size) + "\r\n\r\n" + std::string(size, 'x');
}

class SessionWrites : public testing::Test {
 protected:
  SessionWrites() { context_.application = &application_; }

  /// What a client is told that sends `text` over a connection that takes `at_once` bytes without a wait.
  std::string exchange(std::size_t at_once, std::string_view text) {
    Wire wire(io_.get_executor());
    const auto session = make_session(std::make_unique<EagerStream>(&wire, at_once, &left_at_once_), &context_,
                                      "192.0.2.1", "192.0.2.9");
    runtime::TaskGroup tasks(io_.get_executor());
    tasks.spawn("session", session->run());
    wire.send(text);
    wire.hang_up();
    io_.restart();
    while (io_.poll() > 0) {
    }
    EXPECT_TRUE(wire.closed);
    return wire.from_server;
  }

  asio::io_context io_;
  Sizes application_;
  SessionContext context_{io_.get_executor()};
  std::vector<std::size_t> left_at_once_;
};

TEST_F(SessionWrites, LeaveAtOnceWhereThereIsRoom) {
  EXPECT_EQ(exchange(1'000'000, ask("10")), answer(10));
  EXPECT_EQ(left_at_once_, std::vector{answer(10).size()});
}

TEST_F(SessionWrites, GoOnWhereThePartThatLeftAtOnceEnds) {
  constexpr std::size_t kLong = 100'000;
  for (const std::size_t at_once : {std::size_t{0}, std::size_t{1}, std::size_t{20}, std::size_t{9'000}, kLong}) {
    EXPECT_EQ(exchange(at_once, ask("10")), answer(10)) << at_once;
    EXPECT_EQ(exchange(at_once, ask("100000")), answer(kLong)) << at_once;
  }
}

TEST_F(SessionWrites, GiveOthersTheirTurnBetweenRequestsThatCameTogether) {
  EXPECT_EQ(exchange(1'000'000, ask("1") + ask("2") + ask("3")), answer(1) + answer(2) + answer(3));
  EXPECT_EQ(left_at_once_, std::vector{answer(3).size()});
}

}  // namespace
}  // namespace boruta::http

#include <boost/asio/io_context.hpp>
#include <gtest/gtest.h>

#include "http/memory_stream.hpp"
#include "http/session.hpp"

namespace boruta::http {
namespace {

class Echo final : public Application {
 public:
  Task<HttpResponse> handle(const HttpRequest* request) override {
    co_return HttpResponse{.status = 200, .headers = {}, .body = std::string(request->body)};
  }
  [[nodiscard]] bool may_wait(const HttpRequest&) const override { return false; }
};

std::string post(std::size_t bytes) {
  return "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: " + std::to_string(bytes) + "\r\n\r\n" +
         std::string(bytes, 'x');
}

class SessionBodies : public testing::Test {
 protected:
  SessionBodies() {
    context_.application = &application_;
    session_ = make_session(std::make_unique<MemoryStream>(&wire_), &context_, "192.0.2.1", "192.0.2.9");
    tasks_.spawn("session", session_->run());
    settle();
  }
  ~SessionBodies() override {
    wire_.hang_up();
    tasks_.request_stop();
    settle();
  }

  void settle() {
    io_.restart();
    while (io_.poll() > 0) {
    }
  }
  std::string exchange(std::string_view text) {
    wire_.send(text);
    settle();
    return std::exchange(wire_.from_server, {});
  }

  asio::io_context io_;
  Wire wire_{io_.get_executor()};
  Echo application_;
  SessionContext context_{io_.get_executor()};
  std::unique_ptr<Session> session_;
  runtime::TaskGroup tasks_{io_.get_executor()};
};

TEST_F(SessionBodies, OfAllConnectionsTakeNoMoreThanIsAllowed) {
  context_.body_bytes = kAllBodiesBytes;
  EXPECT_TRUE(exchange(post(100)).starts_with("HTTP/1.1 200 ")) << "a small one takes no room";
  const auto answer = exchange(post(20'000).substr(0, 10'000));
  EXPECT_TRUE(answer.starts_with("HTTP/1.1 503 ")) << answer;
  EXPECT_NE(answer.find("128 MiB of bodies"), std::string::npos) << answer;
  EXPECT_NE(answer.find("Access-Control-Allow-Origin: *\r\n"), std::string::npos) << answer;
  EXPECT_EQ(context_.body_bytes, kAllBodiesBytes) << "nothing of it is held while the client reads that";
}

TEST_F(SessionBodies, AreHeldUntilTheirRequestsAreAnswered) {
  const auto whole = post(20'000);
  exchange(whole.substr(0, 15'000));
  EXPECT_GT(context_.body_bytes, 14'000U);
  EXPECT_TRUE(exchange(whole.substr(15'000)).starts_with("HTTP/1.1 200 "));
  EXPECT_EQ(context_.body_bytes, 0U);
}

TEST_F(SessionBodies, AreHeldNoLongerThanTheirConnections) {
  exchange(post(20'000).substr(0, 15'000));
  EXPECT_GT(context_.body_bytes, 0U);
  wire_.hang_up();
  settle();
  session_.reset();
  EXPECT_EQ(context_.body_bytes, 0U);
}

}  // namespace
}  // namespace boruta::http

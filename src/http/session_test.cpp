#include "http/session.hpp"

#include <boost/asio/cancellation_type.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/this_coro.hpp>
#include <gtest/gtest.h>

#include <stdexcept>

#include "base/limits.hpp"
#include "http/memory_stream.hpp"

namespace boruta::http {
namespace {

using namespace std::chrono_literals;
using namespace std::string_literals;

/// Three pieces, each when it is asked for; then it waits for ever.
class ThreePieces final : public BodyStream {
 public:
  explicit ThreePieces(bool ends) : ends_(ends) {}

  Task<std::optional<std::string>> next() override {
    constexpr int kPieces = 3;
    if (sent_ == kPieces && ends_) co_return std::nullopt;
    if (sent_ < kPieces) co_return std::string("piece ") + std::to_string(++sent_) + "\n";
    runtime::Signal never(co_await asio::this_coro::executor);
    co_await never.wait();
    co_return std::nullopt;
  }

 private:
  bool ends_;
  int sent_ = 0;
};

/// /echo gives the body back, /names the headers' names, /throw throws, /wait answers when it is released, /long is
/// long.
class ScriptedApplication final : public Application {
 public:
  explicit ScriptedApplication(const asio::any_io_executor& executor) : released(executor) {}

  Task<HttpResponse> handle(const HttpRequest* request) override {
    seen.push_back(std::string(to_string(request->method)) + " " + std::string(request->path));
    HttpResponse response{.status = 200, .headers = {}, .body = std::string(request->body)};
    if (request->path == "/names") {
      for (const auto& header : request->headers) response.body.append(header.name).append(" ");
    }
    if (request->path == "/throw") throw std::runtime_error("a bug");
    if (request->path == "/long") response.body.assign(100'000, 'x');
    if (request->path == "/stream") response.stream = std::make_shared<ThreePieces>(false);
    if (request->path == "/short-stream") response.stream = std::make_shared<ThreePieces>(true);
    if (request->path == "/wait") {
      const bool* flag = &is_released;
      while (!*flag) {
        co_await released.wait();
        const auto state = co_await asio::this_coro::cancellation_state;
        if (state.cancelled() != asio::cancellation_type::none) {
          cancelled = true;
          co_return response;
        }
      }
      response.body = "released";
    }
    co_return response;
  }

  [[nodiscard]] bool may_wait(const HttpRequest& request) const override { return request.path == "/wait"; }

  void on_answered_by_session(const HttpRequest* request, unsigned status) override {
    by_session.push_back((request == nullptr ? "unread" : std::string(request->path)) + " " + std::to_string(status));
  }

  void release() {
    is_released = true;
    released.notify_all();
  }

  std::vector<std::string> seen;
  std::vector<std::string> by_session;
  runtime::Signal released;
  bool is_released = false;
  bool cancelled = false;
};

std::string post(std::string_view path, std::string_view body) {
  return "POST " + std::string(path) + " HTTP/1.1\r\nHost: x\r\nContent-Length: " + std::to_string(body.size()) +
         "\r\n\r\n" + std::string(body);
}

std::string ok(std::string_view body, std::string_view more = "") {
  return "HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(body.size()) + "\r\n" + std::string(more) + "\r\n" +
         std::string(body);
}

/// What a new connection, whose client does all as it should, is answered. Runs `io` until all is quiet.
std::string serve_next_client(asio::io_context& io, SessionContext& context) {
  Wire wire(io.get_executor());
  const auto session = make_session(std::make_unique<MemoryStream>(&wire), &context, "192.0.2.1", "192.0.2.10");
  runtime::TaskGroup tasks(io.get_executor());
  tasks.spawn("session", session->run());
  wire.send("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 6\r\n\r\nhonest");
  wire.hang_up();
  io.restart();
  while (io.poll() > 0) {
  }
  EXPECT_TRUE(wire.closed);
  return wire.from_server;
}

class SessionTest : public testing::Test {
 protected:
  SessionTest() {
    context_.application = &application_;
    session_ = make_session(std::make_unique<MemoryStream>(&wire_), &context_, "192.0.2.1", "192.0.2.9");
    tasks_.spawn("session", session_->run());
    settle();
  }
  ~SessionTest() override {
    wire_.hang_up();
    tasks_.request_stop();
    settle();
  }

  void settle() {
    io_.restart();
    while (io_.poll() > 0) {
    }
  }

  /// What the server says to `text`.
  std::string exchange(std::string_view text) {
    wire_.send(text);
    settle();
    return std::exchange(wire_.from_server, {});
  }

  std::string pass_time(Duration duration) {
    context_.now += duration;
    session_->check_time(context_.now);
    settle();
    return std::exchange(wire_.from_server, {});
  }

  std::string stop() {
    context_.stopping = true;
    context_.stop.notify_all();
    session_->request_stop();
    settle();
    return std::exchange(wire_.from_server, {});
  }

  asio::io_context io_;
  Wire wire_{io_.get_executor()};
  ScriptedApplication application_{io_.get_executor()};
  SessionContext context_{io_.get_executor()};
  std::unique_ptr<Session> session_;
  runtime::TaskGroup tasks_{io_.get_executor()};
};

TEST_F(SessionTest, AnswersOneRequestAfterTheOther) {
  EXPECT_EQ(exchange(post("/echo", "one")), ok("one"));
  EXPECT_EQ(exchange(post("/echo", "two")), ok("two"));
  EXPECT_FALSE(wire_.closed);
}

TEST_F(SessionTest, AnswersRequestsThatComeTogetherInTheirOrder) {
  EXPECT_EQ(exchange(post("/echo", "one") + post("/echo", "two") + post("/echo", "three")),
            ok("one") + ok("two") + ok("three"));
}

TEST_F(SessionTest, PutsTogetherWhatComesByteByByte) {
  std::string answer;
  for (const char byte : post("/echo", "body")) answer += exchange(std::string_view(&byte, 1));
  EXPECT_EQ(answer, ok("body"));
}

TEST_F(SessionTest, TakesChunkedBodies) {
  EXPECT_EQ(
      exchange("POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"),
      ok("abcde"));
}

TEST_F(SessionTest, PutsTogetherChunksThatComeByteByByte) {
  const std::string head = "POST /echo HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n";
  const std::pair<std::string, std::string_view> cases[] = {{"0\r\n\r\n", ""},
                                                            {"1\r\na\r\n0\r\n\r\n", "a"},
                                                            {"0;x=y\r\nX: y\r\n\r\n", ""},
                                                            {"3;x\r\nabc\r\n2\r\nde\r\n00\r\nX: y\r\n\r\n", "abcde"}};
  for (const auto& [chunks, body] : cases) {
    SCOPED_TRACE(chunks);
    std::string answer;
    for (const char byte : head + chunks) answer += exchange(std::string_view(&byte, 1));
    EXPECT_EQ(answer, ok(body));
  }
}

TEST_F(SessionTest, AnswersHeadWithTheLengthAndWithoutTheBody) {
  EXPECT_EQ(exchange("HEAD /long HTTP/1.1\r\nHost: x\r\n\r\n"), "HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n");
  EXPECT_EQ(exchange(post("/echo", "next")), ok("next"));
}

TEST_F(SessionTest, ClosesWhenTheClientWantsIt) {
  EXPECT_EQ(exchange("POST /echo HTTP/1.1\r\nConnection: close\r\nContent-Length: 1\r\n\r\na"),
            ok("a", "Connection: close\r\n"));
  EXPECT_TRUE(wire_.closed);
}

TEST_F(SessionTest, KeepsOldClientsOnlyWhenTheyAsk) {
  EXPECT_EQ(exchange("GET /echo HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"), ok("", "Connection: keep-alive\r\n"));
  EXPECT_EQ(exchange("GET /echo HTTP/1.0\r\n\r\n"), ok("", "Connection: close\r\n"));
  EXPECT_TRUE(wire_.closed);
}

TEST_F(SessionTest, WritesOnWhenTheClientTakesLittleAtATime) {
  wire_.window = 777;
  EXPECT_EQ(exchange("GET /long HTTP/1.1\r\nHost: x\r\n\r\n"), ok(std::string(100'000, 'x')));
}

TEST_F(SessionTest, TellsAClientThatAsksToGoOn) {
  EXPECT_EQ(exchange("POST /echo HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n"),
            "HTTP/1.1 100 Continue\r\n\r\n");
  EXPECT_EQ(exchange("ab"), ok("ab"));
}

struct RefusedInput {
  const char* what;
  std::string input;
  std::string_view status_line;
  std::string_view message;
};

const std::string kPost = "POST /echo HTTP/1.1\r\nHost: x\r\n";
const std::string kChunked = kPost + "Transfer-Encoding: chunked\r\n\r\n";

/// `input` is refused as it should be, nothing of it reaches the application, and the next client is served.
void expect_refused(const RefusedInput& bad) {
  SCOPED_TRACE(bad.what);
  asio::io_context io;
  Wire wire(io.get_executor());
  ScriptedApplication application(io.get_executor());
  SessionContext context(io.get_executor());
  context.application = &application;
  const auto session = make_session(std::make_unique<MemoryStream>(&wire), &context, "192.0.2.1", "192.0.2.9");
  runtime::TaskGroup tasks(io.get_executor());
  tasks.spawn("session", session->run());
  wire.send(bad.input);
  wire.hang_up();
  io.run();
  EXPECT_TRUE(wire.from_server.starts_with(bad.status_line)) << wire.from_server;
  EXPECT_NE(wire.from_server.find("Connection: close\r\n"), std::string::npos);
  EXPECT_NE(wire.from_server.find(bad.message), std::string::npos) << wire.from_server;
  EXPECT_TRUE(wire.sending_shut);
  EXPECT_TRUE(wire.closed);
  EXPECT_TRUE(application.seen.empty());
  ASSERT_EQ(application.by_session.size(), 1U);
  EXPECT_TRUE(application.by_session[0].starts_with("unread 4")) << application.by_session[0];
  EXPECT_EQ(serve_next_client(io, context), ok("honest"));
}

TEST(SessionRefusals, NameWhatIsNotHttpAndClose) {
  const RefusedInput cases[] = {
      {"garbage", "nonsense\r\n\r\n", "HTTP/1.1 400 ", "not HTTP/1.1"},
      {"HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "HTTP/1.1 400 ", "not HTTP/1.1"},
      {"line feeds alone", "GET /echo HTTP/1.1\nHost: x\n\n\r\n\r\n", "HTTP/1.1 400 ", "not HTTP/1.1"},
      {"a control character in the target", "GET /a\x01z HTTP/1.1\r\n\r\n", "HTTP/1.1 400 ", "not HTTP/1.1"},
      {"NUL in the target", "GET /a\0z HTTP/1.1\r\n\r\n"s, "HTTP/1.1 400 ", "not HTTP/1.1"},
      {"NUL in a header's name", kPost + "X\0: y\r\n\r\n"s, "HTTP/1.1 400 ", "not HTTP/1.1"},
      {"NUL in a header", kPost + "X: \0\r\n\r\n"s, "HTTP/1.1 400 ", "not HTTP/1.1"},
      {"a control character in a header", kPost + "X: \x7F\r\n\r\n", "HTTP/1.1 400 ", "not HTTP/1.1"},
      {"a carriage return in a header", kPost + "X: a\rb\r\n\r\n", "HTTP/1.1 400 ", "not HTTP/1.1"},
      {"a space before the colon", kPost + "Content-Length : 3\r\n\r\nabc", "HTTP/1.1 400 ", "not HTTP/1.1"},
  };
  for (const auto& bad : cases) expect_refused(bad);
}

TEST(SessionRefusals, NameWhatIsTooLargeAndClose) {
  std::string growing = kChunked;
  for (int chunk = 0; chunk < 17; ++chunk) growing += "10000\r\n" + std::string(0x10000, 'x') + "\r\n";
  const RefusedInput cases[] = {
      {"a large head", kPost + "X: " + std::string(limits::kHttpHeadBytes, 'x') + "\r\n\r\n", "HTTP/1.1 431 ",
       "16 KiB"},
      {"a head without end", kPost + "X: " + std::string(limits::kHttpHeadBytes + 5000, 'x'), "HTTP/1.1 431 ",
       "16 KiB"},
      {"a large body", kPost + "Content-Length: 1048577\r\n\r\n", "HTTP/1.1 413 ", "1024 KiB"},
      {"a large chunk", kChunked + "100001\r\n" + std::string(0x100001, 'x'), "HTTP/1.1 413 ", "1024 KiB"},
      {"the largest chunk", kChunked + "ffffffffffffffff\r\n", "HTTP/1.1 413 ", "1024 KiB"},
      {"chunk after chunk", growing, "HTTP/1.1 413 ", "1024 KiB"},
      {"a chunk's head without end", kChunked + "1;" + std::string(200'000, 'x'), "HTTP/1.1 431 ", "16 KiB"},
      {"a trailer without end", kChunked + "1\r\na\r\n0\r\nX: " + std::string(200'000, 'x'), "HTTP/1.1 431 ", "16 KiB"},
  };
  for (const auto& bad : cases) expect_refused(bad);
}

TEST(SessionRefusals, NameWhatIsAmbiguousAboutTheBodyAndClose) {
  const std::string_view old = "POST /echo HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n";
  const std::string_view both = "exclude each other";
  const std::string_view only = "the only Transfer-Encoding that is taken";
  const RefusedInput cases[] = {
      {"a length, then chunks", kPost + "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\nabc", "HTTP/1.1 400 ",
       "not HTTP/1.1"},
      {"chunks, then a length", kPost + "Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\nabc", "HTTP/1.1 400 ",
       "not HTTP/1.1"},
      {"another coding, then a length", kPost + "Transfer-Encoding: gzip\r\nContent-Length: 3\r\n\r\nabc",
       "HTTP/1.1 400 ", both},
      {"another coding", kPost + "Transfer-Encoding: gzip\r\n\r\n" + kPost + "\r\n", "HTTP/1.1 400 ", only},
      {"chunks that are coded again", kPost + "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", "HTTP/1.1 400 ",
       only},
      {"a name like that of chunks", kPost + "Transfer-Encoding: xchunked\r\n\r\n", "HTTP/1.1 400 ", only},
      {"an empty coding", kPost + "Transfer-Encoding:\r\n\r\n", "HTTP/1.1 400 ", only},
      {"two codings", kPost + "Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "HTTP/1.1 400 ",
       only},
      {"chunks in HTTP/1.0", std::string(old), "HTTP/1.1 400 ", "HTTP/1.0"},
      {"two lengths", kPost + "Content-Length: 3\r\nContent-Length: 4\r\n\r\nabc", "HTTP/1.1 400 ", "not HTTP/1.1"},
      {"the same length twice", kPost + "Content-Length: 3\r\nContent-Length: 3\r\n\r\nabc", "HTTP/1.1 400 ",
       "there twice"},
      {"a list of lengths", kPost + "Content-Length: 3, 3\r\n\r\nabc", "HTTP/1.1 400 ", "there twice"},
      {"a negative length", kPost + "Content-Length: -1\r\n\r\n", "HTTP/1.1 400 ", "not HTTP/1.1"},
      {"a length with a sign", kPost + "Content-Length: +3\r\n\r\nabc", "HTTP/1.1 400 ", "not HTTP/1.1"},
      {"a length in hexadecimal", kPost + "Content-Length: 0x3\r\n\r\nabc", "HTTP/1.1 400 ", "not HTTP/1.1"},
      {"a length beyond all numbers", kPost + "Content-Length: 18446744073709551617\r\n\r\na", "HTTP/1.1 400 ",
       "not HTTP/1.1"},
      {"a chunk without a size", kChunked + "zz\r\nabc\r\n0\r\n\r\n", "HTTP/1.1 400 ", "not HTTP/1.1"},
      {"a chunk without a size, and no more", kChunked + "zz\r\n", "HTTP/1.1 400 ", "not HTTP/1.1"},
      {"a chunk with a sign", kChunked + "+3\r\nabc\r\n0\r\n\r\n", "HTTP/1.1 400 ", "not HTTP/1.1"},
      {"a chunk beyond all numbers", kChunked + "10000000000000001\r\na\r\n0\r\n\r\n", "HTTP/1.1 400 ", "not HTTP/1.1"},
      {"a chunk longer than its size", kChunked + "3\r\nabcd\r\n0\r\n\r\n", "HTTP/1.1 400 ", "not HTTP/1.1"},
      {"a chunk that ends in a line feed", kChunked + "3\nabc\r\n0\r\n\r\n", "HTTP/1.1 400 ", "not HTTP/1.1"},
  };
  for (const auto& bad : cases) expect_refused(bad);
}

TEST_F(SessionTest, KeepsTrailersOutOfTheHead) {
  EXPECT_EQ(exchange("POST /names HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nAuthorization: x\r\n\r\n"),
            ok("Transfer-Encoding "));
}

TEST_F(SessionTest, TakesABodyOfExactlyTheLimit) {
  const std::string body(limits::kHttpBodyBytes, 'x');
  EXPECT_EQ(exchange(post("/echo", body)).size(), ok(body).size());
}

TEST_F(SessionTest, RefusesAHeadThatComesTooSlowly) {
  EXPECT_EQ(exchange("GET /echo HTTP/1.1\r\nHo"), "");
  EXPECT_EQ(pass_time(limits::kHttpReadTime - 1s), "");
  // A byte now and then gains no time.
  EXPECT_EQ(exchange("s"), "");
  const auto answer = pass_time(1s);
  EXPECT_TRUE(answer.starts_with("HTTP/1.1 408 ")) << answer;
  EXPECT_TRUE(wire_.sending_shut);
  wire_.hang_up();
  settle();
  EXPECT_TRUE(wire_.closed);
  EXPECT_EQ(serve_next_client(io_, context_), ok("honest"));
}

TEST_F(SessionTest, RefusesABodyThatComesTooSlowly) {
  exchange("POST /echo HTTP/1.1\r\nContent-Length: 10\r\n\r\nabc");
  const auto answer = pass_time(limits::kHttpReadTime);
  EXPECT_TRUE(answer.starts_with("HTTP/1.1 408 ")) << answer;
  EXPECT_TRUE(application_.seen.empty());
  pass_time(5s);
  EXPECT_TRUE(wire_.closed);
  EXPECT_EQ(serve_next_client(io_, context_), ok("honest"));
}

TEST_F(SessionTest, RefusesChunksThatComeTooSlowly) {
  exchange("POST /echo HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n");
  EXPECT_EQ(pass_time(limits::kHttpReadTime - 1s), "");
  exchange("1\r\nb\r\n");
  const auto answer = pass_time(1s);
  EXPECT_TRUE(answer.starts_with("HTTP/1.1 408 ")) << answer;
  EXPECT_EQ(serve_next_client(io_, context_), ok("honest"));
}

TEST_F(SessionTest, ClosesAnIdleConnectionWithoutAWord) {
  exchange(post("/echo", "one"));
  EXPECT_EQ(pass_time(limits::kHttpIdleTime - 1s), "");
  EXPECT_FALSE(wire_.closed);
  EXPECT_EQ(pass_time(1s), "");
  EXPECT_TRUE(wire_.closed);
}

TEST_F(SessionTest, CutsAClientThatDoesNotReadItsAnswer) {
  wire_.window = 0;
  exchange("GET /long HTTP/1.1\r\nHost: x\r\n\r\n");
  pass_time(limits::kHttpReadTime);
  EXPECT_TRUE(wire_.closed);
}

TEST_F(SessionTest, AnswersABugWithABare500AndGoesOn) {
  const auto answer = exchange(post("/throw", ""));
  EXPECT_TRUE(answer.starts_with("HTTP/1.1 500 Internal Server Error\r\n")) << answer;
  EXPECT_EQ(answer.find("a bug"), std::string::npos);
  EXPECT_EQ(application_.by_session, std::vector<std::string>{"/throw 500"});
  EXPECT_EQ(exchange(post("/echo", "next")), ok("next"));
}

TEST_F(SessionTest, AnswersAWaitThatIsOver) {
  EXPECT_EQ(exchange(post("/wait", "")), "");
  EXPECT_EQ(pass_time(1h), "");
  application_.release();
  settle();
  EXPECT_EQ(std::exchange(wire_.from_server, {}), ok("released"));
  EXPECT_EQ(exchange(post("/echo", "next")), ok("next"));
}

TEST_F(SessionTest, EndsTheWaitOfAClientThatHangsUp) {
  exchange(post("/wait", ""));
  EXPECT_FALSE(application_.cancelled);
  wire_.hang_up();
  settle();
  EXPECT_TRUE(application_.cancelled);
  EXPECT_TRUE(wire_.closed);
  EXPECT_EQ(wire_.from_server, "");
  EXPECT_TRUE(application_.by_session.empty());
}

TEST_F(SessionTest, KeepsWhatComesDuringAWait) {
  exchange(post("/wait", ""));
  EXPECT_EQ(exchange(post("/echo", "later")), "");
  application_.release();
  settle();
  EXPECT_EQ(std::exchange(wire_.from_server, {}), ok("released") + ok("later"));
}

TEST_F(SessionTest, StopsReadingAheadDuringAWaitAtTheLimit) {
  exchange(post("/wait", ""));
  exchange(std::string(10 * limits::kHttpHeadBytes, 'x'));
  EXPECT_GT(wire_.to_server.size(), 8 * limits::kHttpHeadBytes);
}

TEST_F(SessionTest, ClosesAnIdleConnectionWhenTheServerStops) {
  exchange(post("/echo", "one"));
  EXPECT_EQ(stop(), "");
  EXPECT_TRUE(wire_.closed);
}

TEST_F(SessionTest, EndsAWaitWith503WhenTheServerStops) {
  exchange(post("/wait", ""));
  const auto answer = stop();
  EXPECT_TRUE(answer.starts_with("HTTP/1.1 503 Service Unavailable\r\n")) << answer;
  EXPECT_NE(answer.find("Connection: close\r\n"), std::string::npos);
  EXPECT_NE(answer.find("Vary: Origin\r\n"), std::string::npos);
  EXPECT_EQ(application_.by_session, std::vector<std::string>{"/wait 503"});
  EXPECT_TRUE(application_.cancelled);
  EXPECT_TRUE(wire_.closed);
}

TEST_F(SessionTest, BeginsNoWaitWhenTheServerStops) {
  exchange("POST /wait HTTP/1.1\r\nContent-Length: 1\r\n\r\n");
  EXPECT_EQ(stop(), "");
  const auto answer = exchange("x");
  EXPECT_TRUE(answer.starts_with("HTTP/1.1 503 ")) << answer;
  EXPECT_TRUE(wire_.closed);
}

TEST_F(SessionTest, AnswersTheRequestUnderWayWhenTheServerStops) {
  exchange("POST /echo HTTP/1.1\r\nContent-Length: 3\r\n\r\nab");
  EXPECT_EQ(stop(), "");
  EXPECT_EQ(exchange("c"), ok("abc", "Connection: close\r\n"));
  EXPECT_TRUE(wire_.closed);
}

TEST_F(SessionTest, StreamsWithoutALengthAndClosesBehindTheEnd) {
  const auto answer = exchange("GET /short-stream HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_EQ(answer, "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\npiece 1\npiece 2\npiece 3\n");
  EXPECT_TRUE(wire_.closed);
}

TEST_F(SessionTest, StreamsUntilTheClientHangsUp) {
  exchange("GET /stream HTTP/1.1\r\nHost: x\r\n\r\n");
  pass_time(24h);
  EXPECT_FALSE(wire_.closed);
  wire_.hang_up();
  settle();
  EXPECT_TRUE(wire_.closed);
}

TEST_F(SessionTest, CutsAStreamWhoseClientDoesNotRead) {
  wire_.window = 0;
  exchange("GET /stream HTTP/1.1\r\nHost: x\r\n\r\n");
  pass_time(limits::kHttpReadTime);
  EXPECT_TRUE(wire_.closed);
}

TEST_F(SessionTest, EndsAStreamWhenTheServerStops) {
  exchange("GET /stream HTTP/1.1\r\nHost: x\r\n\r\n");
  stop();
  EXPECT_TRUE(wire_.closed);
}

TEST_F(SessionTest, AnswersHeadOfAStreamWithoutIt) {
  EXPECT_EQ(exchange("HEAD /stream HTTP/1.1\r\nHost: x\r\n\r\n"), "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n");
  EXPECT_TRUE(wire_.closed);
}

}  // namespace
}  // namespace boruta::http

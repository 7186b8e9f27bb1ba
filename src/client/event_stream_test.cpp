#include "client/event_stream.hpp"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_future.hpp>
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <thread>
#include <unistd.h>

#include "client/client.hpp"
#include "client/fake_server.hpp"

namespace boruta::client {
namespace {

using namespace std::chrono_literals;

template <class T>
T run(asio::io_context& io, Task<T> task) {
  auto future = asio::co_spawn(io, std::move(task), asio::use_future);
  io.restart();
  io.run();
  return future.get();
}

constexpr const char* kHead = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n";

std::string event(unsigned seq) {
  return fmt::format("id: {0}\nevent: job started\ndata: {{\"Seq\":{0},\"Type\":\"job started\"}}\n\n", seq);
}

std::string greeting(unsigned seq) { return fmt::format("retry: 1000\nid: {}\n\n", seq); }

FakeAnswer stream_of(const std::string& body, bool close_after = true) {
  FakeAnswer answer;
  answer.raw = fmt::format("{}\r\n{}", kHead, body);
  answer.close_after = close_after;
  return answer;
}

/// The same in chunks of one byte.
FakeAnswer chunked(const std::string& body) {
  FakeAnswer answer;
  answer.raw = fmt::format("{}Transfer-Encoding: chunked\r\n\r\n", kHead);
  for (const char byte : body) answer.raw += fmt::format("1\r\n{}\r\n", byte);
  answer.raw += "0\r\n\r\n";
  answer.close_after = true;
  return answer;
}

ClientOptions options_for(std::uint16_t port) {
  ClientOptions options;
  options.url = {.tls = false, .host = "127.0.0.1", .port = port, .prefix = "/farm"};
  options.token = Secret("t0ken");
  options.connect_limit = 5s;
  options.answer_limit = 5s;
  return options;
}

constexpr StreamTimes kTimes{.silence = 5s, .backoff_min = 1ms, .backoff_max = 4ms};

struct Fixture {
  explicit Fixture(FakeServer::Handler handler, EventSelection selection = {}, StreamTimes times = kTimes)
      : server(std::move(handler)),
        stream(EventStream::make(io.get_executor(), options_for(server.port()), std::move(selection), times).value()) {}

  /// "opened 4", "event 5", "lost: why" or "over: why".
  std::string next() {
    const auto news = run(io, stream->next());
    if (!news) return "over: " + news.error().message;
    if (const auto* opened = std::get_if<StreamOpened>(&*news)) {
      return fmt::format("opened {}{}", opened->position, opened->missed ? ", missed some" : "");
    }
    if (const auto* lost = std::get_if<StreamLost>(&*news)) return "lost: " + lost->why.message;
    return fmt::format("event {}", std::get<Reply<EventInfo>>(*news).value.seq);
  }

  FakeServer server;
  asio::io_context io;
  std::unique_ptr<EventStream> stream;
};

constexpr const char* kClosed = "lost: the server closed the connection";

TEST(EventStream, TellsEventsAndGoesOnWhereItLostTheConnection) {
  std::atomic<int> calls = 0;
  Fixture fixture([&](const Received&) -> std::optional<FakeAnswer> {
    switch (++calls) {
      case 1:
        return chunked(greeting(4) + event(5) + ": still here\n\n" + "id: 7\n\n" + "id: 8\ndata: {\"Seq\"");
      case 2:
        return std::nullopt;
      default:
        return stream_of(greeting(7) + event(8) + event(9));
    }
  });
  for (const auto* wanted : {"opened 4", "event 5", kClosed, kClosed, "opened 7", "event 8", "event 9", kClosed}) {
    EXPECT_EQ(fixture.next(), wanted);
  }
  const auto received = fixture.server.received();
  ASSERT_EQ(received.size(), 3U);
  EXPECT_EQ(received[0].target, "/farm/api/v1/events");
  EXPECT_EQ(received[0].headers.at("authorization"), "Bearer t0ken");
  EXPECT_EQ(received[0].headers.at("accept"), "text/event-stream");
  EXPECT_FALSE(received[0].headers.contains("last-event-id"));
  EXPECT_EQ(received[1].headers.at("last-event-id"), "7");
  EXPECT_EQ(received[2].headers.at("last-event-id"), "7");
}

TEST(EventStream, AsksForWhatIsSelected) {
  Fixture request([](const Received&) { return stream_of(greeting(1)); }, {.request = RequestId{42}, .worker = {}});
  EXPECT_EQ(request.next(), "opened 1");
  EXPECT_EQ(request.server.received()[0].target, "/farm/api/v1/events?request=42");
  Fixture worker([](const Received&) { return stream_of(greeting(1)); }, {.request = {}, .worker = "a-b"});
  EXPECT_EQ(worker.next(), "opened 1");
  EXPECT_EQ(worker.server.received()[0].target, "/farm/api/v1/events?worker=a-b");
}

TEST(EventStream, NoticesAConnectionThatIsDead) {
  auto times = kTimes;
  times.silence = 50ms;
  Fixture fixture([](const Received&) { return stream_of(greeting(3), false); }, {}, times);
  for (const auto* wanted : {"opened 3", "lost: silent for 0.05 s", "opened 3"}) EXPECT_EQ(fixture.next(), wanted);
  fixture.stream.reset();
}

TEST(EventStream, GoesOnWhenTheServerDroppedIt) {
  Fixture fixture([](const Received&) {
    return stream_of(greeting(3) + "event: dropped\ndata: {\"message\":\"you fell behind\"}\n\n" + event(4), false);
  });
  for (const auto* wanted : {"opened 3", "lost: you fell behind", "opened 3"}) EXPECT_EQ(fixture.next(), wanted);
  fixture.stream.reset();
}

FakeAnswer plain(unsigned status, std::string body) {
  FakeAnswer answer;
  answer.status = status;
  answer.body = std::move(body);
  return answer;
}

TEST(EventStream, EndsWhereTryingOnIsOfNoUse) {
  const std::pair<FakeAnswer, const char*> table[] = {
      {plain(401, R"({"message":"token unknown"})"), "over: token unknown"},
      {plain(404, "<html>"), "over: the answer is a bare HTTP 404"},
      {plain(200, "<html>"), "over: the answer is no stream of events"},
      {stream_of("data: nonsense\n\n"), "over: the answer is not JSON"},
      {stream_of("id: x\n\n"), "over: the stream's id is no number"},
      {stream_of(std::string(2'000'000, 'x')), "over: a message of the stream is too long"},
  };
  for (const auto& [answer, wanted] : table) {
    Fixture fixture([&](const Received&) { return answer; });
    EXPECT_EQ(fixture.next(), wanted);
    EXPECT_EQ(fixture.server.received().size(), 1U);
    fixture.stream.reset();
  }
}

TEST(EventStream, TriesOnWhileTheServerIsUnavailable) {
  std::atomic<int> calls = 0;
  Fixture fixture(
      [&](const Received&) { return ++calls < 4 ? plain(503, R"({"message":"starting"})") : stream_of(greeting(1)); });
  for (int i = 0; i < 3; ++i) EXPECT_EQ(fixture.next(), "lost: starting");
  EXPECT_EQ(fixture.next(), "opened 1");
}

TEST(EventStream, GoesOnFromWhatIsNewestWhenWhatCameNextIsKeptNoLonger) {
  Fixture fixture([](const Received& received) {
    const auto from = received.headers.find("last-event-id");
    if (from == received.headers.end()) return stream_of(greeting(9));
    return plain(410, R"({"message":"too old"})");
  });
  EXPECT_EQ(fixture.next(), "opened 9");
  EXPECT_TRUE(fixture.next().starts_with("lost: "));
  EXPECT_EQ(fixture.next(), "lost: too old");
  EXPECT_EQ(fixture.next(), "opened 9, missed some");
}

TEST(EventStream, EndsWhenItIsAbortedWhileItReadsAndWhileItWaits) {
  auto times = kTimes;
  times.backoff_min = times.backoff_max = 1h;
  Fixture reading([](const Received&) { return stream_of(greeting(1), false); }, {}, times);
  EXPECT_EQ(reading.next(), "opened 1");
  asio::steady_timer soon(reading.io, 20ms);
  soon.async_wait([&](const boost::system::error_code&) { reading.stream->abort(); });
  EXPECT_EQ(reading.next(), "over: the call was given up");
  EXPECT_EQ(reading.next(), "over: the call was given up");

  Fixture waiting([](const Received&) { return stream_of(greeting(1)); }, {}, times);
  EXPECT_EQ(waiting.next(), "opened 1");
  EXPECT_EQ(waiting.next(), kClosed);
  asio::post(waiting.io, [&] { waiting.stream->abort(); });
  EXPECT_EQ(waiting.next(), "over: the call was given up");
}

TEST(EventStream, EndsWhenItIsCancelled) {
  Fixture fixture([](const Received&) { return stream_of(greeting(1), false); });
  EXPECT_EQ(fixture.next(), "opened 1");
  asio::cancellation_signal cancel;
  std::optional<Answer<StreamNews>> news;
  asio::co_spawn(
      fixture.io, fixture.stream->next(),
      asio::bind_cancellation_slot(cancel.slot(), [&](const std::exception_ptr& failure, Answer<StreamNews> result) {
        if (!failure) news = std::move(result);
      }));
  asio::steady_timer soon(fixture.io, 20ms);
  soon.async_wait([&](const boost::system::error_code&) { cancel.emit(asio::cancellation_type::terminal); });
  fixture.io.restart();
  fixture.io.run();
  ASSERT_TRUE(news.has_value());
  EXPECT_FALSE(news->has_value());
  fixture.stream.reset();
}

TEST(EventStream, SpeaksTlsLikeTheOthers) {
  FakeServer server([](const Received&) { return stream_of(greeting(6) + event(7)); }, true);
  const auto path = std::filesystem::temp_directory_path() / fmt::format("boruta-stream-test-{}.pem", ::getpid());
  std::ofstream(path) << server.ca_pem();
  auto options = options_for(server.port());
  options.url.tls = true;
  options.ca_file = path;
  asio::io_context io;
  const auto trusting = EventStream::make(io.get_executor(), options, {}, kTimes).value();
  for (const std::size_t kind : {0U, 1U, 2U}) {
    const auto news = run(io, trusting->next());
    ASSERT_TRUE(news.has_value()) << news.error().message;
    EXPECT_EQ(news->index(), kind);
  }
  options.ca_file.clear();
  const auto wary = EventStream::make(io.get_executor(), options, {}, kTimes).value();
  const auto news = run(io, wary->next());
  ASSERT_FALSE(news.has_value());
  EXPECT_EQ(news.error().kind, ErrorKind::kTls);
  std::filesystem::remove(path);
}

std::string page(unsigned first, unsigned count) {
  std::string list = "[";
  for (unsigned seq = first; seq < first + count; ++seq) {
    list += fmt::format("{}{{\"Seq\":{},\"Type\":\"x\"}}", seq == first ? "" : ",", seq);
  }
  return list + "]\n";
}

TEST(Client, ReadsAHistoryPageByPageToItsEnd) {
  FakeServer server([](const Received& received) {
    if (received.target.ends_with("?after=0&limit=1000")) return plain(200, page(1, 1000));
    if (received.target.ends_with("?after=1000&limit=1000")) return plain(200, page(1001, 2));
    return plain(404, R"({"message":"Request not found"})");
  });
  asio::io_context io;
  const auto client = Client::make(io.get_executor(), options_for(server.port())).value();
  const auto events = run(io, client->request_events(RequestId{7}));
  ASSERT_TRUE(events.has_value()) << events.error().message;
  ASSERT_EQ(events->value.size(), 1002U);
  EXPECT_EQ(events->value.back().seq, 1002U);
  EXPECT_EQ(server.received()[0].target, "/farm/api/v1/reqs/7/events?after=0&limit=1000");
  auto whole = page(1, 1002);
  auto json = events->json;
  std::erase(json, '\n');
  std::erase(whole, '\n');
  EXPECT_EQ(json, whole);
}

TEST(Client, ReadsAnEmptyHistory) {
  FakeServer server([](const Received&) { return plain(200, "[]"); });
  asio::io_context io;
  const auto client = Client::make(io.get_executor(), options_for(server.port())).value();
  const auto events = run(io, client->worker_events("a b"));
  ASSERT_TRUE(events.has_value()) << events.error().message;
  EXPECT_TRUE(events->value.empty());
  EXPECT_EQ(events->json, "[]");
  EXPECT_EQ(server.received()[0].target, "/farm/api/v1/workers/a%20b/events?after=0&limit=1000");
}

TEST(Client, ReadsUsage) {
  FakeServer server([](const Received&) {
    return plain(200, R"([{"ReqID":4,"Owner":{"Groups":["ci"],"Name":"alice"},"WorkerUUID":"u",)"
                      R"("Started":"2030-01-01T00:00:00Z","Ended":null,"Seconds":61,"State":"IN PROGRESS",)"
                      R"("Reason":""}])");
  });
  asio::io_context io;
  const auto client = Client::make(io.get_executor(), options_for(server.port())).value();
  const auto usage = run(io, client->usage("2030-01-01T00:00:00+01:00"));
  ASSERT_TRUE(usage.has_value()) << usage.error().message;
  EXPECT_EQ(server.received()[0].target, "/farm/api/v1/usage?since=2030-01-01T00%3A00%3A00%2B01%3A00");
  ASSERT_EQ(usage->value.jobs.size(), 1U);
  EXPECT_EQ(usage->value.jobs[0].owner, "alice");
  EXPECT_EQ(usage->value.jobs[0].held, 61s);
  EXPECT_EQ(usage->value.jobs[0].state, RequestState::kInProgress);
  EXPECT_FALSE(usage->value.jobs[0].ended.has_value());
}

}  // namespace
}  // namespace boruta::client

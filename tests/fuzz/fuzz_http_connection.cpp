// One connection to the server. The input's first line is a plan, the rest is what the client sends. Each character of
// the plan, over and over, does one thing: a capital letter of `Step` lets something happen, any other sends the next
// bytes, as many as its code modulo 64, and one.
#include <boost/asio/io_context.hpp>

#include <memory>

#include "base/limits.hpp"
#include "http/memory_stream.hpp"
#include "http/session.hpp"
#include "oracle.hpp"
#include "responses.hpp"

namespace boruta::http {
namespace {

using fuzz::check;

enum class Step : char {
  kFill = 'F',     ///< the client sends kFilling times "x"
  kTime = 'T',     ///< a request's time passes
  kBlock = 'B',    ///< the client stops reading, or goes on
  kRelease = 'R',  ///< requests that wait are answered
  kStop = 'S',     ///< the server stops
  kAll = 'A',      ///< the client sends the rest in one piece
};
constexpr std::string_view kEvents = "FTBRSA";
constexpr std::string_view kInOnePiece = "A";
constexpr std::size_t kFilling = 70'000;
/// More than a body's limit.
constexpr std::size_t kFillings = limits::kHttpBodyBytes / kFilling + 2;
constexpr std::size_t kLongBody = 20'000;

/// Gives back what it saw. Paths that begin with /wait wait, /long is long, /none has no body.
class EchoApplication final : public Application {
 public:
  explicit EchoApplication(const asio::any_io_executor& executor) : released_(executor) {}

  Task<HttpResponse> handle(const HttpRequest* request) override {
    HttpResponse response{.status = 200, .headers = {}, .body = {}};
    response.headers.push_back({"X-Path", std::string(request->path)});
    if (request->path.starts_with("/none")) response.status = 204;
    if (request->path.starts_with("/long")) response.body.assign(kLongBody, 'x');
    if (response.status != 204) response.body += seen.back();
    if (waits(*request)) co_await released_.wait();
    co_return response;
  }

  [[nodiscard]] bool may_wait(const HttpRequest& request) const override {
    for_head.push_back(request.method == Method::kHead);
    seen.push_back(text_of(request));
    return waits(request);
  }

  void release() { released_.notify_all(); }

  /// Of each request that the session made out, in turn.
  mutable std::vector<bool> for_head;
  mutable std::vector<std::string> seen;

 private:
  static bool waits(const HttpRequest& request) { return request.path.starts_with("/wait"); }

  static std::string text_of(const HttpRequest& request) {
    std::string text(to_string(request.method));
    text.append(" ").append(request.path).append("?").append(request.query).append("\n");
    for (const auto& header : request.headers) text.append(header.name).append(":").append(header.value).append("\n");
    check(request.body.size() <= limits::kHttpBodyBytes, "a large body is refused");
    check(text.size() <= 2 * limits::kHttpHeadBytes, "a large head is refused");
    return text.append("\n").append(request.body);
  }

  runtime::Signal released_;
};

class Connection {
 public:
  Connection() {
    context_.application = &application_;
    session_ = make_session(std::make_unique<MemoryStream>(&wire_), &context_, "192.0.2.1", "192.0.2.9");
    tasks_.spawn("session", session_->run());
    settle();
  }

  void play(std::string_view plan, std::string_view bytes) {
    for (std::size_t at = 0; !bytes.empty() && !wire_.closed; ++at) {
      // A plan of events alone may send nothing; once through is enough.
      if (at == plan.size() && plan.find_first_not_of(kEvents) == std::string_view::npos) break;
      take(static_cast<Step>(plan[at % plan.size()]), bytes);
      settle();
    }
  }

  /// The client is gone and all time has passed: then so is the session.
  void end() {
    wire_.hang_up();
    settle();
    // A client that sends a lot while it waits is read no further, and so not missed before its waits are over.
    for (std::size_t before = 0; before < seen().size();) {
      before = seen().size();
      application_.release();
      settle();
    }
    for (int patience = 0; patience < 3; ++patience) pass_time(limits::kHttpReadTime);
    check(wire_.closed, "a connection without a client is closed");
    check(tasks_.size() == 0, "a session ends");
  }

  [[nodiscard]] std::vector<fuzz::Response> responses() const {
    return fuzz::parse_responses(wire_.from_server, application_.for_head, blocked_ever_);
  }
  [[nodiscard]] const std::vector<std::string>& seen() const { return application_.seen; }
  [[nodiscard]] std::size_t sent() const { return sent_; }
  [[nodiscard]] std::size_t received() const { return wire_.from_server.size(); }

 private:
  void take(Step step, std::string_view& bytes) {
    switch (step) {
      case Step::kFill:
        if (fillings_++ < kFillings) send(std::string(kFilling, 'x'));
        return;
      case Step::kTime:
        return pass_time(limits::kHttpReadTime);
      case Step::kBlock:
        blocked_ever_ = true;
        wire_.window = wire_.window == 0 ? kFilling : 0;
        return wire_.changed.notify_all();
      case Step::kRelease:
        return application_.release();
      case Step::kStop:
        context_.stopping = true;
        context_.stop.notify_all();
        return session_->request_stop();
      case Step::kAll:
        send(bytes);
        bytes = {};
        return;
    }
    const auto piece = bytes.substr(0, static_cast<unsigned char>(step) % 64U + 1);
    send(piece);
    bytes.remove_prefix(piece.size());
  }

  void send(std::string_view piece) {
    sent_ += piece.size();
    wire_.send(piece);
  }

  void pass_time(Duration duration) {
    context_.now += duration;
    // A session that has ended is looked at no more.
    if (tasks_.size() > 0) session_->check_time(context_.now);
    settle();
  }

  void settle() {
    io_.restart();
    io_.poll();
  }

  asio::io_context io_;
  Wire wire_{io_.get_executor()};
  EchoApplication application_{io_.get_executor()};
  SessionContext context_{io_.get_executor()};
  std::unique_ptr<Session> session_;
  runtime::TaskGroup tasks_{io_.get_executor()};
  std::size_t sent_ = 0;
  std::size_t fillings_ = 0;
  bool blocked_ever_ = false;
};

void check_responses(const Connection& connection) {
  const auto responses = connection.responses();
  const auto requests = connection.seen().size();
  check(responses.size() <= requests + 1, "nothing is answered that was not asked");
  for (std::size_t at = 0; at < responses.size(); ++at) {
    const auto& response = responses[at];
    check(!response.closes || at + 1 == responses.size(), "after \"Connection: close\" nothing comes");
    if (at < requests) continue;
    check(response.status >= 400, "who is not understood is told so");
    check(response.closes, "after an error the connection closes");
  }
  constexpr std::size_t kOfARequest = kLongBody + 1000;
  // A header of the application repeats the path.
  check(connection.received() <= 2 * connection.sent() + (requests + 1) * kOfARequest, "what is said is bounded");
}

std::string statuses(const Connection& connection) {
  std::string text;
  auto responses = connection.responses();
  // A head that is broken and has no end is refused at once or waited for, depending on where it is cut.
  responses.resize(std::min(responses.size(), connection.seen().size()));
  for (const auto& response : responses) text += std::to_string(response.status) + " ";
  return text;
}

/// However the bytes are cut, they are the same requests.
void check_same_in_one_piece(const Connection& connection, std::string_view bytes) {
  Connection other;
  other.play(kInOnePiece, bytes);
  other.end();
  check(connection.seen() == other.seen(), "requests don't depend on how they are cut");
  check(statuses(connection) == statuses(other), "answers don't depend on how requests are cut",
        statuses(connection) + "in pieces, " + statuses(other) + "in one");
}

void connect(std::string_view bytes) {
  const auto line = fuzz::take_line(bytes);
  const auto plan = line.empty() ? kInOnePiece : line;
  Connection connection;
  connection.play(plan, bytes);
  connection.end();
  check_responses(connection);
  if (plan.find_first_of(kEvents) == std::string_view::npos) check_same_in_one_piece(connection, bytes);
}

}  // namespace
}  // namespace boruta::http

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  boruta::http::connect(boruta::fuzz::text_of(data, size));
  return 0;
}

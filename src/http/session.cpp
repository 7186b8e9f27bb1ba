#include "http/session.hpp"

#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>
#include <fmt/format.h>

#include <exception>
#include <optional>

#include "base/limits.hpp"
#include "base/secret.hpp"
#include "http/cors.hpp"
#include "http/response_head.hpp"
#include "http/url.hpp"
#include "runtime/log.hpp"

namespace boruta::http {
namespace {

namespace beast = boost::beast;
using boost::system::error_code;

constexpr std::size_t kHeadChunk = 4096;
constexpr std::size_t kBodyChunk = std::size_t{64} * 1024;
/// A larger buffer goes back to the system between two requests.
constexpr std::size_t kKeptBuffer = limits::kHttpHeadBytes;
/// Small bodies are copied behind the head, so that both leave in one piece.
constexpr std::size_t kCopiedBody = 8192;
/// What a refused client still sends is read for so long, lest the refusal is lost.
constexpr Duration kDrainTime = std::chrono::seconds(5);

std::string_view view_of(beast::string_view text) { return {text.data(), text.size()}; }

HttpResponse parse_refusal(const error_code& error) {
  namespace http = beast::http;
  if (error == http::error::header_limit) {
    return error_response(
        431, fmt::format("the request's head is larger than the {} KiB allowed", limits::kHttpHeadBytes / 1024));
  }
  if (error == http::error::body_limit) {
    return error_response(
        413, fmt::format("the request's body is larger than the {} KiB allowed", limits::kHttpBodyBytes / 1024));
  }
  return error_response(400, fmt::format("invalid request: not HTTP/1.1: {}", error.message()));
}

using Parser = beast::http::request_parser<beast::http::string_body>;

/// What is wrong with how `head` says where its body ends; empty if nothing is. Servers and proxies that make different
/// sense of such a head see different requests, so one that can be misread is refused.
std::string_view framing_fault(const Parser::value_type& head) {
  using beast::http::field;
  constexpr unsigned kVersion11 = 11;
  const auto lengths = head.count(field::content_length);
  const auto codings = head.count(field::transfer_encoding);
  // Beast has refused Content-Length beside "chunked", not beside other codings.
  if (lengths > 0 && codings > 0) return "Content-Length and Transfer-Encoding exclude each other";
  if (lengths > 1 || view_of(head[field::content_length]).contains(',')) return "Content-Length is there twice";
  if (codings == 0) return {};
  if (head.version() < kVersion11) return "HTTP/1.0 knows no Transfer-Encoding";
  const bool chunked = codings == 1 && equal_ignoring_case(view_of(head[field::transfer_encoding]), "chunked");
  return chunked ? std::string_view() : "the only Transfer-Encoding that is taken is \"chunked\"";
}

HttpResponse timeout_refusal() {
  return error_response(408, fmt::format("the request did not arrive within {} s", limits::kHttpReadTime.count()));
}

class HttpSession final : public Session {
 public:
  HttpSession(std::unique_ptr<ByteStream> stream, SessionContext& context, std::string local, std::string peer)
      : stream_(std::move(stream)), context_(context), local_(std::move(local)), peer_(std::move(peer)) {}
  HttpSession(const HttpSession&) = delete;
  HttpSession& operator=(const HttpSession&) = delete;
  ~HttpSession() override { hold_body(0); }

  Task<void> run() override {
    bool more = true;
    while (more) more = co_await serve_one();
    stream_->close();
  }

  void check_time(Instant now) override {
    if (!deadline_ || now < *deadline_) return;
    deadline_.reset();
    timed_out_ = true;
    stream_->cancel();
  }

  void request_stop() override {
    if (phase_ == Phase::kIdle) stream_->cancel();
  }

  void abort() override { stream_->close(); }

 private:
  enum class Phase : std::uint8_t { kIdle, kReading, kHandling, kWriting, kDraining };
  enum class ReadOutcome : std::uint8_t { kRequest, kRefused, kClosed };

  void enter(Phase phase, std::optional<Duration> limit) {
    phase_ = phase;
    deadline_ = limit ? std::optional(context_.now + *limit) : std::nullopt;
  }

  /// One request and its answer; whether there may be another.
  Task<bool> serve_one() {
    if (context_.stopping && buffer_.size() == 0) co_return false;
    const auto outcome = co_await read_request();
    if (outcome == ReadOutcome::kClosed) co_return false;
    if (outcome == ReadOutcome::kRefused) {
      timed_out_ = false;
      add_cors_headers(refusal_);
      // Not while it waits for the client to read the refusal.
      parser_.reset();
      hold_body(0);
      context_.application->on_answered_by_session(nullptr, refusal_.status);
      const auto out = compose(refusal_, Persistence::kClose);
      const bool written = co_await write_all(out);
      if (written) co_await drain();
      co_return false;
    }
    request_.body = parser_->get().body();
    enter(Phase::kHandling, std::nullopt);
    std::optional<HttpResponse> response;
    if (context_.application->may_wait(request_)) {
      response = co_await answer_or_hang_up();
    } else {
      response = co_await answer();
    }
    if (!response) co_return false;
    const bool head_only = request_.method == Method::kHead;
    log_answer(response->status);
    const bool keep = parser_->get().keep_alive() && !context_.stopping && !response->stream;
    const bool said = parser_->get().version() < 11;
    const auto persistence = !keep ? Persistence::kClose : said ? Persistence::kKeepAliveSaid : Persistence::kKeepAlive;
    auto out = compose(*response, persistence, head_only);
    // What came together is answered one by one, lest its sender has the server for itself.
    if (buffer_.size() == 0) skip(out, stream_->write_now(out));
    bool written = true;
    if (left_of(out) > 0) written = co_await write_all(out);
    if (response->secret) {
      wipe(response->body);
      wipe(out_);
    }
    if (written && response->stream && !head_only) co_await stream_or_hang_up(response->stream.get());
    co_return written&& keep;
  }

  /// Sends what `stream` brings until it ends, the client hangs up or reads too slowly, or the server stops.
  Task<void> stream_or_hang_up(BodyStream* stream) {
    using asio::experimental::awaitable_operators::operator||;
    co_await (pump(stream) || watch_for_hang_up() || context_.stop.wait());
  }

  Task<void> pump(BodyStream* stream) {
    bool more = true;
    while (more) {
      enter(Phase::kHandling, std::nullopt);
      const auto piece = co_await stream->next();
      if (!piece) co_return;
      const ByteStream::WriteBuffers out{asio::buffer(*piece)};
      more = co_await write_all(out);
    }
  }

  /// Fills `parser_`, or `refusal_`.
  Task<ReadOutcome> read_request() {
    start_parser();
    while (true) {
      if (buffer_.size() > 0) {
        if (phase_ == Phase::kIdle) enter(Phase::kReading, limits::kHttpReadTime);
        if (!parse() || !hold_body(parser_->get().body().size())) co_return ReadOutcome::kRefused;
        if (parser_->is_done()) co_return ReadOutcome::kRequest;
        const bool goes_on = !parser_->is_header_done() || co_await say_continue();
        if (!goes_on) co_return ReadOutcome::kClosed;
      }
      const auto chunk = parser_->is_header_done() ? kBodyChunk : kHeadChunk;
      const auto read = co_await stream_->read_some(buffer_.prepare(chunk));
      if (timed_out_ && phase_ == Phase::kReading) {
        refusal_ = timeout_refusal();
        co_return ReadOutcome::kRefused;
      }
      if (read.error || timed_out_) co_return ReadOutcome::kClosed;
      buffer_.commit(read.count);
    }
  }

  void start_parser() {
    if (buffer_.size() == 0 && buffer_.capacity() > kKeptBuffer) buffer_.shrink_to_fit();
    parser_.emplace();
    hold_body(0);
    parser_->header_limit(limits::kHttpHeadBytes);
    parser_->body_limit(limits::kHttpBodyBytes);
    continue_said_ = false;
    enter(Phase::kIdle, limits::kHttpIdleTime);
  }

  /// Parses what the buffer holds, as far as it goes. False when it is refused, and then `refusal_` says why.
  bool parse() {
    const bool had_head = parser_->is_header_done();
    if (!put()) return false;
    if (had_head || !parser_->is_header_done()) return has_bounded_rest();
    // The parser stopped behind the head, so that what trails the body cannot pass for a part of it.
    if (const auto fault = framing_fault(parser_->get()); !fault.empty()) {
      refusal_ = error_response(400, fmt::format("invalid request: {}", fault));
      return false;
    }
    take_head();
    parser_->eager(true);
    return (parser_->is_done() || buffer_.size() == 0 || put()) && has_bounded_rest();
  }

  /// Counts what is held of the body among what all connections hold. False: it is refused, since that is too much.
  bool hold_body(std::size_t bytes) {
    const auto counted = bytes > kCopiedBody ? bytes : 0;
    context_.body_bytes += counted - held_;
    held_ = counted;
    if (counted == 0 || context_.body_bytes <= kAllBodiesBytes) return true;
    refusal_ = error_response(
        503, fmt::format("the server is reading {} MiB of bodies, which is all it takes at once, try again later",
                         kAllBodiesBytes / 1024 / 1024));
    return false;
  }

  /// More will come then: chunks end in no fewer bytes. Of fewer Beast 1.81 makes an assertion that fails.
  [[nodiscard]] bool may_begin_last_chunk() const {
    constexpr std::string_view kLastChunk = "0\r\n\r\n";
    if (buffer_.size() >= kLastChunk.size()) return false;
    const auto first = buffer_.size() == 0 ? '0' : *static_cast<const char*>(buffer_.cdata().data());
    // The end of the chunk before may stand in front.
    return first == '0' || first == '\r';
  }

  bool put() {
    if (parser_->is_header_done() && parser_->chunked() && may_begin_last_chunk()) return true;
    error_code error;
    buffer_.consume(parser_->put(buffer_.data(), error));
    if (!error || error == beast::http::error::need_more) return true;
    refusal_ = parse_refusal(error);
    return false;
  }

  /// Of a body, the parser leaves only what stands around its chunks, and knows no limit for that.
  bool has_bounded_rest() {
    if (!parser_->is_header_done() || parser_->is_done() || buffer_.size() <= limits::kHttpHeadBytes) return true;
    refusal_ = error_response(
        431, fmt::format("a chunk's head or trailer is larger than the {} KiB allowed", limits::kHttpHeadBytes / 1024));
    return false;
  }

  /// Tells a client that waits to be told that its body is welcome. False when it is gone.
  Task<bool> say_continue() {
    if (continue_said_) co_return true;
    continue_said_ = true;
    const auto expectation = parser_->get()[beast::http::field::expect];
    if (!equal_ignoring_case(view_of(expectation), "100-continue")) co_return true;
    out_ = "HTTP/1.1 100 Continue\r\n\r\n";
    const ByteStream::WriteBuffers out{asio::buffer(out_)};
    co_return co_await write_all(out);
  }

  void take_head() {
    const auto& message = parser_->get();
    request_.method = parse_method(view_of(message.method_string()));
    const auto target = split_target(view_of(message.target()));
    request_.path = target.path;
    request_.query = target.query;
    request_.headers.clear();
    for (const auto& field : message) {
      request_.headers.push_back({view_of(field.name_string()), view_of(field.value())});
    }
    request_.local_address = local_;
    request_.peer_address = peer_;
  }

  /// Nothing when the client hung up.
  Task<std::optional<HttpResponse>> answer_or_hang_up() {
    if (context_.stopping) co_return stop_waiting();
    using asio::experimental::awaitable_operators::operator||;
    auto first = co_await (answer() || watch_for_hang_up() || context_.stop.wait());
    constexpr std::size_t kHungUp = 1;
    if (first.index() == 0) co_return std::move(std::get<0>(first));
    if (first.index() == kHungUp) co_return std::nullopt;
    co_return stop_waiting();
  }

  HttpResponse stop_waiting() {
    auto response = error_response(503, "the server is shutting down");
    add_cors_headers(request_, response);
    context_.application->on_answered_by_session(&request_, response.status);
    return response;
  }

  /// Where a handler's exceptions end.
  Task<HttpResponse> answer() {
    std::exception_ptr failure;
    try {
      co_return co_await context_.application->handle(&request_);
    } catch (...) {
      failure = std::current_exception();
    }
    auto response = error_response(500, "internal server error");
    const auto cancelled = (co_await asio::this_coro::cancellation_state).cancelled();
    if (cancelled == asio::cancellation_type::none) {
      runtime::log_exception(fmt::format("{} {}", to_string(request_.method), request_.path), failure);
      context_.application->on_answered_by_session(&request_, response.status);
    }
    co_return response;
  }

  /// Returns when the connection has ended. What the client sends meanwhile is kept for the next request, as far as
  /// there is room.
  Task<void> watch_for_hang_up() {
    while (buffer_.size() < limits::kHttpHeadBytes) {
      const auto read = co_await stream_->read_some(buffer_.prepare(kHeadChunk));
      buffer_.commit(read.count);
      if (read.error) co_return;
    }
    const auto executor = co_await asio::this_coro::executor;
    runtime::Signal never(executor);
    co_await never.wait();
  }

  void log_answer(unsigned status) {
    constexpr unsigned kFaults = 500;
    if (status < kFaults && !context_.access_log) return;
    runtime::log(status < kFaults ? runtime::LogLevel::kDebug : runtime::LogLevel::kWarning, "request answered",
                 {{"method", std::string(to_string(request_.method))},
                  {"path", std::string(request_.path)},
                  {"status", std::to_string(status)},
                  {"peer", peer_}});
  }

  /// What is to be sent, which lies in `out_` and in `response`.
  ByteStream::WriteBuffers compose(const HttpResponse& response, Persistence persistence, bool head_only = false) {
    out_.clear();
    append_response_head(out_, response, context_.date, persistence);
    if (head_only) return {asio::buffer(out_)};
    if (response.body.size() > kCopiedBody) return {asio::buffer(out_), asio::buffer(response.body)};
    out_ += response.body;
    return {asio::buffer(out_)};
  }

  static std::size_t left_of(const ByteStream::WriteBuffers& buffers) { return buffers[0].size() + buffers[1].size(); }

  static void skip(ByteStream::WriteBuffers& buffers, std::size_t count) {
    const auto of_first = std::min(count, buffers[0].size());
    buffers[0] += of_first;
    buffers[1] += count - of_first;
  }

  /// Whether all of it left.
  Task<bool> write_all(ByteStream::WriteBuffers out) {
    while (left_of(out) > 0) {
      enter(Phase::kWriting, limits::kHttpReadTime);
      const auto written = co_await stream_->write_some(out);
      if (written.error || timed_out_) co_return false;
      skip(out, written.count);
    }
    co_return true;
  }

  /// Closing while the client still sends would reset the connection, and the refusal with it.
  Task<void> drain() {
    stream_->shutdown_send();
    timed_out_ = false;
    enter(Phase::kDraining, kDrainTime);
    buffer_.clear();
    constexpr std::size_t kDrainBytes = 4 * limits::kHttpBodyBytes;
    for (std::size_t drained = 0; drained < kDrainBytes && !timed_out_;) {
      const auto read = co_await stream_->read_some(buffer_.prepare(kHeadChunk));
      if (read.error) co_return;
      drained += read.count;
    }
  }

  std::unique_ptr<ByteStream> stream_;
  SessionContext& context_;
  std::string local_;
  std::string peer_;
  beast::flat_buffer buffer_;
  std::optional<Parser> parser_;
  HttpRequest request_;
  HttpResponse refusal_;
  std::string out_;
  Phase phase_ = Phase::kIdle;
  /// What `phase_` may take; nothing: as long as it likes.
  std::optional<Instant> deadline_;
  bool timed_out_ = false;
  bool continue_said_ = false;
  /// Of the body, as it is counted in `context_`.
  std::size_t held_ = 0;
};

}  // namespace

std::unique_ptr<Session> make_session(std::unique_ptr<ByteStream> stream, SessionContext* context,
                                      std::string local_address, std::string peer_address) {
  return std::make_unique<HttpSession>(std::move(stream), *context, std::move(local_address), std::move(peer_address));
}

}  // namespace boruta::http

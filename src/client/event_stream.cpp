#include "client/event_stream.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <utility>
#include <vector>

#include "client/api_json.hpp"

namespace boruta::client {
namespace {

/// An event holds a registration at most, with all its capabilities.
constexpr std::size_t kMessageLimit = std::size_t{1024} * 1024;

ApiError given_up() { return {.kind = ErrorKind::kUnreachable, .status = 0, .message = "the call was given up"}; }

ApiError protocol_error(std::string message) {
  return {.kind = ErrorKind::kProtocol, .status = 200, .message = std::move(message)};
}

/// Worth another attempt, for as long as it takes.
bool may_pass(const ApiError& error) { return is_temporary(error) || error.status == 429; }

std::optional<std::uint64_t> parse_position(std::string_view text) {
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return number;
}

}  // namespace

Answer<std::unique_ptr<EventStream>> EventStream::make(const asio::any_io_executor& executor, ClientOptions options,
                                                       EventSelection selection, StreamTimes times) {
  auto trust = make_trust(options);
  if (!trust) return std::unexpected(std::move(trust.error()));
  return std::unique_ptr<EventStream>(
      new EventStream(executor, std::move(options), std::move(selection), times, std::move(*trust)));
}

EventStream::EventStream(const asio::any_io_executor& executor, ClientOptions options, EventSelection selection,
                         StreamTimes times, std::shared_ptr<TlsTrust> trust)
    : options_(std::move(options)),
      selection_(std::move(selection)),
      times_(times),
      connection_(executor, options_.url, std::move(trust), options_.connect_limit),
      timer_(executor),
      parser_(kMessageLimit) {}

HttpRequest EventStream::to_http() const {
  std::string path = "events";
  char separator = '?';
  if (selection_.request) path += fmt::format("{}request={}", std::exchange(separator, '&'), selection_.request->value);
  if (!selection_.worker.empty()) path += fmt::format("{}worker={}", separator, encode_segment(selection_.worker));
  auto request = make_http_request(options_, "GET", path);
  request.headers.emplace_back("Accept", "text/event-stream");
  if (position_) request.headers.emplace_back("Last-Event-ID", fmt::format("{}", *position_));
  return request;
}

Task<Answer<StreamNews>> EventStream::next() {
  while (!aborted_) {
    if (!pending_.empty()) {
      auto message = std::move(pending_.front());
      pending_.pop_front();
      auto news = take(std::move(message));
      if (!news) co_return std::unexpected(std::move(news.error()));
      if (*news) co_return std::move(**news);
      continue;
    }
    auto went_on = co_await go_on();
    if (went_on) continue;
    const auto cancelled = (co_await asio::this_coro::cancellation_state).cancelled();
    if (aborted_ || cancelled != asio::cancellation_type::none) break;
    // From here on it cannot go on: it goes on from what is newest.
    const bool too_old = went_on.error().status == 410 && position_;
    if (too_old) {
      position_.reset();
      missed_ = true;
    }
    if (!too_old && !may_pass(went_on.error())) co_return std::unexpected(std::move(went_on.error()));
    co_return lose(std::move(went_on.error()));
  }
  co_return std::unexpected(given_up());
}

Task<Answer<void>> EventStream::go_on() { return open_ ? read() : open(); }

Task<Answer<void>> EventStream::open() {
  if (delay_ > std::chrono::nanoseconds::zero()) {
    timer_.expires_after(delay_);
    const auto [error] = co_await timer_.async_wait(asio::as_tuple(asio::use_awaitable));
    if (error || aborted_) co_return std::unexpected(given_up());
  }
  auto request = to_http();
  const auto response = co_await connection_.begin(std::move(request), options_.answer_limit);
  if (!response) co_return std::unexpected(response.error());
  if (response->status < 200 || response->status >= 300) co_return std::unexpected(to_error(*response));
  if (!response->content_type.starts_with("text/event-stream")) {
    co_return std::unexpected(protocol_error("the answer is no stream of events"));
  }
  parser_ = SseParser(kMessageLimit);
  open_ = true;
  greeted_ = false;
  co_return Answer<void>{};
}

Task<Answer<void>> EventStream::read() {
  const auto piece = co_await connection_.read_piece(times_.silence);
  if (!piece) co_return std::unexpected(piece.error());
  std::vector<SseMessage> messages;
  const bool read = parser_.feed(*piece, messages);
  if (!read) co_return std::unexpected(protocol_error("a message of the stream is too long"));
  // More than the first word has come: this connection is worth something.
  if (greeted_) delay_ = {};
  std::ranges::move(messages, std::back_inserter(pending_));
  co_return Answer<void>{};
}

Answer<std::optional<StreamNews>> EventStream::take(SseMessage message) {
  if (message.event == "dropped") {
    auto words = decode_message(message.data);
    return lose({.kind = ErrorKind::kUnreachable,
                 .status = 0,
                 .message = words.empty() ? "the server dropped the connection" : std::move(words)});
  }
  std::optional<Decoded<EventInfo>> event;
  if (!message.data.empty()) {
    event = decode_event(message.data);
    if (!*event) return std::unexpected(protocol_error(std::move(event->error())));
  }
  if (message.id) {
    const auto position = parse_position(*message.id);
    if (!position) return std::unexpected(protocol_error("the stream's id is no number"));
    position_ = position;
  }
  if (event) return StreamNews(Reply<EventInfo>{.value = std::move(**event), .json = std::move(message.data)});
  if (std::exchange(greeted_, true) || !position_) return std::nullopt;
  return StreamNews(StreamOpened{.position = *position_, .missed = std::exchange(missed_, false)});
}

StreamNews EventStream::lose(ApiError why) {
  open_ = false;
  pending_.clear();
  delay_ = std::clamp(delay_ * 2, times_.backoff_min, times_.backoff_max);
  return StreamLost{.why = std::move(why)};
}

void EventStream::abort() {
  aborted_ = true;
  timer_.cancel();
  connection_.abort();
}

}  // namespace boruta::client

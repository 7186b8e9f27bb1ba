#include "client/connection.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/ip/address.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/ssl/error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/core/error.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http/buffer_body.hpp>
#include <boost/beast/http/error.hpp>
#include <boost/beast/http/message.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/string_body.hpp>
#include <boost/beast/http/write.hpp>
#include <boost/beast/ssl/ssl_stream.hpp>
#include <fmt/format.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>

#include <array>
#include <fcntl.h>
#include <optional>
#include <sys/socket.h>

namespace boruta::client {
namespace beast = boost::beast;
namespace http = beast::http;
namespace ssl = asio::ssl;
using asio::ip::tcp;
using boost::system::error_code;

class TlsTrust {
 public:
  TlsTrust() : context(ssl::context::tls_client) {}

  ssl::context context;
};

using BodyParser = http::response_parser<http::buffer_body>;

struct Connection::Streams {
  /// One of the two.
  std::unique_ptr<beast::tcp_stream> plain;
  std::unique_ptr<beast::ssl_stream<beast::tcp_stream>> tls;
  beast::flat_buffer buffer;
  /// Of the answer whose body is read piece by piece.
  std::optional<BodyParser> parser;

  [[nodiscard]] beast::tcp_stream& tcp() const { return plain ? *plain : tls->next_layer(); }
};

namespace {

constexpr std::uint64_t kBodyLimit = std::uint64_t{256} * 1024 * 1024;
constexpr std::uint32_t kHeadLimit = 64 * 1024;
constexpr std::size_t kPieceBytes = std::size_t{16} * 1024;
/// What a refusal has to say is shorter.
constexpr std::size_t kRefusalLimit = std::size_t{64} * 1024;
constexpr auto kToken = asio::as_tuple(asio::use_awaitable);

ApiError unreachable(std::string message) {
  return {.kind = ErrorKind::kUnreachable, .status = 0, .message = std::move(message)};
}

ApiError tls_error(std::string message) {
  return {.kind = ErrorKind::kTls, .status = 0, .message = std::move(message)};
}

std::string seconds_text(std::chrono::nanoseconds limit) {
  return fmt::format("{:g} s", std::chrono::duration<double>(limit).count());
}

ApiError describe_exchange(const error_code& error, std::chrono::nanoseconds limit) {
  if (error == beast::error::timeout) return unreachable(fmt::format("no answer within {}", seconds_text(limit)));
  if (error == http::error::end_of_stream || error == http::error::partial_message ||
      error == asio::ssl::error::stream_truncated) {
    return unreachable("the server closed the connection");
  }
  if (error == asio::error::operation_aborted) return unreachable("the call was given up");
  if (error.category() == http::make_error_code(http::error::end_of_stream).category()) {
    return {.kind = ErrorKind::kProtocol, .status = 0, .message = "the answer is not HTTP: " + error.message()};
  }
  if (error.category() == asio::error::get_ssl_category()) return tls_error(error.message());
  return unreachable(error.message());
}

/// Says why a certificate is not trusted where that is the reason, and otherwise what OpenSSL says.
ApiError describe_handshake(SSL* handle, const error_code& error, std::chrono::nanoseconds limit) {
  if (error == beast::error::timeout) return unreachable(fmt::format("no answer within {}", seconds_text(limit)));
  const auto verdict = SSL_get_verify_result(handle);
  if (verdict != X509_V_OK) {
    return tls_error(fmt::format("its certificate is not trusted: {}", X509_verify_cert_error_string(verdict)));
  }
  if (error.category() != asio::error::get_ssl_category()) {
    return unreachable("the server closed the connection during the TLS handshake");
  }
  return tls_error(fmt::format("TLS handshake failed: {}", error.message()));
}

bool is_address(const std::string& host) {
  error_code error;
  asio::ip::make_address(host, error);
  return !error;
}

/// Only a certificate for `host` will do; a name is also told to the server, which may have several.
void expect_host(SSL* handle, const std::string& host) {
  auto* parameters = SSL_get0_param(handle);
  if (is_address(host)) {
    X509_VERIFY_PARAM_set1_ip_asc(parameters, host.c_str());
    return;
  }
  X509_VERIFY_PARAM_set_hostflags(parameters, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
  X509_VERIFY_PARAM_set1_host(parameters, host.c_str(), host.size());
  SSL_set_tlsext_host_name(handle, host.c_str());
}

/// A child process must not inherit the connection.
void keep_from_children(beast::tcp_stream& stream) { ::fcntl(stream.socket().native_handle(), F_SETFD, FD_CLOEXEC); }

http::request<http::string_body> to_message(const HttpRequest& request, const ServerUrl& url) {
  http::request<http::string_body> message;
  message.version(11);
  message.method_string(request.method);
  message.target(request.target);
  message.set(http::field::host, host_header(url));
  message.set(http::field::accept, "application/json");
  for (const auto& [name, value] : request.headers) message.set(name, value);
  if (!request.body.empty()) message.set(http::field::content_type, "application/json");
  message.body() = request.body;
  if (request.method != "GET") message.content_length(request.body.size());
  return message;
}

struct Exchanged {
  HttpResponse response;
  bool keep_alive = false;
};

template <class Stream>
Task<std::expected<Exchanged, error_code>> exchange_on(Stream* stream, beast::flat_buffer* buffer,
                                                       http::request<http::string_body> message) {
  const auto [write_error, written] = co_await http::async_write(*stream, message, kToken);
  // A server may answer and close before it has read all: what it said is then worth more than the failed write.
  if (write_error && write_error != asio::error::broken_pipe && write_error != asio::error::connection_reset) {
    co_return std::unexpected(write_error);
  }
  http::response_parser<http::string_body> parser;
  parser.body_limit(kBodyLimit);
  parser.header_limit(kHeadLimit);
  const auto [read_error, read] = co_await http::async_read(*stream, *buffer, parser, kToken);
  if (read_error) co_return std::unexpected(read_error);
  auto answer = parser.release();
  Exchanged out;
  out.response.status = answer.result_int();
  out.response.location = std::string(answer[http::field::location]);
  out.response.content_type = std::string(answer[http::field::content_type]);
  out.response.known_since = std::string(answer["Boruta-Known-Since"]);
  out.response.body = std::move(answer.body());
  out.keep_alive = answer.keep_alive() && !write_error;
  co_return out;
}

template <class Stream>
Task<error_code> begin_on(Stream* stream, beast::flat_buffer* buffer, BodyParser* parser,
                          http::request<http::string_body> message) {
  const auto [write_error, written] = co_await http::async_write(*stream, message, kToken);
  if (write_error) co_return write_error;
  const auto [read_error, read] = co_await http::async_read_header(*stream, *buffer, *parser, kToken);
  co_return read_error;
}

template <class Stream>
Task<std::expected<std::string, error_code>> read_on(Stream* stream, beast::flat_buffer* buffer, BodyParser* parser) {
  std::string piece(kPieceBytes, '\0');
  while (!parser->is_done()) {
    auto& body = parser->get().body();
    body.data = piece.data();
    body.size = piece.size();
    const auto [error, count] = co_await http::async_read_some(*stream, *buffer, *parser, kToken);
    if (error && error != http::error::need_buffer) co_return std::unexpected(error);
    const auto got = piece.size() - parser->get().body().size;
    if (got == 0) continue;
    piece.resize(got);
    co_return piece;
  }
  co_return std::unexpected(http::make_error_code(http::error::end_of_stream));
}

}  // namespace

Answer<std::shared_ptr<TlsTrust>> make_tls_trust(const std::string& ca_file) {
  auto trust = std::make_shared<TlsTrust>();
  trust->context.set_verify_mode(ssl::verify_peer);
  SSL_CTX_set_min_proto_version(trust->context.native_handle(), TLS1_2_VERSION);
  error_code error;
  if (ca_file.empty()) {
    trust->context.set_default_verify_paths(error);
    if (error) return std::unexpected(tls_error("the system's certificates cannot be read: " + error.message()));
    return trust;
  }
  trust->context.load_verify_file(ca_file, error);
  if (error) return std::unexpected(tls_error(fmt::format("no certificates could be read from {}", ca_file)));
  return trust;
}

Connection::Connection(asio::any_io_executor executor, ServerUrl url, std::shared_ptr<TlsTrust> trust,
                       std::chrono::nanoseconds connect_limit)
    : executor_(std::move(executor)),
      url_(std::move(url)),
      trust_(std::move(trust)),
      connect_limit_(connect_limit),
      resolver_(executor_) {}

Connection::~Connection() = default;

Task<Answer<void>> Connection::open() {
  auto streams = std::make_unique<Streams>();
  if (url_.tls) {
    streams->tls = std::make_unique<beast::ssl_stream<beast::tcp_stream>>(executor_, trust_->context);
  } else {
    streams->plain = std::make_unique<beast::tcp_stream>(executor_);
  }
  streams_ = std::move(streams);
  const auto [resolve_error, endpoints] =
      co_await resolver_.async_resolve(url_.host, std::to_string(url_.port), kToken);
  if (resolve_error) {
    co_return std::unexpected(unreachable(fmt::format("host {}: {}", url_.host, resolve_error.message())));
  }
  auto& stream = streams_->tcp();
  stream.expires_after(connect_limit_);
  const auto [connect_error, endpoint] = co_await stream.async_connect(endpoints, kToken);
  if (connect_error) co_return std::unexpected(describe_exchange(connect_error, connect_limit_));
  keep_from_children(stream);
  error_code ignored;
  stream.socket().set_option(tcp::no_delay(true), ignored);
  if (!streams_->tls) co_return Answer<void>{};
  auto& tls = *streams_->tls;
  expect_host(tls.native_handle(), url_.host);
  const auto [handshake_error] = co_await tls.async_handshake(ssl::stream_base::client, kToken);
  if (handshake_error) {
    co_return std::unexpected(describe_handshake(tls.native_handle(), handshake_error, connect_limit_));
  }
  co_return Answer<void>{};
}

Task<Answer<HttpResponse>> Connection::exchange(HttpRequest request, std::chrono::nanoseconds limit) {
  if (!is_alive()) {
    close();
    const auto opened = co_await open();
    if (!opened) {
      close();
      co_return std::unexpected(opened.error());
    }
  }
  auto message = to_message(request, url_);
  streams_->tcp().expires_after(limit);
  auto result = std::expected<Exchanged, error_code>(std::unexpect);
  if (streams_->tls) {
    result = co_await exchange_on(streams_->tls.get(), &streams_->buffer, std::move(message));
  } else {
    result = co_await exchange_on(streams_->plain.get(), &streams_->buffer, std::move(message));
  }
  if (!result) {
    close();
    auto error = describe_exchange(result.error(), limit);
    error.sent = true;
    co_return std::unexpected(std::move(error));
  }
  streams_->tcp().expires_never();
  if (!result->keep_alive) close();
  co_return std::move(result->response);
}

Task<Answer<HttpResponse>> Connection::begin(HttpRequest request, std::chrono::nanoseconds limit) {
  close();
  const auto opened = co_await open();
  if (!opened) {
    close();
    co_return std::unexpected(opened.error());
  }
  auto& parser = streams_->parser.emplace();
  parser.body_limit(boost::none);
  parser.header_limit(kHeadLimit);
  auto message = to_message(request, url_);
  streams_->tcp().expires_after(limit);
  error_code error;
  if (streams_->tls) {
    error = co_await begin_on(streams_->tls.get(), &streams_->buffer, &parser, std::move(message));
  } else {
    error = co_await begin_on(streams_->plain.get(), &streams_->buffer, &parser, std::move(message));
  }
  if (error) {
    close();
    co_return std::unexpected(describe_exchange(error, limit));
  }
  HttpResponse response;
  response.status = parser.get().result_int();
  response.location = std::string(parser.get()[http::field::location]);
  response.content_type = std::string(parser.get()[http::field::content_type]);
  if (response.status >= 200 && response.status < 300) co_return response;
  while (!parser.is_done() && response.body.size() < kRefusalLimit) {
    const auto piece = co_await read_piece(limit);
    if (!piece) break;
    response.body += *piece;
  }
  close();
  co_return response;
}

Task<Answer<std::string>> Connection::read_piece(std::chrono::nanoseconds limit) {
  streams_->tcp().expires_after(limit);
  auto piece = std::expected<std::string, error_code>(std::unexpect);
  if (streams_->tls) {
    piece = co_await read_on(streams_->tls.get(), &streams_->buffer, &*streams_->parser);
  } else {
    piece = co_await read_on(streams_->plain.get(), &streams_->buffer, &*streams_->parser);
  }
  if (piece) co_return std::move(*piece);
  auto error = describe_exchange(piece.error(), limit);
  if (piece.error() == beast::error::timeout) error.message = fmt::format("silent for {}", seconds_text(limit));
  co_return std::unexpected(std::move(error));
}

bool Connection::is_alive() const {
  if (!streams_ || !streams_->tcp().socket().is_open()) return false;
  // Nothing may come unasked: what can be read is the end, or TLS saying so.
  std::array<char, 1> peeked{};
  const auto count = ::recv(streams_->tcp().socket().native_handle(), peeked.data(), 1, MSG_PEEK | MSG_DONTWAIT);
  return count < 0 && (errno == EAGAIN || errno == EWOULDBLOCK);
}

void Connection::close() {
  if (streams_) streams_->tcp().close();
  streams_.reset();
}

void Connection::abort() {
  resolver_.cancel();
  if (streams_) streams_->tcp().close();
}

}  // namespace boruta::client

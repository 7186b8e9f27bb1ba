#include "http/tls.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <fmt/format.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include <string_view>

#include "runtime/files.hpp"

namespace boruta::http {
namespace {

namespace ssl = asio::ssl;
using asio::ip::tcp;
using boost::system::error_code;

constexpr std::size_t kLargestFile = std::size_t{1} << 20U;
constexpr auto kToken = asio::as_tuple(asio::use_awaitable);

class TlsStream final : public ByteStream {
 public:
  TlsStream(tcp::socket socket, TlsContext context)
      : context_(std::move(context)), stream_(std::move(socket), *context_) {}

  Task<bool> shake_hands() {
    const auto [error] = co_await stream_.async_handshake(ssl::stream_base::server, kToken);
    co_return !error;
  }

  Task<Transfer> read_some(asio::mutable_buffer into) override {
    const auto [error, count] = co_await stream_.async_read_some(into, kToken);
    co_return Transfer{.error = error, .count = count};
  }

  /// One buffer at a time: each becomes a record.
  Task<Transfer> write_some(WriteBuffers from) override {
    const auto piece = from[0].size() > 0 ? from[0] : from[1];
    const auto [error, count] = co_await stream_.async_write_some(asio::buffer(piece), kToken);
    co_return Transfer{.error = error, .count = count};
  }

  void cancel() override {
    error_code ignored;
    stream_.lowest_layer().cancel(ignored);
  }

  void shutdown_send() override {
    error_code ignored;
    stream_.lowest_layer().shutdown(tcp::socket::shutdown_send, ignored);
  }

  void close() override {
    error_code ignored;
    stream_.lowest_layer().close(ignored);
  }

 private:
  TlsContext context_;
  ssl::stream<tcp::socket> stream_;
};

std::expected<TlsContext, std::string> context_of(const TlsIdentity& identity, const std::string& what) {
  auto context = std::make_shared<ssl::context>(ssl::context::tls_server);
  context->set_options(ssl::context::default_workarounds | ssl::context::no_compression | SSL_OP_NO_RENEGOTIATION);
  SSL_CTX_set_min_proto_version(context->native_handle(), TLS1_2_VERSION);
  // Forward secrecy and authenticated encryption alone, also in 1.2.
  SSL_CTX_set_cipher_list(context->native_handle(), "ECDHE+AESGCM:ECDHE+CHACHA20");
  SSL_CTX_set_mode(context->native_handle(), SSL_MODE_RELEASE_BUFFERS);
  error_code error;
  context->use_certificate_chain(asio::buffer(identity.chain), error);
  if (error) return std::unexpected(fmt::format("{}: no certificate in PEM: {}", what, error.message()));
  const auto key = identity.key.reveal();
  context->use_private_key(asio::buffer(key), ssl::context::pem, error);
  if (error) return std::unexpected(fmt::format("{}: its key cannot be used with it: {}", what, error.message()));
  if (SSL_CTX_check_private_key(context->native_handle()) != 1) {
    return std::unexpected(fmt::format("{}: its key belongs to another certificate", what));
  }
  return context;
}

}  // namespace

std::expected<TlsIdentity, std::string> load_tls_identity(const std::filesystem::path& certificate,
                                                          const std::filesystem::path& key) {
  auto chain = runtime::read_file(certificate, kLargestFile);
  if (!chain) return std::unexpected(chain.error());
  auto secret = runtime::read_file(key, kLargestFile);
  if (!secret) return std::unexpected(secret.error());
  TlsIdentity identity{.chain = std::move(*chain), .key = Secret(std::move(*secret))};
  const auto usable = context_of(identity, fmt::format("{} with {}", certificate.string(), key.string()));
  if (!usable) return std::unexpected(usable.error());
  return identity;
}

std::string tls_valid_until(const TlsIdentity& identity) {
  const std::unique_ptr<BIO, decltype(&BIO_free_all)> in(
      BIO_new_mem_buf(identity.chain.data(), static_cast<int>(identity.chain.size())), &BIO_free_all);
  const std::unique_ptr<X509, decltype(&X509_free)> certificate(PEM_read_bio_X509(in.get(), nullptr, nullptr, nullptr),
                                                                &X509_free);
  const std::unique_ptr<BIO, decltype(&BIO_free_all)> out(BIO_new(BIO_s_mem()), &BIO_free_all);
  if (!certificate || ASN1_TIME_print(out.get(), X509_get0_notAfter(certificate.get())) != 1) return {};
  const char* text = nullptr;
  const auto size = BIO_get_mem_data(out.get(), &text);
  return {text, static_cast<std::size_t>(size)};
}

std::expected<TlsContext, std::string> make_tls_context(const TlsIdentity& identity) {
  return context_of(identity, "the certificate");
}

Task<std::unique_ptr<ByteStream>> accept_tls(tcp::socket socket, TlsContext context) {
  auto stream = std::make_unique<TlsStream>(std::move(socket), std::move(context));
  const bool done = co_await stream->shake_hands();
  if (!done) co_return nullptr;
  co_return stream;
}

}  // namespace boruta::http

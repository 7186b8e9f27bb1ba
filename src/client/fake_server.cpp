#include "client/fake_server.hpp"

#include <boost/asio/buffer.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/asio/write.hpp>
#include <fmt/format.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <memory>

namespace boruta::client {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;

struct SelfSigned {
  std::string certificate;
  std::string key;
};

template <class Write>
std::string to_pem(Write write) {
  const std::unique_ptr<BIO, decltype(&BIO_free)> bio(BIO_new(BIO_s_mem()), &BIO_free);
  write(bio.get());
  char* data = nullptr;
  const auto size = BIO_get_mem_data(bio.get(), &data);
  return {data, static_cast<std::size_t>(size)};
}

SelfSigned make_certificate() {
  const std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)> key(EVP_EC_gen("P-256"), &EVP_PKEY_free);
  const std::unique_ptr<X509, decltype(&X509_free)> cert(X509_new(), &X509_free);
  X509_set_version(cert.get(), 2);
  ASN1_INTEGER_set(X509_get_serialNumber(cert.get()), 1);
  X509_gmtime_adj(X509_getm_notBefore(cert.get()), -60);
  X509_gmtime_adj(X509_getm_notAfter(cert.get()), 3600);
  X509_set_pubkey(cert.get(), key.get());
  auto* name = X509_get_subject_name(cert.get());
  X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, reinterpret_cast<const unsigned char*>("test"), -1, -1, 0);
  X509_set_issuer_name(cert.get(), name);
  X509_EXTENSION* names = X509V3_EXT_conf_nid(nullptr, nullptr, NID_subject_alt_name, "DNS:localhost,IP:127.0.0.1");
  X509_add_ext(cert.get(), names, -1);
  X509_EXTENSION_free(names);
  X509_sign(cert.get(), key.get(), EVP_sha256());
  return {.certificate = to_pem([&](BIO* bio) { PEM_write_bio_X509(bio, cert.get()); }),
          .key = to_pem(
              [&](BIO* bio) { PEM_write_bio_PrivateKey(bio, key.get(), nullptr, nullptr, 0, nullptr, nullptr); })};
}

Received parse_head(std::string_view head) {
  Received received;
  const auto line_end = head.find("\r\n");
  const auto line = head.substr(0, line_end);
  const auto first = line.find(' ');
  const auto second = line.find(' ', first + 1);
  received.method = line.substr(0, first);
  received.target = line.substr(first + 1, second - first - 1);
  head.remove_prefix(line_end + 2);
  while (!head.starts_with("\r\n")) {
    const auto end = head.find("\r\n");
    const auto colon = head.find(": ");
    std::string key(head.substr(0, colon));
    std::ranges::transform(key, key.begin(),
                           [](unsigned char letter) { return static_cast<char>(std::tolower(letter)); });
    received.headers[key] = head.substr(colon + 2, end - colon - 2);
    head.remove_prefix(end + 2);
  }
  return received;
}

std::string to_wire(const FakeAnswer& answer) {
  if (!answer.raw.empty()) return answer.raw;
  return fmt::format("HTTP/1.1 {} X\r\n{}{}Content-Length: {}\r\n\r\n{}", answer.status, answer.extra_headers,
                     answer.close_after ? "Connection: close\r\n" : "", answer.body.size(), answer.body);
}

}  // namespace

FakeServer::FakeServer(Handler handler, bool tls, const char* address)
    : handler_(std::move(handler)),
      tls_(tls),
      acceptor_(io_, tcp::endpoint(asio::ip::make_address(address), 0)),
      port_(acceptor_.local_endpoint().port()) {
  if (tls_) {
    const auto made = make_certificate();
    ca_pem_ = made.certificate;
    context_.use_certificate(asio::buffer(made.certificate), asio::ssl::context::pem);
    context_.use_private_key(asio::buffer(made.key), asio::ssl::context::pem);
  }
  thread_ = std::thread([this] { serve(); });
}

FakeServer::~FakeServer() {
  {
    const std::scoped_lock lock(mutex_);
    stopping_ = true;
  }
  // Wakes the accept; it may also find the port closed already.
  tcp::socket waker(io_);
  error_code ignored;
  waker.connect(acceptor_.local_endpoint(), ignored);
  waker.close(ignored);
  thread_.join();
}

std::vector<Received> FakeServer::received() const {
  const std::scoped_lock lock(mutex_);
  return received_;
}

void FakeServer::serve() {
  for (std::size_t number = 0;; ++number) {
    tcp::socket socket(io_);
    error_code error;
    acceptor_.accept(socket, error);
    {
      const std::scoped_lock lock(mutex_);
      if (stopping_ || error) return;
    }
    if (!tls_) {
      serve_connection(socket, number);
      continue;
    }
    asio::ssl::stream<tcp::socket> stream(std::move(socket), context_);
    stream.handshake(asio::ssl::stream_base::server, error);
    if (!error) serve_connection(stream, number);
  }
}

template <class Stream>
void FakeServer::serve_connection(Stream& stream, std::size_t number) {
  std::string data;
  error_code error;
  while (true) {
    const auto head_size = asio::read_until(stream, asio::dynamic_buffer(data), "\r\n\r\n", error);
    if (error) return;
    auto received = parse_head(std::string_view(data).substr(0, head_size));
    received.connection = number;
    const auto length =
        received.headers.contains("content-length") ? std::stoul(received.headers["content-length"]) : 0;
    while (data.size() < head_size + length) {
      char more[4096];
      const auto count = stream.read_some(asio::buffer(more), error);
      if (error) return;
      data.append(more, count);
    }
    received.body = data.substr(head_size, length);
    data.erase(0, head_size + length);
    {
      const std::scoped_lock lock(mutex_);
      received_.push_back(received);
    }
    const auto answer = handler_(received);
    if (!answer) return;
    asio::write(stream, asio::buffer(to_wire(*answer)), error);
    if (error || answer->close_after) return;
  }
}

}  // namespace boruta::client

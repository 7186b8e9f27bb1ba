#pragma once

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/context.hpp>

#include <expected>
#include <filesystem>
#include <memory>
#include <string>

#include "base/secret.hpp"
#include "http/byte_stream.hpp"

/// HTTP over TLS 1.2 and 1.3. Errors are texts for people; they name the file.
namespace boruta::http {

/// What the server proves itself with: its certificate, those of the authorities between, and the key. PEM.
struct TlsIdentity {
  std::string chain;
  Secret key;
};

/// Reads both files and makes sure that they belong together. Blocks.
[[nodiscard]] std::expected<TlsIdentity, std::string> load_tls_identity(const std::filesystem::path& certificate,
                                                                        const std::filesystem::path& key);

/// When the certificate ends to be valid, for the log: "Nov 24 21:00:00 2027 GMT".
[[nodiscard]] std::string tls_valid_until(const TlsIdentity& identity);

using TlsContext = std::shared_ptr<asio::ssl::context>;

[[nodiscard]] std::expected<TlsContext, std::string> make_tls_context(const TlsIdentity& identity);

/// Shakes hands over `socket`. Null when the client cannot, which is nobody's business but its own. `context` is kept
/// as long as the stream. Obeys cancellation.
Task<std::unique_ptr<ByteStream>> accept_tls(asio::ip::tcp::socket socket, TlsContext context);

}  // namespace boruta::http

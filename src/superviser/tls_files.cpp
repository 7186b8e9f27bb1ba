#include "superviser/tls_files.hpp"

#include <fmt/format.h>
#include <grpcpp/security/server_credentials.h>
#include <grpcpp/security/tls_certificate_provider.h>
#include <grpcpp/security/tls_credentials_options.h>

#include <system_error>

#include "runtime/files.hpp"

namespace boruta::superviser {
namespace {

namespace fs = std::filesystem;

constexpr unsigned kLookEverySeconds = 1;
constexpr mode_t kOwnerOnly = 0600;
constexpr const char* kCurrent = "current";

std::unexpected<std::string> failed(const fs::path& path, const std::error_code& error) {
  return std::unexpected(fmt::format("{}: {}", path.string(), error.message()));
}

}  // namespace

/// gRPC must never see one's key with the other's certificate: each pair has a directory, and a link is turned.
std::expected<void, std::string> TlsFiles::install(std::string_view chain, std::string_view key) {
  std::error_code error;
  fs::create_directories(directory_, error);
  if (!error) fs::permissions(directory_, fs::perms::owner_all, error);
  if (error) return failed(directory_, error);
  const auto before = fs::read_symlink(directory_ / kCurrent, error);
  const auto* const name = !error && before == "a" ? "b" : "a";
  const auto folder = directory_ / name;
  fs::remove_all(folder, error);
  fs::create_directory(folder, error);
  if (error) return failed(folder, error);
  if (auto written = runtime::write_file_durably(folder / "key.pem", key, kOwnerOnly); !written) return written;
  if (auto written = runtime::write_file_durably(folder / "chain.pem", chain, kOwnerOnly); !written) return written;
  const auto next = directory_ / "next";
  fs::remove(next, error);
  fs::create_directory_symlink(name, next, error);
  if (!error) fs::rename(next, directory_ / kCurrent, error);
  if (error) return failed(next, error);
  return {};
}

std::shared_ptr<grpc::ServerCredentials> TlsFiles::credentials() const {
  namespace tls = grpc::experimental;
  const auto current = directory_ / kCurrent;
  auto provider = std::make_shared<tls::FileWatcherCertificateProvider>(
      (current / "key.pem").string(), (current / "chain.pem").string(), kLookEverySeconds);
  tls::TlsServerCredentialsOptions options(provider);
  options.watch_identity_key_cert_pairs();
  options.set_cert_request_type(GRPC_SSL_DONT_REQUEST_CLIENT_CERTIFICATE);
  return tls::TlsServerCredentials(options);
}

}  // namespace boruta::superviser

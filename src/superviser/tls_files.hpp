#pragma once

#include <expected>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>

namespace grpc {
class ServerCredentials;
}

namespace boruta::superviser {

/// The certificate that agents are shown, which can change while the server runs: gRPC reads it from files, so a copy
/// of the operator's is kept in a directory of its own, and replaced as a whole. Threads: one at a time. Errors are for
/// people. Blocks.
class TlsFiles {
 public:
  /// `directory` becomes this object's alone; only the present user can enter it.
  explicit TlsFiles(std::filesystem::path directory) : directory_(std::move(directory)) {}

  /// Agents that connect more than a second from now are shown `chain`. PEM; they belong together.
  std::expected<void, std::string> install(std::string_view chain, std::string_view key);
  /// TLS 1.2 and 1.3. REQUIRES: something was installed.
  [[nodiscard]] std::shared_ptr<grpc::ServerCredentials> credentials() const;

 private:
  std::filesystem::path directory_;
};

}  // namespace boruta::superviser

#pragma once

#include <expected>
#include <filesystem>
#include <memory>
#include <string>

#include "base/secret.hpp"
#include "dryad/access.hpp"
#include "dryad/access_key.hpp"
#include "dryad/config.hpp"
#include "dryad/grpc_link.hpp"

/// What the config asks for, made: for the daemon, and for who only looks.
namespace boruta::dryad {

/// The token in the first line of `file`; an empty path is no token. `warning` is set if others may read the file.
std::expected<Secret, std::string> read_token(const std::filesystem::path& file, std::string& warning);

/// The token in `text`, which is wiped, and which the error calls `source`.
std::expected<Secret, std::string> token_in(std::string text, const std::string& source);

/// Access by this process itself. `instance` marks the accounts of this worker.
[[nodiscard]] std::unique_ptr<Access> make_access(const Config& config, const std::string& instance, KeySource& keys);

/// How to reach `boruta`, with `token`. Empty `ca_file`: without TLS. Error: the file can't be read.
[[nodiscard]] std::expected<GrpcOptions, std::string> make_grpc_options(const HostPort& boruta, Secret token,
                                                                        const std::filesystem::path& ca_file);

}  // namespace boruta::dryad

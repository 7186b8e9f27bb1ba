#pragma once

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cstdio>
#include <fcntl.h>
#include <filesystem>
#include <string>
#include <sys/wait.h>

#include "dryad/access.hpp"
#include "dryad/files.hpp"

/// For tests: real logins.
namespace boruta::dryad {

struct SshResult {
  int code = -1;
  std::string out;
};

/// Logs in with the key in `key_file` and runs `command`; never asks anything.
inline SshResult ssh(const std::filesystem::path& key_file, const std::string& user, std::uint16_t port,
                     const std::string& command) {
  const auto line = fmt::format(
      "timeout 20 ssh -F none -i {} -p {} -o IdentitiesOnly=yes -o BatchMode=yes -o StrictHostKeyChecking=no "
      "-o UserKnownHostsFile=/dev/null -o LogLevel=ERROR -o ConnectTimeout=10 {}@127.0.0.1 '{}' 2>&1 </dev/null",
      key_file.native(), port, user, command);
  SshResult result;
  FILE* pipe = ::popen(line.c_str(), "r");
  if (pipe == nullptr) return result;
  char buffer[256];
  while (const auto got = std::fread(buffer, 1, sizeof buffer, pipe)) result.out.append(buffer, got);
  const int status = ::pclose(pipe);
  result.code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  return result;
}

inline std::filesystem::path keep_key(const std::filesystem::path& dir, const std::string& name, std::string_view pem) {
  const auto file = dir / name;
  EXPECT_TRUE(write_file_durably(file, pem, 0600).has_value());
  return file;
}

}  // namespace boruta::dryad

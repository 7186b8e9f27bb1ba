#pragma once

#include <filesystem>
#include <stdlib.h>  // NOLINT(modernize-deprecated-headers): mkdtemp is POSIX
#include <string>
#include <system_error>

#include "base/assert.hpp"

namespace boruta::store {

/// Test support: an empty directory that goes with the object. In memory where the system has a place for that: tests
/// can't see power fail, and would only wait for a slow disk.
class ScratchDirectory {
 public:
  ScratchDirectory() {
    const std::filesystem::path in_memory = "/dev/shm";
    const bool usable = ::access(in_memory.c_str(), W_OK) == 0;
    std::string pattern =
        ((usable ? in_memory : std::filesystem::temp_directory_path()) / "boruta-store-XXXXXX").string();
    BORUTA_ASSERT(::mkdtemp(pattern.data()) != nullptr);
    path_ = pattern;
  }
  ScratchDirectory(const ScratchDirectory&) = delete;
  ScratchDirectory& operator=(const ScratchDirectory&) = delete;
  ~ScratchDirectory() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }

  [[nodiscard]] const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

}  // namespace boruta::store

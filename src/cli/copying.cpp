#include "cli/copying.hpp"

#include <fmt/format.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <unistd.h>

#include "cli/text.hpp"

namespace boruta::cli {
namespace fs = std::filesystem;

Measured measure(const std::vector<std::string>& paths) {
  Measured sum;
  const auto count = [&sum](const fs::path& path) {
    std::error_code error;
    const auto size = fs::file_size(path, error);
    if (error) return;
    ++sum.files;
    sum.bytes += size;
  };
  for (const auto& path : paths) {
    std::error_code error;
    if (!fs::is_directory(path, error)) {
      count(path);
      continue;
    }
    auto entry = fs::recursive_directory_iterator(path, fs::directory_options::skip_permission_denied, error);
    for (; !error && entry != fs::recursive_directory_iterator(); entry.increment(error)) {
      if (entry->is_regular_file(error)) count(entry->path());
    }
  }
  return sum;
}

std::optional<std::string> check_put(const std::string& path) {
  if (::access(path.c_str(), R_OK) == 0) return std::nullopt;
  auto message = fmt::format("--put {}: {}", printable(path), std::strerror(errno));
  if (errno == ENOENT && path.find('=') != std::string::npos) message += "; KEY=VALUE goes before --put";
  return message;
}

std::string local_operand(const std::string& path) {
  const fs::path written(path);
  const auto name = written.filename().empty() ? written.parent_path().filename() : written.filename();
  if (name == "." || name == "..") {
    std::error_code error;
    const auto whole = fs::canonical(written, error);
    if (!error) return whole.native();
  }
  return path.starts_with('/') ? path : "./" + path;
}

}  // namespace boruta::cli

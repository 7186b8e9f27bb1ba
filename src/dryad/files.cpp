#include "dryad/files.hpp"

#include <fmt/format.h>

#include <cerrno>
#include <fcntl.h>
#include <sys/stat.h>
#include <system_error>
#include <unistd.h>

namespace boruta::dryad {

std::expected<void, std::string> make_directories(const std::filesystem::path& path, mode_t mode) {
  std::error_code error;
  if (path.has_parent_path()) std::filesystem::create_directories(path.parent_path(), error);
  if (error) return std::unexpected(errno_text(path.parent_path(), error.value()));
  if (::mkdir(path.c_str(), mode) == 0) {
    // Not what the umask leaves of it.
    return ::chmod(path.c_str(), mode) == 0 ? std::expected<void, std::string>{}
                                            : std::unexpected(errno_text(path, errno));
  }
  if (errno != EEXIST) return std::unexpected(errno_text(path, errno));
  if (!std::filesystem::is_directory(path, error)) return std::unexpected(errno_text(path, ENOTDIR));
  return {};
}

}  // namespace boruta::dryad

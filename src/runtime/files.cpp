#include "runtime/files.hpp"

#include <fmt/format.h>

#include <cerrno>
#include <fcntl.h>
#include <sys/stat.h>
#include <system_error>
#include <unistd.h>

#include "runtime/descriptor.hpp"

namespace boruta::runtime {
namespace {

bool write_all(int fd, std::string_view content) {
  while (!content.empty()) {
    const ssize_t written = ::write(fd, content.data(), content.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return false;
    content.remove_prefix(static_cast<std::size_t>(written));
  }
  return true;
}

}  // namespace

std::string errno_text(const std::filesystem::path& path, int error) {
  return fmt::format("{}: {}", path.native(), std::generic_category().message(error));
}

std::expected<std::string, std::string> read_file(const std::filesystem::path& path, std::size_t limit, LastLink link) {
  const int no_link = link == LastLink::kRefused ? O_NOFOLLOW : 0;
  const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | no_link));
  if (!file.valid()) return std::unexpected(errno_text(path, errno));
  struct stat info{};
  if (::fstat(file.get(), &info) != 0) return std::unexpected(errno_text(path, errno));
  if (!S_ISREG(info.st_mode)) return std::unexpected(fmt::format("{}: not a regular file", path.native()));
  std::string content;
  char buffer[4096];
  for (;;) {
    const ssize_t got = ::read(file.get(), buffer, sizeof buffer);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return std::unexpected(errno_text(path, errno));
    if (got == 0) return content;
    content.append(buffer, static_cast<std::size_t>(got));
    if (content.size() > limit) {
      return std::unexpected(fmt::format("{}: larger than {} bytes", path.native(), limit));
    }
  }
}

std::expected<void, std::string> write_file_durably(const std::filesystem::path& path, std::string_view content,
                                                    mode_t mode) {
  const std::filesystem::path temporary = path.native() + ".new";
  {
    const Descriptor file(::open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, mode));
    if (!file.valid()) return std::unexpected(errno_text(temporary, errno));
    // The file may be left from a crash, and the umask cuts bits: the mode is set, not only asked for.
    if (::fchmod(file.get(), mode) != 0 || !write_all(file.get(), content) || ::fsync(file.get()) != 0) {
      return std::unexpected(errno_text(temporary, errno));
    }
  }
  if (::rename(temporary.c_str(), path.c_str()) != 0) return std::unexpected(errno_text(path, errno));
  const std::filesystem::path parent = path.has_parent_path() ? path.parent_path() : ".";
  const Descriptor directory(::open(parent.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!directory.valid() || ::fsync(directory.get()) != 0) return std::unexpected(errno_text(parent, errno));
  return {};
}

}  // namespace boruta::runtime

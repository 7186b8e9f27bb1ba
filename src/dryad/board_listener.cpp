#include "dryad/board_listener.hpp"

#include <fmt/format.h>

#include <cerrno>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "dryad/files.hpp"

namespace boruta::dryad {
namespace {

/// Who may connect; who is served is another question.
constexpr mode_t kForAll = 0666;
constexpr mode_t kDirectoryMode = 0755;

runtime::Descriptor make_socket() { return runtime::Descriptor(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)); }

/// Whether somebody listens at `address`.
bool is_taken(const sockaddr_un& address) {
  const auto probe = make_socket();
  return ::connect(probe.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
}

}  // namespace

std::expected<runtime::Descriptor, std::string> listen_at(const std::filesystem::path& path) {
  constexpr std::size_t kLongest = sizeof(sockaddr_un::sun_path) - 1;
  const auto& name = path.native();
  if (name.size() > kLongest) {
    return std::unexpected(fmt::format("{}: {} bytes, and the path of a socket has {} at most: set board.socket", name,
                                       name.size(), kLongest));
  }
  if (auto made = make_directories(path.parent_path(), kDirectoryMode); !made) return std::unexpected(made.error());
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  name.copy(address.sun_path, kLongest);
  if (is_taken(address)) {
    return std::unexpected(fmt::format("{}: another program listens there: set board.socket to another path", name));
  }
  struct stat old{};
  if (::lstat(name.c_str(), &old) == 0 && S_ISSOCK(old.st_mode)) ::unlink(name.c_str());
  auto socket = make_socket();
  if (::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 ||
      ::chmod(name.c_str(), kForAll) != 0 || ::listen(socket.get(), SOMAXCONN) != 0) {
    return std::unexpected(errno_text(path, errno));
  }
  return socket;
}

}  // namespace boruta::dryad

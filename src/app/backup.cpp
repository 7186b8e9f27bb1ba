#include "app/backup.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/read_until.hpp>
#include <fmt/format.h>

#include <cerrno>
#include <fcntl.h>
#include <string_view>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <system_error>
#include <unistd.h>
#include <utility>

#include "app/backup_socket.hpp"
#include "runtime/descriptor.hpp"
#include "runtime/files.hpp"
#include "runtime/task.hpp"
#include "store/sqlite_backup.hpp"

namespace boruta::app {
namespace {

using asio::local::stream_protocol;

constexpr mode_t kOwnerOnly = 0600;

std::unexpected<std::string> failed(const std::filesystem::path& path) {
  return std::unexpected(runtime::errno_text(path, errno));
}

/// All that `from` holds goes to the end of `to`, and onto the disk.
bool copy_bytes(int from, int to) {
  constexpr std::size_t kMost = std::size_t{1} << 24U;
  ssize_t moved = 1;
  while (moved > 0) {
    moved = ::sendfile(to, from, nullptr, kMost);
    if (moved < 0 && errno == EINTR) moved = 1;
  }
  return moved == 0 && ::fsync(to) == 0;
}

std::expected<void, std::string> sync_directory_of(const std::filesystem::path& file) {
  const std::filesystem::path parent = file.has_parent_path() ? file.parent_path() : ".";
  const runtime::Descriptor directory(::open(parent.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!directory.valid() || ::fsync(directory.get()) != 0) return failed(parent);
  return {};
}

/// `link` refuses a name that is taken meanwhile, which `rename` would not.
std::expected<void, std::string> publish(const std::filesystem::path& copy, const std::filesystem::path& file) {
  const std::filesystem::path partial = file.native() + ".partial";
  ::unlink(partial.c_str());
  const runtime::Descriptor from(::open(copy.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  if (!from.valid()) return failed(copy);
  const runtime::Descriptor to(::open(partial.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, kOwnerOnly));
  if (!to.valid()) return failed(partial);
  const bool named = copy_bytes(from.get(), to.get()) && ::link(partial.c_str(), file.c_str()) == 0;
  auto outcome = named ? std::expected<void, std::string>{} : failed(file);
  ::unlink(partial.c_str());
  return outcome ? sync_directory_of(file) : outcome;
}

/// Has the running server make its copy, and takes it before the connection closes.
std::expected<void, std::string> ask_server(const std::filesystem::path& data_dir, const std::filesystem::path& file) {
  asio::io_context context;
  stream_protocol::socket socket(context);
  boost::system::error_code error;
  const auto path = data_dir / kBackupSocket;
  socket.connect(stream_protocol::endpoint(path.native()), error);
  if (error) {
    return std::unexpected(
        fmt::format("{}: {}: the server that runs there takes no orders for backups, its log says "
                    "why; or stop it first",
                    path.native(), error.message()));
  }
  std::string line;
  asio::read_until(socket, asio::dynamic_buffer(line), '\n', error);
  if (error) return std::unexpected("the server ended before the backup was complete: try again");
  line.pop_back();
  if (line != "ok") {
    constexpr std::string_view kFailed = "failed ";
    return std::unexpected(line.starts_with(kFailed) ? line.substr(kFailed.size()) : line);
  }
  return publish(data_dir / kBackupCopy, file);
}

}  // namespace

std::expected<void, std::string> make_backup(const std::filesystem::path& data_dir, const std::filesystem::path& file) {
  ::umask(077);
  struct stat found{};
  if (::lstat(file.c_str(), &found) == 0) {
    return std::unexpected(fmt::format("{} is there already: name another file, or remove it", file.native()));
  }
  if (::stat((data_dir / "boruta.db").c_str(), &found) != 0) {
    const auto why = runtime::errno_text(data_dir / "boruta.db", errno);
    return std::unexpected(fmt::format("{}: name the server's data directory with --data-dir or --config", why));
  }
  const auto copy = data_dir / kBackupCopy;
  const auto copied = store::copy_journal(data_dir, copy);
  if (!copied && copied.error().code == store::StoreErrorCode::kFenced) return ask_server(data_dir, file);
  if (!copied) return std::unexpected(copied.error().message);
  auto published = publish(copy, file);
  ::unlink(copy.c_str());
  return published;
}

}  // namespace boruta::app

#include <fmt/format.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <exception>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <thread>
#include <unistd.h>

#include "dryad/account_access.hpp"
#include "dryad/account_setup.hpp"
#include "dryad/board_listener.hpp"
#include "dryad/config_file.hpp"
#include "dryad/exit_codes.hpp"
#include "dryad/files.hpp"
#include "dryad/instance.hpp"
#include "dryad/root_desk.hpp"
#include "dryad/root_program.hpp"
#include "dryad/serial_port.hpp"
#include "runtime/log.hpp"

namespace {

using namespace boruta;
using namespace boruta::dryad;

/// For one before us to finish what its agent left it with.
constexpr std::chrono::seconds kPredecessorWithin{60};
constexpr std::chrono::milliseconds kPredecessorPause{20};

int fail(int exit_code, const std::string& text) {
  runtime::log_error("dryad-root: " + text);
  return exit_code;
}

/// One at a time touches accounts, also when an agent was killed and its successor is quick. Held until we end.
std::expected<runtime::Descriptor, std::string> wait_for_predecessor(const std::filesystem::path& state_dir) {
  const auto path = state_dir / "root.lock";
  runtime::Descriptor lock(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
  const auto deadline = std::chrono::steady_clock::now() + kPredecessorWithin;
  while (lock.valid() && ::flock(lock.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK) return std::unexpected(errno_text(path, errno));
    if (std::chrono::steady_clock::now() > deadline) {
      return std::unexpected(fmt::format("{}: the dryad-root of an earlier dryad still works after {} s", path.native(),
                                         kPredecessorWithin.count()));
    }
    std::this_thread::sleep_for(kPredecessorPause);
  }
  if (!lock.valid()) return std::unexpected(errno_text(path, errno));
  return lock;
}

std::expected<runtime::Descriptor, std::string> open_console(const BoardOptions& board) {
  auto line = SerialPort::open(board.console, board.console_baud);
  if (!line) return std::unexpected(line.error());
  return runtime::Descriptor(line->release());
}

bool is_socket(int fd) {
  struct stat info{};
  return ::fstat(fd, &info) == 0 && S_ISSOCK(info.st_mode);
}

int serve(const Config& config, const std::filesystem::path& config_file, const std::string& instance) {
  root::GivenKey key;
  AccountAccess access(account_options(config, instance), key);
  const auto board = make_board(config.board);
  if (!board) return fail(kExitConfig, board.error());
  root::Desk desk({.access = &access,
                   .board = board->get(),
                   .key = &key,
                   .open_console = [&] { return open_console(config.board); },
                   .listen_for_users = [&] { return listen_at(board_socket_of(config)); },
                   .read_config = [&] { return read_config_text(config_file); }});
  std::thread beside([&] {
    if (auto served = desk.serve_beside(root::kBesideSocket); !served) {
      runtime::log_error("dryad-root: the agent sent " + served.error());
    }
  });
  const auto served = desk.serve_work(root::kWorkSocket);
  if (!served) runtime::log_error("dryad-root: the agent sent " + served.error());
  ::shutdown(root::kBesideSocket, SHUT_RDWR);
  beside.join();
  std::error_code unremoved;
  std::filesystem::remove(board_socket_of(config), unremoved);
  return served ? kExitOk : kExitFault;
}

}  // namespace

/// The part of dryad that stays root, started by dryad alone.
int main(int argc, char** argv) {
  try {
    if (argc != 3 || !is_socket(root::kWorkSocket) || !is_socket(root::kBesideSocket)) {
      (void)std::fprintf(stderr, "dryad-root: the part of dryad that needs root; dryad starts it by itself\n");
      return kExitUsage;
    }
    (void)std::signal(SIGPIPE, SIG_IGN);
    const std::filesystem::path state_dir = argv[2];
    Options options{.config = argv[1]};
    options.state_dir = state_dir;
    const auto file = load_config(options);
    const bool json = file && file->config.log_format == ConfigLogFormat::kJson;
    runtime::start_log(runtime::LogLevel::kInfo, json ? runtime::LogFormat::kJson : runtime::LogFormat::kText);
    if (!file) return fail(kExitConfig, file.error().front());
    const auto lock = wait_for_predecessor(state_dir);
    if (!lock) return fail(kExitFault, lock.error());
    const auto instance = read_instance(state_dir);
    if (!instance) return fail(kExitFault, instance.error());
    if (!*instance) return fail(kExitFault, instance_file(state_dir).native() + " is missing: dryad makes it");
    return serve(file->config, options.config, **instance);
  } catch (const std::exception& error) {
    (void)std::fprintf(stderr, "dryad-root: %s\n", error.what());
    return kExitFault;
  }
}

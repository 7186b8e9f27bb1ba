#include "dryad/root_link.hpp"

#include <fmt/format.h>

#include <cerrno>
#include <csignal>
#include <fcntl.h>
#include <spawn.h>
#include <string_view>
#include <sys/socket.h>
#include <sys/wait.h>
#include <system_error>
#include <unistd.h>
#include <utility>

#include "dryad/root_channel.hpp"
#include "dryad/root_program.hpp"

namespace boruta::dryad {
namespace {

using root::Answer;

struct Ends {
  runtime::Descriptor ours;
  runtime::Descriptor theirs;
};

/// Above what the child's are to be, so that none is in another's place.
constexpr int kClearOfThem = 16;

runtime::Descriptor lift(int fd) {
  runtime::Descriptor low(fd);
  return runtime::Descriptor(::fcntl(low.get(), F_DUPFD_CLOEXEC, kClearOfThem));
}

std::expected<Ends, std::string> make_ends() {
  int fds[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) != 0) {
    return std::unexpected(std::generic_category().message(errno));
  }
  Ends ends{.ours = lift(fds[0]), .theirs = lift(fds[1])};
  if (!ends.ours.valid() || !ends.theirs.valid()) return std::unexpected("no free descriptors");
  return ends;
}

/// The sockets and its standard files are all that it inherits; a Ctrl-C is for us alone.
int spawn(pid_t& pid, const std::filesystem::path& program, std::vector<std::string> words, int work, int beside,
          int lifeline) {
  posix_spawn_file_actions_t files;
  posix_spawnattr_t attributes;
  posix_spawn_file_actions_init(&files);
  posix_spawnattr_init(&attributes);
  posix_spawn_file_actions_addopen(&files, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_adddup2(&files, work, root::kWorkSocket);
  posix_spawn_file_actions_adddup2(&files, beside, root::kBesideSocket);
  posix_spawn_file_actions_adddup2(&files, lifeline, root::kLifeline);
  posix_spawn_file_actions_addclosefrom_np(&files, root::kLifeline + 1);
  sigset_t all;
  sigset_t none;
  sigfillset(&all);
  sigemptyset(&none);
  posix_spawnattr_setsigdefault(&attributes, &all);
  posix_spawnattr_setsigmask(&attributes, &none);
  posix_spawnattr_setpgroup(&attributes, 0);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETPGROUP);
  std::vector<char*> argv;
  for (auto& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  const int error = ::posix_spawn(&pid, program.c_str(), &files, &attributes, argv.data(), environ);
  posix_spawn_file_actions_destroy(&files);
  posix_spawnattr_destroy(&attributes);
  return error;
}

RootLink::Handed failure(std::string text) {
  return {.answer = {.outcome = root::Outcome::kFailed, .text = std::move(text)}, .descriptor = {}};
}

RootLink::Handed exchange(int socket, std::string_view bytes) {
  constexpr const char* kEnded = "dryad-root has ended; its last lines in the log say why";
  if (!root::send_frame(socket, bytes)) return failure(kEnded);
  auto frame = root::receive_frame(socket, root::kAnswerBytes);
  if (!frame) return failure("dryad-root sent " + frame.error());
  if (!*frame) return failure(kEnded);
  auto answer = root::parse_answer((*frame)->bytes);
  if (!answer) return failure("dryad-root sent " + answer.error());
  return {.answer = *std::move(answer), .descriptor = std::move((*frame)->descriptor)};
}

}  // namespace

std::expected<std::unique_ptr<RootLink>, std::string> RootLink::start(const std::filesystem::path& config,
                                                                      const std::filesystem::path& state_dir) {
  auto work = make_ends();
  auto beside = make_ends();
  auto lifeline = make_ends();
  for (const auto* ends : {&work, &beside, &lifeline}) {
    if (!*ends) return std::unexpected(ends->error());
  }
  std::error_code error;
  const auto program = std::filesystem::read_symlink("/proc/self/exe", error).parent_path() / root::kProgram;
  pid_t pid = -1;
  const int failure = spawn(pid, program, {root::kProgram, std::filesystem::absolute(config), state_dir},
                            work->theirs.get(), beside->theirs.get(), lifeline->theirs.get());
  if (failure != 0) {
    return std::unexpected(fmt::format("{}: {}: it is installed beside dryad, and does what needs root",
                                       program.native(), std::generic_category().message(failure)));
  }
  return std::unique_ptr<RootLink>(
      new RootLink(pid, std::move(work->ours), std::move(beside->ours), std::move(lifeline->ours)));
}

RootLink::~RootLink() {
  work_ = runtime::Descriptor();
  beside_ = runtime::Descriptor();
  while (::waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) {
  }
}

Answer RootLink::ask(const root::Request& request, const std::stop_token& stop) {
  const std::scoped_lock lock(work_mutex_);
  const auto bytes = encode(request);
  // Not sent, it has no number there.
  if (bytes.size() > root::kRequestBytes) {
    return failure(
               fmt::format("{} bytes are more than the {} that dryad-root takes", bytes.size(), root::kRequestBytes))
        .answer;
  }
  const auto number = ++asked_;
  const std::stop_callback cancel(stop, [this, number] { ask_beside(root::Cancel{.number = number}); });
  return exchange(work_.get(), bytes).answer;
}

RootLink::Handed RootLink::ask_beside(const root::Request& request) {
  const std::scoped_lock lock(beside_mutex_);
  return exchange(beside_.get(), encode(request));
}

}  // namespace boruta::dryad

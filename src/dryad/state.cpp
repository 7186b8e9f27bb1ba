#include "dryad/state.hpp"

#include <boost/json.hpp>
#include <fmt/format.h>

#include <cerrno>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>
#include <utility>

#include "dryad/files.hpp"
#include "dryad/random_text.hpp"

namespace boruta::dryad {
namespace {

namespace json = boost::json;
using std::chrono::duration_cast;
using std::chrono::microseconds;

constexpr std::size_t kStateFileBytes = std::size_t{64} * 1024;
constexpr std::size_t kInstanceBytes = 16;

std::string to_json(const AgentState& state) {
  json::object object;
  object["instance"] = state.instance;
  object["generation"] = state.generation.value;
  object["prepared"] = state.prepared;
  object["job"] = state.job ? state.job->value : 0;
  object["job_end_us"] = duration_cast<microseconds>(state.job_end.time_since_epoch()).count();
  object["lost_grace_ms"] = state.lost_grace.count();
  object["ending"] = state.ending;
  return json::serialize(object) + "\n";
}

/// Throws what Boost.JSON throws for missing members and wrong types.
AgentState from_json(const std::string& text) {
  const json::value value = json::parse(text);
  const auto& object = value.as_object();
  AgentState state;
  state.instance = json::value_to<std::string>(object.at("instance"));
  state.generation = Generation{object.at("generation").to_number<std::uint64_t>()};
  state.prepared = object.at("prepared").as_bool();
  const auto job = object.at("job").to_number<std::uint64_t>();
  if (job != 0) state.job = RequestId{job};
  state.job_end = Instant(microseconds(object.at("job_end_us").to_number<std::int64_t>()));
  state.lost_grace = std::chrono::milliseconds(object.at("lost_grace_ms").to_number<std::int64_t>());
  state.ending = object.at("ending").as_bool();
  return state;
}

}  // namespace

std::expected<void, std::string> MemoryStateStore::save(const AgentState& state) {
  state_ = state;
  return {};
}

std::expected<std::optional<AgentState>, std::string> FileStateStore::load() const {
  if (std::error_code ignored; !std::filesystem::exists(file_, ignored)) return std::optional<AgentState>();
  // Root looks at the state of an agent that has no rights, which must not have it open anything else.
  const auto text = read_file(file_, kStateFileBytes, runtime::LastLink::kRefused);
  if (!text) return std::unexpected(text.error());
  try {
    return from_json(*text);
  } catch (const std::exception& error) {
    return std::unexpected(
        fmt::format("{}: not a state file of dryad ({}); if no job is on this worker, remove it and start again",
                    file_.native(), error.what()));
  }
}

std::expected<AgentState, std::string> FileStateStore::load_or_make() {
  auto known = load();
  if (!known) return std::unexpected(known.error());
  if (*known) return **std::move(known);
  AgentState fresh{.instance = random_hex(kInstanceBytes)};
  if (auto saved = save(fresh); !saved) return std::unexpected(saved.error());
  return fresh;
}

std::expected<void, std::string> FileStateStore::save(const AgentState& state) {
  return write_file_durably(file_, to_json(state), 0600);
}

std::expected<StateDirLock, std::string> StateDirLock::take(const std::filesystem::path& dir) {
  if (auto made = make_directories(dir, 0700); !made) return std::unexpected(made.error());
  struct stat info{};
  if (::stat(dir.c_str(), &info) != 0) return std::unexpected(errno_text(dir, errno));
  if (info.st_uid != ::geteuid() || (info.st_mode & (S_IWGRP | S_IWOTH)) != 0) {
    return std::unexpected(fmt::format(
        "{}: a state directory must belong to who runs dryad, and be writable by nobody else", dir.native()));
  }
  const auto path = dir / "lock";
  const int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (fd < 0) return std::unexpected(errno_text(path, errno));
  if (::flock(fd, LOCK_EX | LOCK_NB) != 0) {
    const int error = errno;
    ::close(fd);
    if (error != EWOULDBLOCK) return std::unexpected(errno_text(path, error));
    return std::unexpected(fmt::format("{}: another dryad uses this state directory", dir.native()));
  }
  return StateDirLock(fd);
}

bool StateDirLock::is_taken(const std::filesystem::path& dir) {
  const int fd = ::open((dir / "lock").c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
  if (fd < 0) return false;
  // Shared, so that two who only look don't see each other; a dryad that starts just now would be refused by it.
  const bool taken = ::flock(fd, LOCK_SH | LOCK_NB) != 0 && errno == EWOULDBLOCK;
  ::close(fd);
  return taken;
}

StateDirLock::StateDirLock(StateDirLock&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}

StateDirLock::~StateDirLock() {
  if (fd_ >= 0) ::close(fd_);
}

}  // namespace boruta::dryad

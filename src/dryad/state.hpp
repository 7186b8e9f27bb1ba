#pragma once

#include <chrono>
#include <expected>
#include <filesystem>
#include <optional>
#include <string>

#include "base/ids.hpp"
#include "base/instant.hpp"

namespace boruta::dryad {

/// Until a server says otherwise.
inline constexpr std::chrono::milliseconds kDefaultLostGrace = std::chrono::minutes(10);

/// What an agent must know again after it was killed.
struct AgentState {
  /// Drawn once: tells this agent, over its restarts, from another that claims the same UUID.
  std::string instance;
  /// Highest generation obeyed.
  Generation generation;
  /// The account of the last Prepare stands ready, or a job is on it.
  bool prepared = false;
  std::optional<RequestId> job;
  /// When `job` ends unless it is prolonged, in wall time, which is the only one that survives a reboot.
  Instant job_end{};
  /// Cut off for so long past `job_end`, the agent ends the job by itself.
  std::chrono::milliseconds lost_grace = kDefaultLostGrace;
  /// A job's user may still be on the worker, and must be removed.
  bool ending = false;

  friend bool operator==(const AgentState&, const AgentState&) = default;
};

/// Keeps an agent's state. Thread: the session's.
class StateStore {
 public:
  virtual ~StateStore() = default;

  /// Returns once `state` would survive a loss of power; otherwise why not, and the old state stays. Blocks.
  virtual std::expected<void, std::string> save(const AgentState& state) = 0;
};

/// Forgets everything with the process: simulated workers and tests.
class MemoryStateStore final : public StateStore {
 public:
  std::expected<void, std::string> save(const AgentState& state) override;
  [[nodiscard]] const AgentState& saved() const { return state_; }

 private:
  AgentState state_;
};

/// One JSON file, replaced atomically.
class FileStateStore final : public StateStore {
 public:
  explicit FileStateStore(std::filesystem::path file) : file_(std::move(file)) {}

  /// What was saved last; nothing where there is no file. A file that can't be read or understood is an error: to
  /// begin anew would forget that a job is on.
  [[nodiscard]] std::expected<std::optional<AgentState>, std::string> load() const;
  /// The same, but where there is no file a new state with a random instance is made and saved.
  std::expected<AgentState, std::string> load_or_make();
  std::expected<void, std::string> save(const AgentState& state) override;

 private:
  std::filesystem::path file_;
};

/// A state directory belongs to one dryad at a time. Holds it until destroyed.
class StateDirLock {
 public:
  /// Makes the directory (0700) where it is missing; one that others may write to is refused. Errors name the
  /// directory and what is wrong with it.
  static std::expected<StateDirLock, std::string> take(const std::filesystem::path& dir);

  /// Whether a dryad holds `dir` now. Changes nothing.
  [[nodiscard]] static bool is_taken(const std::filesystem::path& dir);

  StateDirLock(StateDirLock&& other) noexcept;
  StateDirLock& operator=(StateDirLock&&) = delete;
  ~StateDirLock();

 private:
  explicit StateDirLock(int fd) : fd_(fd) {}
  int fd_;
};

}  // namespace boruta::dryad

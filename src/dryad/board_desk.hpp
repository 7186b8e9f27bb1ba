#pragma once

#include <expected>
#include <functional>
#include <list>
#include <memory>
#include <optional>
#include <string>

#include "base/agent_messages.hpp"
#include "dryad/console.hpp"
#include "dryad/runner.hpp"
#include "runtime/clock.hpp"
#include "runtime/task.hpp"

namespace boruta::dryad {

/// What a job's user may have waiting at the board, the one under way included.
inline constexpr std::size_t kBoardQueue = 4;

/// Has done at the board what the running job's user asks for, whichever way it is asked: one thing after another, each
/// for `kBoardActionWithin` at most, and only while the job runs.
/// Thread: the executor. Stop: `close`; it must outlive `join`.
class BoardDesk {
 public:
  using Done = std::function<void(agent::BoardResult)>;

  /// All must outlive this. `console` null: the board has none.
  BoardDesk(asio::any_io_executor executor, runtime::Clock* clock, OperationRunner* runner, Console* console = nullptr);
  BoardDesk(const BoardDesk&) = delete;
  BoardDesk& operator=(const BoardDesk&) = delete;

  /// `done` is called once: with how it ended, or why it was refused; from within `act` where nothing is tried. Once
  /// the desk is closed it may never be.
  void act(agent::BoardAction action, Done done);
  /// A job has begun, or (nothing) ended, which ends what was asked for during the one before it.
  void serve(std::optional<RequestId> job);
  [[nodiscard]] bool serving() const { return serving_; }
  /// Null: the board has none.
  [[nodiscard]] Console* console() const { return console_; }
  /// What the console printed during a job, also after it ended. Error: why there is nothing, for people.
  [[nodiscard]] std::expected<std::string, std::string> console_log(RequestId job) const;
  /// Ends what is under way, and takes no more.
  void close();
  /// Returns when nobody is timed any more.
  Task<void> join();

 private:
  struct Use {
    std::stop_source stop;
    std::unique_ptr<runtime::Timer> limit;
    Done done;
    bool late = false;
    bool over = false;
  };

  Task<void> keep_limit(std::shared_ptr<Use> use);
  void finished(const std::shared_ptr<Use>& use, agent::BoardResult result);
  void end_all();

  asio::any_io_executor executor_;
  runtime::Clock& clock_;
  OperationRunner& runner_;
  Console* console_;
  std::list<std::shared_ptr<Use>> uses_;
  bool serving_ = false;
  bool closed_ = false;
  runtime::TaskGroup tasks_;
};

}  // namespace boruta::dryad

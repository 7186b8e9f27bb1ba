#pragma once

#include <boost/asio/steady_timer.hpp>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/requirements.hpp"
#include "cli/interrupts.hpp"
#include "cli/job_session.hpp"
#include "cli/progress.hpp"
#include "cli/session.hpp"
#include "runtime/task.hpp"

namespace boruta::cli {

struct RunOptions {
  Demand demand;
  unsigned priority = 8;
  Duration lease = std::chrono::minutes(2);
  /// How long to wait for a worker; for ever when nothing.
  std::optional<Duration> timeout;
  bool wait_for_worker = false;
  /// How often it is filed again, for another worker, when the worker failed.
  unsigned retries = 0;
  bool quiet = false;
  JobWork work;
};

/// `boruta run` from filing the request to closing it, which it does whatever happens in between.
/// Thread: the session's executor.
class RunSession {
 public:
  RunSession(Session* session, RunOptions options);

  /// Returns the exit code. Throws CliError only while there is no request yet.
  Task<int> run();

 private:
  Task<Verdict> live_through();
  Task<Verdict> live_through_one();
  /// Makes ready for another try that avoids the worker that failed; false if that is not known.
  Task<bool> start_anew(std::string why, unsigned attempt);
  Task<void> file();
  [[nodiscard]] client::NewRequest wanted() const;
  Task<std::optional<Verdict>> await_access();
  Task<void> acquire();
  Task<void> watch();
  Task<std::string> worker_name();
  Task<void> close();
  void refused(const client::ApiError& error);
  void update(client::RequestInfo request);
  void draw();
  void summarize(const Verdict& verdict);
  [[nodiscard]] Verdict verdict_of(ExitCode code, std::string message) const;
  [[nodiscard]] std::string title() const;

  Session* session_;
  RunOptions options_;
  runtime::Signal changed_;
  Interrupts interrupts_;
  LiveLine live_;
  std::unique_ptr<client::Client> control_;
  std::unique_ptr<client::Client> acquirer_;
  std::unique_ptr<client::Client> watcher_;
  asio::steady_timer acquire_timer_;
  asio::steady_timer watch_timer_;

  std::optional<RequestId> id_;
  Instant filed_{};
  std::vector<client::WorkerInfo> workers_;
  std::optional<client::ExplanationInfo> explanation_;
  WaitStatus status_;
  std::optional<client::RequestInfo> request_;
  std::optional<client::AccessInfo> access_;
  /// Why waiting is over without access.
  std::optional<Verdict> over_;
  /// Since when the server cannot be reached.
  std::optional<Instant> away_since_;
  bool waiting_ = false;
  std::optional<Duration> command_time_;
  /// Why the request could not be closed; empty when it could.
  std::string not_closed_;
};

}  // namespace boruta::cli

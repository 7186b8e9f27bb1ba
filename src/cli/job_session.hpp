#pragma once

#include <boost/asio/steady_timer.hpp>

#include <optional>
#include <string>
#include <vector>

#include "cli/interrupts.hpp"
#include "cli/process.hpp"
#include "cli/progress.hpp"
#include "cli/run_outcome.hpp"
#include "cli/session.hpp"
#include "cli/ssh_files.hpp"
#include "runtime/task.hpp"

namespace boruta::cli {

/// What is done with a worker once there is access to it.
struct JobWork {
  /// Copied to where a login starts, before the command.
  std::vector<std::string> put;
  /// Copied from there to the current folder, after the command, whatever came of it.
  std::vector<std::string> get;
  /// Empty: an interactive shell.
  std::vector<std::string> command;
  /// The command runs here, and is told how to reach the worker.
  bool local = false;
  /// Says on which worker it starts.
  bool announce = true;
};

/// A started job in use: keeps the lease, logs in, copies, runs the command. Does not close the request.
/// Thread: the session's executor.
class JobSession {
 public:
  struct Job {
    RequestId id;
    std::string worker_name;
    /// How far one prolongation reaches.
    Duration lease{};
  };

  JobSession(Session* session, Interrupts* interrupts, LiveLine* live, Job job, JobWork work);

  /// To the end of the command and of what is copied out. Only a bug throws.
  Task<Verdict> run(client::AccessInfo access);

  /// How long the command ran; nothing when it never started.
  [[nodiscard]] std::optional<Duration> command_time() const { return command_time_; }

 private:
  Task<Verdict> work();
  Task<std::optional<Verdict>> copy_in();
  Task<std::optional<Verdict>> copy_out();
  Task<Verdict> run_command();
  Task<std::optional<ChildEnd>> run_program(Program program);
  Task<void> show_copying(std::string text);
  Task<void> ask_what_became();
  /// Whether ssh may have refused the worker's host key, and if so says it in place of `verdict`'s message.
  Task<void> look_at_host_key(Verdict* verdict);
  Task<void> end_cut_off_child();
  [[nodiscard]] Program command_program() const;
  [[nodiscard]] Program copy_program() const;
  [[nodiscard]] RunFacts facts_of(ChildEnd end, bool over_ssh) const;
  Task<Verdict> judge_copy(std::optional<ChildEnd> end, std::string what);
  void job_lost(const client::RequestInfo& request);

  Session* session_;
  Interrupts* interrupts_;
  LiveLine* live_;
  Job job_;
  JobWork work_;
  runtime::TaskGroup tasks_;
  asio::steady_timer ticker_;
  asio::steady_timer patience_;
  std::optional<SshFiles> files_;
  std::vector<std::string> host_keys_;
  const Child* child_ = nullptr;
  /// What the request says after something went wrong.
  std::optional<client::RequestInfo> became_;
  std::string copied_in_;
  bool copying_ = false;
  std::string program_error_;
  std::optional<Duration> command_time_;
};

}  // namespace boruta::cli

#pragma once

#include <boost/asio/any_io_executor.hpp>

#include <memory>
#include <optional>
#include <random>
#include <stop_token>
#include <string>

#include "dryad/board_desk.hpp"
#include "dryad/exit_codes.hpp"
#include "dryad/link.hpp"
#include "dryad/runner.hpp"
#include "dryad/session.hpp"
#include "dryad/tunnels.hpp"
#include "runtime/clock.hpp"
#include "runtime/service_notifier.hpp"
#include "runtime/task.hpp"

namespace boruta::dryad {

/// Pauses between attempts to reach the server: they double, and each is cut by a random part of up to a half, so that
/// a farm does not come back in one wave.
class Backoff {
 public:
  struct Limits {
    Duration least = std::chrono::milliseconds(200);
    Duration most = std::chrono::seconds(10);
  };

  Backoff(Limits limits, std::uint64_t seed) : limits_(limits), next_(limits.least), random_(seed) {}

  [[nodiscard]] Duration next();
  void reset() { next_ = limits_.least; }

 private:
  Limits limits_;
  Duration next_;
  std::mt19937_64 random_;
};

/// A session connected to the world: keeps a stream to the server, runs operations, watches the clock.
/// Thread: one executor, from construction to the end of `run`.
class Agent {
 public:
  struct Parts {
    boost::asio::any_io_executor executor;
    /// All five must outlive the agent.
    runtime::Clock* clock = nullptr;
    Connector* connector = nullptr;
    OperationRunner* runner = nullptr;
    Tunnels* tunnels = nullptr;
    BoardDesk* desk = nullptr;
    Backoff backoff;
    /// For the log: the worker's UUID.
    std::string name;
    /// Told whether the worker is registered; may be null.
    const runtime::ServiceNotifier* service = nullptr;
    /// Its comings and goings are not logged: one of many simulated workers.
    bool quiet = false;
  };

  Agent(Parts parts, Session session);
  Agent(const Agent&) = delete;
  Agent& operator=(const Agent&) = delete;

  /// Returns the exit code, after the last stream has ended.
  Task<int> run();
  /// Makes `run` return `exit_code` soon. An operation under way is not waited for.
  void request_stop(int exit_code = kExitOk);
  /// Registers anew, at once, with these capabilities; a job on the worker goes on meanwhile.
  void register_anew(Capabilities caps);

  [[nodiscard]] const Session& session() const { return session_; }

 private:
  Task<void> keep_time();
  Task<void> pause();
  void open_stream();
  void on_message(const agent::ToAgent& message);
  void on_end(const StreamEnd& end);
  void perform(Actions actions);
  void perform_one(Action action);
  void start_operation(Operation operation);
  void open_tunnel(Secret token);
  void use_board(const UseBoard& use);
  void read_console(const ReadConsole& read);
  /// Connections, and what is under way at the board, go with their job.
  void part_with_old_job();
  void tell_service(std::string_view status) const;
  void report(const StreamEnd& end, bool was_online);
  void stop_with(int exit_code);

  Parts parts_;
  Session session_;
  std::unique_ptr<runtime::Timer> timer_;
  std::unique_ptr<runtime::Timer> pause_;
  runtime::Signal changed_;
  runtime::TaskGroup group_;
  std::shared_ptr<Stream> stream_;
  std::stop_source cancel_;
  /// Whose connections the tunnels carry, and whom the board serves.
  std::optional<RequestId> served_job_;
  std::optional<int> exit_code_;
  /// The stream was closed by `register_anew`: the next one follows without a pause.
  bool renewing_ = false;
  /// What was said of the present outage: said once.
  std::string reported_;
};

}  // namespace boruta::dryad

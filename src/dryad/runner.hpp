#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/thread_pool.hpp>

#include <functional>
#include <stop_token>

#include "dryad/faults.hpp"
#include "dryad/session.hpp"
#include "dryad/worker.hpp"

namespace boruta::dryad {

/// Carries out a session's operations beside it.
class OperationRunner {
 public:
  using Done = std::function<void(OperationResult)>;
  using Acted = std::function<void(agent::BoardResult)>;

  virtual ~OperationRunner() = default;

  /// Returns at once; `done` is called once, later, on the executor that the runner was made with.
  virtual void start(Operation operation, std::stop_token stop, Done done) = 0;
  /// The same for what a job's user wants of the board. It and operations follow each other, in the order of the calls.
  virtual void act(agent::BoardAction action, std::stop_token stop, Acted acted) = 0;
};

/// On a thread of its own, since operations block.
class ThreadRunner final : public OperationRunner {
 public:
  /// `worker` must outlive this.
  ThreadRunner(boost::asio::any_io_executor executor, Worker* worker)
      : executor_(std::move(executor)), worker_(worker) {}
  ThreadRunner(const ThreadRunner&) = delete;
  ThreadRunner& operator=(const ThreadRunner&) = delete;
  ~ThreadRunner() override { finish(); }

  /// Waits for the operation under way; its `done` is not called any more unless the executor still runs.
  void finish() { thread_.join(); }
  void start(Operation operation, std::stop_token stop, Done done) override;
  void act(agent::BoardAction action, std::stop_token stop, Acted acted) override;

 private:
  boost::asio::any_io_executor executor_;
  Worker* worker_;
  boost::asio::thread_pool thread_{1};
};

/// Without a thread, for workers with nothing behind them. An operation that hangs is never done.
class SimulatedRunner final : public OperationRunner {
 public:
  /// `worker` must outlive this.
  SimulatedRunner(boost::asio::any_io_executor executor, Worker* worker, Faults faults)
      : executor_(std::move(executor)), worker_(worker), faults_(faults) {}

  void start(Operation operation, std::stop_token stop, Done done) override;
  void act(agent::BoardAction action, std::stop_token stop, Acted acted) override;

 private:
  boost::asio::any_io_executor executor_;
  Worker* worker_;
  Faults faults_;
};

}  // namespace boruta::dryad

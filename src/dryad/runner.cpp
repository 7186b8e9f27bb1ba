#include "dryad/runner.hpp"

#include <boost/asio/post.hpp>

#include <utility>

namespace boruta::dryad {
namespace {

Fault fault_for(const Operation& operation, const Faults& faults) {
  if (std::holds_alternative<agent::Prepare>(operation)) return faults.prepare;
  if (std::holds_alternative<agent::EndJob>(operation)) return faults.end_job;
  if (std::holds_alternative<agent::PutInMaintenance>(operation)) return faults.maintenance;
  return Fault::kNone;
}

}  // namespace

void ThreadRunner::start(Operation operation, std::stop_token stop, Done done) {
  auto work = [this, operation = std::move(operation), stop = std::move(stop), done = std::move(done)]() mutable {
    auto result = worker_->run(operation, stop);
    boost::asio::post(executor_,
                      [done = std::move(done), result = std::move(result)]() mutable { done(std::move(result)); });
  };
  boost::asio::post(thread_, std::move(work));
}

void ThreadRunner::act(agent::BoardAction action, std::stop_token stop, Acted acted) {
  auto work = [this, action, stop = std::move(stop), acted = std::move(acted)]() mutable {
    auto result = worker_->act(action, stop);
    boost::asio::post(executor_,
                      [acted = std::move(acted), result = std::move(result)]() mutable { acted(std::move(result)); });
  };
  boost::asio::post(thread_, std::move(work));
}

void SimulatedRunner::act(agent::BoardAction action, std::stop_token stop, Acted acted) {
  boost::asio::post(executor_, [acted = std::move(acted), result = worker_->act(action, stop)]() mutable {
    acted(std::move(result));
  });
}

void SimulatedRunner::start(Operation operation, std::stop_token stop, Done done) {
  OperationResult result;
  switch (fault_for(operation, faults_)) {
    case Fault::kHang:
      return;
    case Fault::kFail:
      result.error = "simulated fault";
      break;
    case Fault::kNone:
      result = worker_->run(operation, stop);
      break;
  }
  // Not from within start: the session would be entered twice.
  boost::asio::post(executor_,
                    [done = std::move(done), result = std::move(result)]() mutable { done(std::move(result)); });
}

}  // namespace boruta::dryad

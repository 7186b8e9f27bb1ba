#include "dryad/board_desk.hpp"

#include <fmt/format.h>

#include <utility>

namespace boruta::dryad {
namespace {

agent::BoardResult ended(agent::BoardOutcome outcome, std::string error) {
  return {.outcome = outcome, .error = std::move(error), .milliamperes = std::nullopt};
}

}  // namespace

BoardDesk::BoardDesk(asio::any_io_executor executor, runtime::Clock* clock, OperationRunner* runner, Console* console)
    : executor_(std::move(executor)), clock_(*clock), runner_(*runner), console_(console), tasks_(executor_) {}

Task<void> BoardDesk::join() {
  co_await tasks_.join();
  if (console_ != nullptr) co_await console_->join();
}

std::expected<std::string, std::string> BoardDesk::console_log(RequestId job) const {
  if (console_ != nullptr) return console_->log_of(job);
  return std::unexpected("this worker's board has no console: board.console is not set in the config of its agent");
}

void BoardDesk::act(agent::BoardAction action, Done done) {
  if (!serving_) {
    done(ended(agent::BoardOutcome::kRefused, "no job runs on this worker"));
    return;
  }
  if (uses_.size() >= kBoardQueue) {
    done(ended(agent::BoardOutcome::kRefused,
               fmt::format("{} things are asked of the board already: wait for one to be done", uses_.size())));
    return;
  }
  const auto use = std::make_shared<Use>();
  use->limit = clock_.make_timer(executor_);
  use->limit->expires_at(clock_.now().lease + agent::kBoardActionWithin);
  use->done = std::move(done);
  uses_.push_back(use);
  tasks_.spawn("limit of a board's action", keep_limit(use));
  runner_.act(action, use->stop.get_token(),
              [this, use](agent::BoardResult result) { finished(use, std::move(result)); });
}

Task<void> BoardDesk::keep_limit(std::shared_ptr<Use> use) {
  // False: it is done, or the desk is closed.
  const bool expired = co_await use->limit->wait();
  if (!expired) co_return;
  use->late = true;
  use->stop.request_stop();
}

void BoardDesk::finished(const std::shared_ptr<Use>& use, agent::BoardResult result) {
  uses_.remove(use);
  use->limit->cancel();
  if (use->over) {
    result = ended(agent::BoardOutcome::kRefused, "the job is over");
  } else if (use->late && result.outcome != agent::BoardOutcome::kDone) {
    result = ended(agent::BoardOutcome::kFailed,
                   fmt::format("not done within {}", format_duration(agent::kBoardActionWithin)));
  }
  if (!closed_) use->done(std::move(result));
}

void BoardDesk::serve(std::optional<RequestId> job) {
  end_all();
  if (closed_) job.reset();
  serving_ = job.has_value();
  if (console_ != nullptr) console_->serve(job);
}

void BoardDesk::end_all() {
  for (const auto& use : uses_) {
    use->over = true;
    use->stop.request_stop();
  }
}

void BoardDesk::close() {
  closed_ = true;
  serve(std::nullopt);
  for (const auto& use : uses_) use->limit->cancel();
}

}  // namespace boruta::dryad

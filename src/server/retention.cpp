#include "server/retention.hpp"

#include <algorithm>

#include "runtime/log.hpp"

namespace boruta::server {
namespace {

using namespace std::chrono_literals;

/// What is kept longer than it should be, since nobody looked, as a part of its age, and at most.
constexpr int kPart = 64;
constexpr Duration kLongestStep = 1h;
constexpr int kCheckpointsInAge = 8;
constexpr Duration kLongestBetweenCheckpoints = 24h;
/// After a slice, in any case, and by how much longer than the slice took.
constexpr Duration kLeastRest = 10ms;
constexpr int kRestPerWork = 3;

void complain(const store::StoreError& error) {
  runtime::log_warning("what is old could not be removed from the store, it will be tried again",
                       {{"error", error.message}});
}

}  // namespace

Retention::Pace Retention::pace() const {
  const auto keep_requests = coordinator_.engine().farm().policy().keep_requests;
  Pace pace{.step = kLongestStep, .checkpoint = kLongestBetweenCheckpoints};
  for (const auto age : {keep_requests, keep_events_}) {
    if (age > Duration::zero()) pace.step = std::min(pace.step, age / kPart);
  }
  if (keep_events_ > Duration::zero()) pace.checkpoint = std::min(pace.checkpoint, keep_events_ / kCheckpointsInAge);
  return pace;
}

Task<void> Retention::begin() {
  const store::TidyOrder nothing;
  const auto tidied = co_await committer_.tidy(nothing);
  if (tidied) {
    feed_.set_oldest(tidied->first);
  } else {
    complain(tidied.error());
  }
}

Task<void> Retention::run() {
  const auto step = pace().step;
  while (true) {
    const bool goes_on = co_await pass();
    if (!goes_on) co_return;
    const bool slept = co_await runtime::sleep_for(coordinator_.clock(), step);
    if (!slept) co_return;
  }
}

Task<bool> Retention::pass() {
  if (const bool goes_on = co_await forget_requests(); !goes_on) co_return false;
  co_return co_await tidy();
}

store::TidyOrder Retention::order() const {
  const auto now = coordinator_.clock().now().wall;
  if (keep_events_ == Duration::zero()) return {.now = now};
  return {.now = now, .checkpoint_since = now - pace().checkpoint, .forget_until = now - keep_events_};
}

bool Retention::has_old_requests() const {
  const auto& farm = coordinator_.engine().farm();
  const auto keep = farm.policy().keep_requests;
  if (keep == Duration::zero()) return false;
  return !farm.requests().some_ended_by(coordinator_.clock().now().wall - keep).empty();
}

Task<bool> Retention::forget_requests() {
  const auto before = coordinator_.engine().farm().forgotten_until();
  while (has_old_requests()) {
    const auto begun = coordinator_.clock().now().lease;
    farm::Command command{.actor = {}, .body = farm::ForgetRequests{}};
    const auto done = co_await coordinator_.submit(std::move(command));
    if (!done) co_return false;
    if (const bool rested = co_await rest(begun); !rested) co_return false;
  }
  const auto until = coordinator_.engine().farm().forgotten_until();
  if (until != before) {
    runtime::log_info("old requests were forgotten", {{"ended_until", format_rfc3339(WallTime{.at = *until})}});
  }
  co_return true;
}

Task<bool> Retention::tidy() {
  while (true) {
    const auto begun = coordinator_.clock().now().lease;
    const auto tidied = co_await committer_.tidy(order());
    if (!tidied) {
      complain(tidied.error());
      co_return true;
    }
    feed_.set_oldest(tidied->first);
    if (!tidied->more) co_return true;
    if (const bool rested = co_await rest(begun); !rested) co_return false;
  }
}

Task<bool> Retention::rest(Instant since) {
  const auto worked = coordinator_.clock().now().lease - since;
  const auto pause = std::max<Duration>(kLeastRest, kRestPerWork * worked);
  co_return co_await runtime::sleep_for(coordinator_.clock(), pause);
}

}  // namespace boruta::server

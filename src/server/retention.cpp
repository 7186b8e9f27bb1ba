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

Task<std::expected<void, Refusal>> Retention::begin() {
  const auto tidied = co_await committer_.tidy(Instant::min());
  if (!tidied) {
    co_return std::unexpected(Refusal{.code = RefusalCode::kUnavailable, .detail = tidied.error().message});
  }
  feed_.set_oldest(tidied->first);
  checkpoint_at_ = tidied->checkpoint_at;
  co_return std::expected<void, Refusal>{};
}

Task<void> Retention::run() {
  while (co_await pass()) {
    if (!co_await runtime::sleep_for(coordinator_.clock(), pace().step)) co_return;
  }
}

Task<bool> Retention::pass() {
  if (!co_await forget_requests()) co_return false;
  const auto now = coordinator_.clock().now().wall;
  const bool due = !checkpoint_at_ || now - *checkpoint_at_ >= pace().checkpoint;
  if (keep_events_ > Duration::zero() && due && !co_await write_checkpoint()) co_return false;
  co_return co_await tidy();
}

Task<bool> Retention::forget_requests() {
  if (coordinator_.engine().farm().policy().keep_requests == Duration::zero()) co_return true;
  std::size_t forgotten = 0;
  while (true) {
    const auto begun = coordinator_.clock().now().lease;
    const auto before = coordinator_.engine().farm().requests().size();
    farm::Command command{.actor = {}, .body = farm::ForgetRequests{}};
    const auto done = co_await coordinator_.submit(std::move(command));
    if (!done) co_return false;
    if (done->empty()) break;
    forgotten += before - std::min(before, coordinator_.engine().farm().requests().size());
    if (!co_await rest(begun)) co_return false;
  }
  if (forgotten > 0) runtime::log_info("old requests were forgotten", {{"requests", std::to_string(forgotten)}});
  co_return true;
}

Task<bool> Retention::write_checkpoint() {
  farm::Command command{.actor = {}, .body = farm::WriteCheckpoint{}};
  const auto written = co_await coordinator_.submit(std::move(command));
  if (!written) co_return false;
  checkpoint_at_ = written->front().at;
  co_return true;
}

Task<bool> Retention::tidy() {
  while (true) {
    const auto now = coordinator_.clock().now();
    const auto until = keep_events_ > Duration::zero() ? now.wall - keep_events_ : Instant::min();
    const auto tidied = co_await committer_.tidy(until);
    if (!tidied) {
      runtime::log_warning("old events could not be removed, they will be later", {{"error", tidied.error().message}});
      co_return true;
    }
    feed_.set_oldest(tidied->first);
    if (!tidied->more) co_return true;
    if (!co_await rest(now.lease)) co_return false;
  }
}

Task<bool> Retention::rest(Instant since) {
  const auto worked = coordinator_.clock().now().lease - since;
  co_return co_await runtime::sleep_for(coordinator_.clock(), std::max(kLeastRest, kRestPerWork * worked));
}

}  // namespace boruta::server

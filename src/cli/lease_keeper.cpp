#include "cli/lease_keeper.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <chrono>

#include "cli/text.hpp"

namespace boruta::cli {
namespace {

using namespace std::chrono_literals;

constexpr Duration kAskAgain = 2s;

}  // namespace

LeaseKeeper::LeaseKeeper(std::unique_ptr<client::Client> client, RequestId id, Duration lease, Events events)
    : client_(std::move(client)),
      id_(id),
      every_(std::clamp<Duration>(lease / 3, 1s, 1h)),
      events_(std::move(events)),
      timer_(client_->executor()) {}

Task<void> LeaseKeeper::pause(Duration duration) {
  timer_.expires_after(duration);
  co_await timer_.async_wait(asio::as_tuple(asio::use_awaitable));
}

Task<void> LeaseKeeper::run() {
  while (!stopping_) {
    co_await pause(away_ ? std::min(kAskAgain, every_) : every_);
    if (stopping_) co_return;
    const bool goes_on = co_await prolong();
    if (!goes_on) co_return;
  }
}

Task<bool> LeaseKeeper::prolong() {
  const auto done = co_await client_->prolong(id_);
  if (stopping_) co_return false;
  if (done) {
    if (away_) events_.notice("the server is back; the job is prolonged again");
    away_ = false;
    co_return true;
  }
  if (client::is_temporary(done.error())) {
    if (!away_) {
      events_.notice(
          fmt::format("the job cannot be prolonged just now: {}; trying on", printable(done.error().message)));
    }
    away_ = true;
    co_return true;
  }
  // The limit of the lease says no as well as the end of the job does: the request tells which.
  const auto request = co_await client_->get_request(id_);
  if (stopping_) co_return false;
  if (request && client::is_terminal(request->value.state)) {
    events_.lost(request->value);
    co_return false;
  }
  if (!at_limit_) events_.notice(fmt::format("the job is not prolonged: {}", printable(done.error().message)));
  at_limit_ = true;
  co_return true;
}

void LeaseKeeper::stop() {
  stopping_ = true;
  timer_.cancel();
  client_->abort();
}

}  // namespace boruta::cli

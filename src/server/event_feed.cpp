#include "server/event_feed.hpp"

#include <boost/asio/co_spawn.hpp>

#include <algorithm>

#include "runtime/deadline.hpp"

namespace boruta::server {
namespace {

/// What a reader gets at once.
constexpr std::size_t kPage = 256;

}  // namespace

EventFeed::EventFeed(Coordinator* coordinator)
    : coordinator_(*coordinator), newest_(coordinator->durable()), changed_(coordinator->strand()) {
  coordinator_.add_listener(this);
}

void EventFeed::on_durable(const farm::Events& events, const farm::Touched& /*touched*/) {
  if (events.empty()) return;
  newest_ = events.back().seq;
  if (readers_ == 0) {
    memory_.clear();
    return;
  }
  memory_.insert(memory_.end(), events.begin(), events.end());
  while (memory_.size() > limits::kSubscriberBacklog) memory_.pop_front();
  changed_.notify_all();
}

bool EventFeed::remembers(EventSeq after) const {
  return !memory_.empty() && memory_.front().seq.value <= after.value + 1;
}

farm::Events EventFeed::recall(EventSeq after) const {
  const auto first = memory_.begin() + static_cast<std::ptrdiff_t>(after.value + 1 - memory_.front().seq.value);
  const auto count = std::min<std::ptrdiff_t>(memory_.end() - first, kPage);
  return {first, first + count};
}

EventFeed::Reader::~Reader() {
  if (joined_) --feed_.readers_;
}

Task<std::expected<farm::Events, FeedEnd>> EventFeed::Reader::next(Duration patience) {
  co_return co_await asio::co_spawn(feed_.coordinator_.strand(), next_on_strand(patience), asio::use_awaitable);
}

Task<std::expected<farm::Events, FeedEnd>> EventFeed::Reader::next_on_strand(Duration patience) {
  if (!joined_) {
    joined_ = true;
    ++feed_.readers_;
  }
  // What the journal gave may be ahead of what this thread has heard.
  if (after_ >= feed_.newest_) {
    live_ = true;
    const bool changed = co_await runtime::with_deadline(feed_.coordinator_.clock(), patience, feed_.changed_.wait());
    if (!changed || after_ >= feed_.newest_) co_return farm::Events{};
  }
  std::expected<farm::Events, FeedEnd> page;
  if (feed_.remembers(after_)) {
    live_ = true;
    page = feed_.recall(after_);
  } else if (live_) {
    co_return std::unexpected(FeedEnd::kFellBehind);
  } else {
    const store::EventQuery query{.after = after_, .request = std::nullopt, .worker = std::nullopt, .limit = kPage};
    auto read = co_await feed_.coordinator_.read_events(query);
    if (!read || read->empty()) co_return std::unexpected(FeedEnd::kStopped);
    if (read->front().seq.value != after_.value + 1) co_return std::unexpected(FeedEnd::kForgotten);
    page = std::move(*read);
  }
  after_ = page->back().seq;
  co_return page;
}

}  // namespace boruta::server

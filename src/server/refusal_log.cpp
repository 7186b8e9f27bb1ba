#include "server/refusal_log.hpp"

#include <boost/asio/dispatch.hpp>

#include <algorithm>

#include "base/limits.hpp"

namespace boruta::server {
namespace {

using namespace std::chrono_literals;

constexpr Duration kHeldFor = 1min;
constexpr Duration kSweep = 5s;
constexpr std::string_view kOthers = "others";

std::string cut(std::string text) {
  if (text.size() > limits::kReasonBytes) text.resize(limits::kReasonBytes);
  return text;
}

}  // namespace

void RefusalLog::note(farm::Actor actor, std::string action, Refusal refusal) {
  asio::dispatch(coordinator_.strand(),
                 [this, actor = std::move(actor), action = std::move(action), refusal = std::move(refusal)]() mutable {
                   take(std::move(actor), std::move(action), refusal);
                 });
}

void RefusalLog::take(farm::Actor actor, std::string action, const Refusal& refusal) {
  auto& sources = actor.user == UserId{} ? strangers_ : users_;
  if (sources.size() >= kSources && !sources.contains({actor.name, actor.address, refusal.code})) {
    actor = farm::Actor{.kind = farm::Actor::Kind::kUser, .name = std::string(kOthers)};
  }
  farm::NoteRefusal entry{.action = std::move(action),
                          .code = std::string(word_of(refusal.code)),
                          .reason = cut(message_of(refusal)),
                          .times = 1};
  const auto [source, fresh] =
      sources.try_emplace({actor.name, actor.address, refusal.code},
                          Held{.actor = actor, .last = entry, .since = coordinator_.clock().now().lease});
  if (fresh) {
    write(actor, entry);
    source->second.last.times = 0;
    return;
  }
  entry.times = source->second.last.times + 1;
  source->second.last = std::move(entry);
}

Task<void> RefusalLog::run() {
  while (true) {
    const bool slept = co_await runtime::sleep_for(coordinator_.clock(), kSweep);
    if (!slept) co_return;
    const auto now = coordinator_.clock().now().lease;
    write_old(users_, now);
    write_old(strangers_, now);
  }
}

void RefusalLog::flush() {
  write_old(users_, Instant::max());
  write_old(strangers_, Instant::max());
}

/// A source that was silent for its minute is forgotten.
void RefusalLog::write_old(Sources& sources, Instant now) {
  for (auto source = sources.begin(); source != sources.end();) {
    auto& held = source->second;
    if (now - kHeldFor < held.since) {
      ++source;
    } else if (held.last.times == 0) {
      source = sources.erase(source);
    } else {
      write(held.actor, held.last);
      held.last.times = 0;
      held.since = now;
      ++source;
    }
  }
}

void RefusalLog::write(const farm::Actor& actor, const farm::NoteRefusal& refusal) {
  coordinator_.note({.actor = actor, .body = refusal});
}

}  // namespace boruta::server

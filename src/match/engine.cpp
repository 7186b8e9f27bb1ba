#include "match/engine.hpp"

#include <algorithm>
#include <iterator>
#include <utility>

namespace boruta::match {
namespace {

template <class Key>
void merge_sorted(std::vector<Key>& into, std::vector<Key> from) {
  if (std::ranges::includes(into, from)) return;
  if (into.empty()) {
    into = std::move(from);
    return;
  }
  std::vector<Key> both;
  both.reserve(into.size() + from.size());
  std::ranges::set_union(into, from, std::back_inserter(both));
  into = std::move(both);
}

}  // namespace

Engine::Engine(farm::Policy policy, const farm::Rows& rows, Now now) : farm_(policy, rows), matcher_(farm_, now) {}

Step Engine::execute(const farm::Command& command, Now now) {
  Step step;
  if (!std::holds_alternative<farm::StartServer>(command.body)) run_due(now, step);
  step.outcome = farm::decide(farm_, command, now);
  if (step.outcome) apply(*step.outcome, now, step);
  // What the command itself made due goes before a match too: a deadline that is now, an agent already lost.
  run_due(now, step);
  run_matches(now, step);
  return step;
}

Step Engine::tick(Now now) {
  Step step;
  run_due(now, step);
  run_matches(now, step);
  return step;
}

farm::NextDeadline Engine::next_deadline() const {
  const auto farm = farm_.next_deadline();
  const auto matcher = matcher_.next_deadline();
  return farm::NextDeadline{.wall = earlier(farm.wall, matcher.wall), .lease = earlier(farm.lease, matcher.lease)};
}

void Engine::apply(farm::Events events, Now now, Step& step) {
  farm::Touched touched;
  for (const auto& event : events) farm::apply_event(farm_, event, touched);
  matcher_.observe(farm_, touched, now);
  std::ranges::move(events, std::back_inserter(step.events));
  merge_sorted(step.touched.users, std::move(touched.users));
  merge_sorted(step.touched.groups, std::move(touched.groups));
  merge_sorted(step.touched.tokens, std::move(touched.tokens));
  merge_sorted(step.touched.requests, std::move(touched.requests));
  merge_sorted(step.touched.workers, std::move(touched.workers));
  merge_sorted(step.touched.creations, std::move(touched.creations));
  merge_sorted(step.touched.offers, std::move(touched.offers));
  merge_sorted(step.touched.user_keys, std::move(touched.user_keys));
}

void Engine::run_due(Now now, Step& step) {
  for (auto events = farm::decide_due(farm_, now); !events.empty(); events = farm::decide_due(farm_, now)) {
    apply(std::move(events), now, step);
  }
}

void Engine::run_matches(Now now, Step& step) {
  for (auto events = matcher_.next(farm_, now); !events.empty(); events = matcher_.next(farm_, now)) {
    apply(std::move(events), now, step);
  }
}

}  // namespace boruta::match

#include "match/engine.hpp"

#include <algorithm>
#include <iterator>
#include <utility>

namespace boruta::match {
namespace {

/// Empties `from`, and leaves it its room. What is there already, as the same worker often is, comes no second time.
template <class Key>
void move_to_end(std::vector<Key>& into, std::vector<Key>& from) {
  for (auto& key : from) {
    if (into.empty() || into.back() != key) into.push_back(std::move(key));
  }
  from.clear();
}

void move_to_end(farm::Touched& into, farm::Touched& from) {
  move_to_end(into.users, from.users);
  move_to_end(into.groups, from.groups);
  move_to_end(into.tokens, from.tokens);
  move_to_end(into.requests, from.requests);
  move_to_end(into.workers, from.workers);
  move_to_end(into.creations, from.creations);
  move_to_end(into.user_keys, from.user_keys);
  move_to_end(into.offers, from.offers);
}

}  // namespace

Engine::Engine(farm::Policy policy, const farm::Rows& rows, Now now) : farm_(policy, rows), matcher_(farm_, now) {}

Step Engine::execute(const farm::Command& command, Now now) {
  Step step;
  if (!std::holds_alternative<farm::StartServer>(command.body)) run_due(now, step);
  run_command(command, now, step);
  // What the command itself made due goes before a match too: a deadline that is now, an agent already lost.
  run_due(now, step);
  run_matches(now, step);
  step.touched.normalize();
  return step;
}

Step Engine::tick(Now now) {
  Step step;
  run_due(now, step);
  run_matches(now, step);
  step.touched.normalize();
  return step;
}

farm::NextDeadline Engine::next_deadline() const {
  const auto farm = farm_.next_deadline();
  const auto matcher = matcher_.next_deadline();
  return farm::NextDeadline{.wall = earlier(farm.wall, matcher.wall), .lease = earlier(farm.lease, matcher.lease)};
}

void Engine::apply(farm::Events events, Now now, Step& step) {
  for (const auto& event : events) farm::apply_event(farm_, event, touched_);
  matcher_.observe(farm_, touched_, now);
  move_to_end(step.touched, touched_);
  if (step.events.empty()) {
    step.events = std::move(events);
  } else {
    std::ranges::move(events, std::back_inserter(step.events));
  }
}

void Engine::run_command(const farm::Command& command, Now now, Step& step) {
  auto events = farm::decide(farm_, command, now);
  if (!events) {
    step.outcome = std::unexpected(std::move(events.error()));
    return;
  }
  step.outcome = Step::Own{.first = step.events.size(), .count = events->size()};
  if (!events->empty()) apply(std::move(*events), now, step);
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

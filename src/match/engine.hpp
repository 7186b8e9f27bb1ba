#pragma once

#include <cstddef>
#include <expected>
#include <span>

#include "base/refusal.hpp"
#include "farm/decide.hpp"
#include "farm/farm.hpp"
#include "match/matcher.hpp"

namespace boruta::match {

/// What one command made of the farm.
struct Step {
  /// Places in `events`.
  struct Own {
    std::size_t first = 0;
    std::size_t count = 0;
  };

  /// Everything that happened, in order: what was due before, the command's own events, matches.
  farm::Events events;
  /// The rows that `events` changed.
  farm::Touched touched;
  /// Which of `events` the command itself made, or why it was refused.
  std::expected<Own, Refusal> outcome;

  /// The events of the command itself; none if it was refused.
  [[nodiscard]] std::span<const farm::Event> own_events() const {
    if (!outcome) return {};
    return std::span(events).subspan(outcome->first, outcome->count);
  }
};

/// The farm and its matcher, moved on together: the whole core as one deterministic machine.
/// Thread: whoever owns it.
class Engine {
 public:
  Engine(farm::Policy policy, const farm::Rows& rows, Now now);

  /// What is due goes first, then the command, then the matcher until it has nothing to add. StartServer comes before
  /// what is due: it judges what happened while the server was down.
  [[nodiscard]] Step execute(const farm::Command& command, Now now);
  /// The same without a command: what time alone brings.
  [[nodiscard]] Step tick(Now now);

  [[nodiscard]] const farm::Farm& farm() const { return farm_; }
  [[nodiscard]] const Matcher& matcher() const { return matcher_; }
  /// When `tick` is due next.
  [[nodiscard]] farm::NextDeadline next_deadline() const;

 private:
  void apply(farm::Events events, Now now, Step& step);
  void run_command(const farm::Command& command, Now now, Step& step);
  void run_due(Now now, Step& step);
  void run_matches(Now now, Step& step);

  farm::Farm farm_;
  Matcher matcher_;
  /// By the events that are being applied; kept for its room.
  farm::Touched touched_;
};

}  // namespace boruta::match

#pragma once

#include <map>
#include <string>
#include <tuple>

#include "base/refusal.hpp"
#include "server/coordinator.hpp"

namespace boruta::server {

/// Puts on record who was refused what, so that a flood of refusals stays small: of one actor at one address, the
/// first is written at once, and those of the following minute as one, with their number. Beyond `kSources` of them
/// at a time (users, and strangers, each) the rest counts as one.
/// Thread: the coordinator's strand; `note` may be called from anywhere.
class RefusalLog {
 public:
  static constexpr std::size_t kSources = 32;

  explicit RefusalLog(Coordinator* coordinator) : coordinator_(*coordinator) {}

  /// `action` is what was asked for: "POST /api/v1/users/". Returns at once.
  void note(farm::Actor actor, std::string action, Refusal refusal);
  /// Writes what the minute held back, until cancelled.
  Task<void> run();
  /// Writes all that is held back: the server stops.
  void flush();

 private:
  /// Name, address and code.
  using Source = std::tuple<std::string, std::string, RefusalCode>;
  struct Held {
    farm::Actor actor;
    farm::NoteRefusal last;
    /// When the first was written.
    Instant since;
  };
  using Sources = std::map<Source, Held>;

  void take(farm::Actor actor, std::string action, const Refusal& refusal);
  void write_old(Sources& sources, Instant now);
  void write(const farm::Actor& actor, const farm::NoteRefusal& refusal);

  Coordinator& coordinator_;
  Sources users_;
  Sources strangers_;
};

}  // namespace boruta::server

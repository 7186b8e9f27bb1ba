#pragma once

#include <cstddef>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "runtime/task.hpp"
#include "server/coordinator.hpp"

namespace boruta::server {

/// With what the reason of a quarantined worker begins.
inline constexpr std::string_view kQuarantined = "quarantined: ";

/// Takes a worker out of service on which one job after another fails, whoever's they are: the next would only be the
/// next to fail. A single owner's jobs never do that to a worker, however many fail, for it may be the jobs that break
/// it. An admin who enables it again gives it a new start; so does a restart of the server, which remembers no streaks.
/// Thread: the coordinator's strand. Acts on durable state alone.
class Quarantine final : public Listener {
 public:
  struct Rules {
    /// Owners whose jobs failed in a row, none having ended well in between. 0: no quarantine.
    std::size_t owners = 3;
    /// At most so many in a hundred of the workers that are alike (capabilities but for UUID and name, and groups) are
    /// in quarantine at once: what fails them all is not in them.
    std::size_t percent = 50;
  };

  /// The coordinator outlives it.
  Quarantine(Coordinator* coordinator, Rules rules);

  void on_durable(const farm::Events& events, const farm::Touched& touched) override;
  /// Ends what it has begun; `join` returns when that is done.
  void request_stop() { begun_.request_stop(); }
  Task<void> join() { co_await begun_.join(); }

 private:
  /// One failed job of each owner, the newest.
  using Streak = std::vector<std::pair<UserId, RequestId>>;

  void on_ended(const farm::RequestEnded& ended, const farm::Actor& actor);
  void judge(const farm::Worker& worker, const Streak& streak);
  /// Empty: one more may go into quarantine.
  [[nodiscard]] std::string why_not(const farm::Worker& worker) const;

  Coordinator& coordinator_;
  Rules rules_;
  std::unordered_map<WorkerUuid, Streak> streaks_;
  runtime::TaskGroup begun_;
};

}  // namespace boruta::server

#pragma once

#include <map>
#include <optional>
#include <string>

#include "farm/farm.hpp"

namespace boruta::sim {

/// What the durable events tell of a farm, as far as invariants ask for it. Kept apart from farm::Farm and as plainly
/// as possible, so that what goes wrong there is not believed here.
class Known {
 public:
  explicit Known(const farm::Policy& policy) : policy_(policy) {}

  /// A server begins with what is durable.
  void begin(const farm::Rows& durable);
  /// REQUIRES: it comes next.
  void follow(const farm::Event& event);

  /// Requests that have not ended.
  std::map<RequestId, farm::Request> open;
  std::map<WorkerUuid, farm::Worker> workers;
  std::map<UserId, farm::User> users;
  std::map<std::string, farm::Ceilings> groups;
  std::map<TokenId, farm::Token> tokens;
  std::map<farm::UserKeyId, UserId> keys;
  /// Who had the last job on it that this server knew running.
  std::map<WorkerUuid, UserId> last_served;

  [[nodiscard]] const farm::Token* find_token(std::string_view hash) const;
  /// Whether the worker's groups let it serve the user.
  [[nodiscard]] bool admits(const farm::Worker& worker, UserId user) const;
  /// Jobs that run, or requests that wait, of those for whom `counts(user)` holds.
  template <class Counts>
  [[nodiscard]] std::size_t count(bool running, Counts counts) const {
    std::size_t found = 0;
    for (const auto& [id, request] : open) {
      if (request.job.has_value() == running && counts(users.at(request.owner))) ++found;
    }
    return found;
  }
  /// By how much the ceiling of the user, or of one of its groups, is surpassed; 0: it is reached, less: there is room.
  /// Nothing where there is no ceiling.
  [[nodiscard]] std::optional<int> beyond(std::optional<std::uint32_t> farm::Ceilings::* ceiling, UserId user) const;
  /// The most important priority that the user may ask for.
  [[nodiscard]] farm::Priority priority_ceiling(UserId user) const;
  /// Seconds for which jobs of the user held workers, those of ended ones decayed, at `now` (wall).
  [[nodiscard]] double use(UserId user, Instant now) const;

 private:
  /// Of jobs that ended: what it was at an instant.
  struct Past {
    double seconds = 0;
    Instant at{};
  };

  void follow_request(const farm::Event& event);
  void follow_worker(const farm::Event& event);
  void follow_user(const farm::Event& event);
  void add_past(UserId user, Instant started, Instant ended);
  [[nodiscard]] double decayed(const Past& past, Instant now) const;
  /// Calls `visit(ceilings, counts)` for those of the user and of each of its groups; `counts(user)` tells who counts.
  template <class Visit>
  void for_each_ceilings(UserId user, Visit visit) const;

  farm::Policy policy_;
  std::map<UserId, Past> past_;
};

}  // namespace boruta::sim

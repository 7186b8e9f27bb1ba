#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>

#include "server/coordinator.hpp"
#include "sim/known.hpp"
#include "sim/world.hpp"

namespace boruta::sim {

/// Everything that must hold at every moment of a simulation, in one place. What does not is told to the world.
///
/// Of the state, after every event: what farm::check_invariants asks (one job a worker, one worker a request, RUNNING
/// if and only if there is a job, leases within their bounds, …); no ready request waits while a connected worker that
/// could serve it idles; a worker that is IDLE has nothing of a user left on it.
/// A job whose owner has keys of their own is opened by none but those, once it is granted.
/// Of the events, once they are durable: only legal transitions, each from the state that the last one led to; jobs
/// start on connected workers only, whose groups admit the owner, in the order of priority, in a fair queue of the
/// owners' use, and age, whoever is at a ceiling left out; nobody gets beyond a ceiling; no job is prolonged past its
/// maximum; whoever changes something was not deleted, and is an admin or its owner.
/// Of users: nobody is taken for another, or for anybody by a token that is none any more; what was acknowledged is
/// durable then, and there after every restart; nothing is filed twice under one key; access is handed out only to
/// owners and admins, for jobs that are durable, with the key that the worker's agent made, or with none where the
/// owner has registered some. Of time: a
/// second after a job's end its tunnel is closed, and some while after it nothing of its user is left. At the end: all
/// that was begun has ended, and the journal tells the same as the tables.
class Invariants final : public server::Listener {
 public:
  /// `cleaned_within`: how long after its job's end something of a user may be left on a worker.
  Invariants(World* world, farm::Policy policy, Duration cleaned_within)
      : world_(*world), policy_(policy), cleaned_within_(cleaned_within), known_(policy) {}

  // What users were told.
  void acknowledged(const farm::Events& events);
  void filed(RequestId id) { promises_[id]; }
  void closed(RequestId id) { promises_[id].closed = true; }
  void in_progress(RequestId id) { promises_[id].in_progress = true; }
  /// Whoever showed `token` at `wall` was taken for `actor`.
  void logged_in(const Secret& token, const farm::Actor& actor, Instant wall);
  /// The server did what `actor` asked for with a request; of no request: what is for admins.
  void obeyed(const farm::Actor& actor, std::optional<RequestId> id);
  void access_given(const Secret& token, const farm::Actor& actor, RequestId id, const server::Access& access);

  /// What a server that is killed knew, if all of it is durable, is on the disk.
  void server_ends(const farm::Farm& farm);
  /// A server begins with what is durable; nobody knows what the one before it did not live to tell.
  void server_started(const farm::Rows& durable);
  void on_durable(const farm::Events& events, const farm::Touched& touched) override;

  /// Of the farm as it is now.
  void check(const farm::Farm& farm);
  /// Of time alone, and of the jobs whose tunnels are open.
  void check_time(const std::set<RequestId>& open_tunnels);
  /// When all has healed.
  void check_end(const farm::Farm& farm);

 private:
  struct Promise {
    bool closed = false;
    bool in_progress = false;
  };

  void follow(const farm::Event& event);
  void check_rights(const farm::Event& event);
  [[nodiscard]] bool is_own(const farm::Event& event) const;
  void check_ceilings(const farm::Event& event);
  /// Whether the owner has as many jobs running as it may.
  [[nodiscard]] bool is_held(UserId owner) const;
  [[nodiscard]] bool comes_before(const farm::Request& left, const farm::Request& right, Instant at) const;
  /// `at` is on the wall clock.
  void check_start(const farm::JobStarted& event, Instant at);
  void note_revoked();
  template <class Id>
  void step(std::string_view& state, Id whose, const farm::Transition& transition,
            const std::set<std::pair<std::string_view, std::string_view>>& legal);
  void check_keys(const farm::Farm& farm, WorkerUuid uuid, const farm::Request& request);
  void note_end(RequestId id);
  void check_promises();
  /// Of what a server did not live to tell.
  void learn_what_is_forgotten();
  /// Requests that were forgotten by their time need not be there any more.
  void note_forgotten(const farm::Event& event);
  /// From the beginning, if that is kept, and from each checkpoint.
  void check_replay(const farm::Rows& durable);
  void check_replay_behind(const farm::Rows& checkpoint, const farm::Rows& durable, const farm::Events& events);
  void check_creations(const farm::Events& events);

  World& world_;
  farm::Policy policy_;
  Duration cleaned_within_;
  std::map<RequestId, Promise> promises_;
  EventSeq acknowledged_;
  std::set<RequestId> forgotten_;
  /// What was forgotten up to this event is known.
  EventSeq looked_at_;

  // As the durable events tell.
  Known known_;
  /// On the lease clock.
  std::map<TokenId, Instant> revoked_at_;
  std::unordered_map<RequestId, std::string_view> request_states_;
  std::map<WorkerUuid, std::string_view> worker_states_;
  /// On the lease clock.
  std::unordered_map<RequestId, Instant> ended_at_;

  /// Up to here time alone breaks nothing, unless somebody is let in.
  Instant next_look_{};
  std::uint64_t entries_ = 0;
};

}  // namespace boruta::sim

#pragma once

#include <boost/container/flat_set.hpp>

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "match/bits.hpp"
#include "match/heads.hpp"
#include "match/matcher.hpp"
#include "match/queue.hpp"

namespace boruta::match {

/// Requests that need the same of a worker.
struct Signature {
  std::size_t slot = 0;
  Needs needs;
  /// It names workers by UUID or name: it is linked to workers, not to classes.
  bool pinned = false;
  /// Its owner is at the ceiling on running jobs: none of its requests is matched.
  bool held = false;
  Queue ready;
  /// ValidAfter has not come yet.
  std::set<QueueKey> later;
  /// Unless it is pinned: the classes that fit.
  Bits classes;
  std::set<WorkerUuid> pinned_to;
  /// Registered workers that could serve these requests.
  std::size_t fitting_workers = 0;
  /// When those of its requests that were servable once become INVALID.
  std::optional<Instant> invalid_at;

  [[nodiscard]] QueueKey head() const { return held ? kNoKey : ready.head(); }
  [[nodiscard]] bool unused() const { return ready.empty() && later.empty(); }
};

/// Workers that offer the same, UUID and name apart.
struct Class {
  std::size_t slot = 0;
  Capabilities caps;
  Groups groups;
  std::size_t surplus = 0;
  std::size_t members = 0;
  /// Idle and connected, the one idle longest first.
  std::set<std::pair<EventSeq, WorkerUuid>> idle;
  /// Signatures that fit.
  Bits signatures;
};

/// Things by slot; a slot that was left is taken again first.
template <class Thing>
class Slots {
 public:
  std::size_t add(Thing* thing) {
    if (free_.empty()) {
      things_.push_back(thing);
      return things_.size() - 1;
    }
    const auto slot = *free_.begin();
    free_.erase(free_.begin());
    things_[slot] = thing;
    return slot;
  }
  void remove(std::size_t slot) {
    things_[slot] = nullptr;
    free_.insert(slot);
  }
  [[nodiscard]] Thing& at(std::size_t slot) const { return *things_[slot]; }
  [[nodiscard]] std::size_t size() const { return things_.size() - free_.size(); }
  template <class Visit>
  void for_each(Visit visit) const {
    for (auto* thing : things_) {
      if (thing != nullptr) visit(*thing);
    }
  }

 private:
  std::vector<Thing*> things_;
  std::set<std::size_t> free_;
};

/// The matcher's index. A signature and a class are numbered by slots, and which fits which is a bit in each; of every
/// signature the head of its queue stands in one array. So the best request for a worker is found in one run over the
/// bits of "fits its class and has somebody ready", and a change of a queue's head is a write or two.
class Matcher::Index {
 public:
  Index(const farm::Farm& farm, Now now);

  void observe(const farm::Farm& farm, const farm::Touched& touched, Now now);
  [[nodiscard]] farm::Events next(const farm::Farm& farm, Now now);
  [[nodiscard]] farm::NextDeadline next_deadline() const;
  [[nodiscard]] Standing standing(const farm::Farm& farm, RequestId id, Now now) const;
  [[nodiscard]] Competition competition(const farm::Farm& farm, const Ask& ask, Now now) const;
  [[nodiscard]] std::size_t signature_count() const { return signatures_.size(); }
  [[nodiscard]] std::size_t class_count() const { return classes_.size(); }

 private:
  struct WaitingRequest {
    Signature* signature = nullptr;
    UserId owner{};
    QueueKey key = 0;
    Instant valid_after{};
    /// Since when it could have been served (wall).
    Instant ready_since{};
    bool ready = false;
    /// Where it came to a signature that nothing serves from one that something served: when it did (lease clock).
    std::optional<Instant> unservable_since;
  };
  struct KnownWorker {
    Class* of = nullptr;
    std::optional<std::string> name;
    /// Nothing unless idle and connected.
    std::optional<EventSeq> idle_since;
    std::vector<Signature*> pinned;
  };
  /// Of an owner with ready requests.
  struct OwnerQueue {
    std::size_t ready = 0;
    /// Those of them that a registered worker could serve.
    std::set<std::pair<Instant, RequestId>> by_age;
    /// Where signatures are the owner's alone: those that have one of these requests.
    Bits signatures;
    /// The one that goes first because it is overdue.
    std::optional<RequestId> overdue;
    /// When to look again: not later than the next one is overdue.
    std::optional<Instant> check_at;
  };
  struct NeedsHash {
    std::size_t operator()(const Needs& needs) const;
  };

  // Requests
  void follow(const farm::Farm& farm, RequestId id, Now now);
  void add(const farm::Farm& farm, const farm::Request& request, Now now);
  void remove(const farm::Farm& farm, RequestId id, const WaitingRequest& waiting, Now now);
  void requeue(const farm::Farm& farm, const farm::Request& request, WaitingRequest& waiting, Now now);
  void judge_anew(const farm::Farm& farm, const std::set<UserId>& owners, Now now);
  void promote(const farm::Farm& farm, Now now);
  void enqueue(RequestId id, WaitingRequest& waiting);
  void dequeue(RequestId id, const WaitingRequest& waiting);

  // Owners
  /// `request` is null if it has ended.
  void follow_job(const farm::Farm& farm, RequestId id, const farm::Request* request, Now now);
  void refresh_overdue(const farm::Farm& farm, UserId owner, Now now);
  void set_overdue(const farm::Farm& farm, OwnerQueue& queue, std::optional<RequestId> id);
  void set_key(RequestId id, std::uint8_t priority);
  void check_overdue(const farm::Farm& farm, Now now);
  /// After a change of users or ceilings.
  void refresh_limits(const farm::Farm& farm);
  void refresh_hold(const farm::Farm& farm, Signature& signature);
  [[nodiscard]] bool is_held(const farm::Farm& farm, const Needs& needs) const;

  // Workers
  /// The worker came, went, or changed what it offers.
  void follow_offer(const farm::Farm& farm, WorkerUuid uuid, Now now);
  void follow_availability(const farm::Farm& farm, WorkerUuid uuid);
  void add(const farm::Farm& farm, const farm::Worker& worker, Now now);
  void remove(const farm::Farm& farm, WorkerUuid uuid, Now now);
  void move(const farm::Farm& farm, const farm::Worker& worker, Now now);
  void set_idle(WorkerUuid uuid, KnownWorker& known, std::optional<EventSeq> idle_since);
  void forget_name(WorkerUuid uuid, const std::optional<std::string>& name);

  // Signatures and classes
  [[nodiscard]] Signature& signature_for(const farm::Farm& farm, Needs needs, Now now);
  void drop(Signature& signature);
  /// What fits the needs of `signature`, which is not linked yet.
  void find_fitting(const farm::Farm& farm, Signature& signature) const;
  [[nodiscard]] std::set<WorkerUuid> find_pinned(const farm::Farm& farm, const Needs& needs) const;
  [[nodiscard]] Class& class_for(const farm::Worker& worker);
  void drop(Class& of);
  void count_fitting(const farm::Farm& farm, Signature& signature, std::ptrdiff_t change, Now now);
  /// Whether any worker could serve them has changed.
  void follow_servability(const Signature& signature);
  void mark_unservable(const farm::Farm& farm, const Signature& signature);
  void set_invalid_at(Signature& signature, std::optional<Instant> at);

  // Decisions
  struct Choice {
    QueueKey key = kNoKey;
    /// Of the owner; 0 unless the order is fair.
    double use = 0;
    WorkerUuid worker;
  };
  [[nodiscard]] static bool precedes(const Choice& left, const Choice& right);
  [[nodiscard]] double use_of(const farm::Farm& farm, QueueKey key, Instant now) const;
  [[nodiscard]] Choice choose(const farm::Farm& farm, Now now);
  /// The first request that the worker can serve.
  [[nodiscard]] Choice best_for(const farm::Farm& farm, WorkerUuid uuid, Now now) const;
  [[nodiscard]] std::optional<WorkerUuid> best_worker(const Signature& signature) const;
  [[nodiscard]] bool better(WorkerUuid left, WorkerUuid right) const;
  /// The same in a fair queue, where requests of `priority` are the most important ones that the worker can serve.
  [[nodiscard]] Choice fairest_for(const farm::Farm& farm, WorkerUuid uuid, std::uint8_t priority, Now now) const;
  [[nodiscard]] farm::Events start_job(const farm::Farm& farm, const Choice& choice, std::uint16_t tunnel_port,
                                       Now now) const;
  [[nodiscard]] farm::Events mark_servable(const farm::Farm& farm, Now now);
  [[nodiscard]] farm::Events invalidate(const farm::Farm& farm, Now now);

  // Who competes with whom
  [[nodiscard]] bool share_worker(const Signature& left, const Signature& right) const;
  [[nodiscard]] std::size_t count_idle(const Signature& signature) const;
  /// How many of `signature` come before the request of `rank`.
  [[nodiscard]] std::size_t count_before(const farm::Farm& farm, const Signature& signature, const Choice& rank,
                                         UserId owner, Instant now) const;

  std::unordered_map<Needs, std::unique_ptr<Signature>, NeedsHash> signatures_;
  Slots<Signature> signature_slots_;
  std::map<std::pair<Capabilities, Groups>, std::unique_ptr<Class>> classes_;
  Slots<Class> class_slots_;
  Heads heads_;
  /// Classes with an idle worker.
  Bits idle_classes_;
  /// Classes that have a capability with a value.
  std::map<std::pair<std::string, std::string>, Bits> classes_with_;

  std::unordered_map<RequestId, WaitingRequest> requests_;
  std::unordered_map<WorkerUuid, KnownWorker> workers_;
  std::map<std::string, std::set<WorkerUuid>, std::less<>> workers_by_name_;
  std::map<std::string, std::set<std::size_t>, std::less<>> pinned_by_uuid_;
  std::map<std::string, std::set<std::size_t>, std::less<>> pinned_by_name_;
  /// Pinned by a requirement alone, as in UUID!=…: any worker may fit.
  std::set<std::size_t> pinned_by_requirement_;
  std::set<std::pair<Instant, RequestId>> later_;
  std::set<std::pair<Instant, std::size_t>> invalid_at_;
  std::size_t idle_workers_ = 0;

  std::unordered_map<UserId, OwnerQueue> owners_;
  /// Running jobs that went first because they were overdue.
  std::map<RequestId, UserId> overdue_jobs_;
  std::unordered_map<UserId, std::size_t> owners_with_overdue_jobs_;
  std::set<std::pair<Instant, UserId>> overdue_checks_;
  /// Signatures whose owner stands under a ceiling on running jobs.
  std::set<std::size_t> limited_signatures_;

  // What has changed since the matcher had nothing to add.
  Bits hot_signatures_;
  boost::container::flat_set<WorkerUuid> hot_workers_;
  std::vector<RequestId> newly_unservable_;
  bool servability_changed_ = false;
};

}  // namespace boruta::match

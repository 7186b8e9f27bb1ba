#pragma once

#include <cstdint>
#include <limits>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

#include "match/matcher.hpp"

namespace boruta::match {

/// Orders requests in a queue: priority, then id.
using QueueKey = std::uint64_t;
inline constexpr QueueKey kNoKey = std::numeric_limits<QueueKey>::max();

[[nodiscard]] constexpr QueueKey key_of(farm::Priority priority, RequestId id) {
  constexpr unsigned kIdBits = 56;
  return (QueueKey{priority.value} << kIdBits) | id.value;
}
[[nodiscard]] constexpr RequestId id_of(QueueKey key) {
  constexpr unsigned kPriorityBits = 8;
  return RequestId{(key << kPriorityBits) >> kPriorityBits};
}

struct Class;

/// One side of the link between a signature and a class that fits it; each side knows its place in the other's list,
/// so both ends go in constant time.
struct ClassLink {
  Class* fitting = nullptr;
  std::uint32_t place = 0;
};

/// Requests that need the same of a worker.
struct Signature {
  std::uint64_t serial = 0;
  /// Without UUID and name.
  Needs needs;
  /// A request that names its worker is *pinned*: it is linked to workers, not to classes.
  std::optional<std::string> uuid;
  std::optional<std::string> name;
  std::set<QueueKey> ready;
  /// ValidAfter has not come yet.
  std::set<QueueKey> later;
  std::vector<ClassLink> classes;
  std::set<WorkerUuid> pinned_to;
  /// Registered workers that could serve these requests.
  std::size_t fitting_workers = 0;
  /// When those of its requests that were servable once become INVALID.
  std::optional<Instant> invalid_at;

  [[nodiscard]] bool is_pinned() const { return uuid.has_value() || name.has_value(); }
  [[nodiscard]] QueueKey head() const { return ready.empty() ? kNoKey : *ready.begin(); }
  [[nodiscard]] bool unused() const { return ready.empty() && later.empty(); }
};

struct SignatureLink {
  Signature* fitting = nullptr;
  std::uint32_t place = 0;
};

/// Workers that offer the same, UUID and name apart.
struct Class {
  Capabilities caps;
  Groups groups;
  std::size_t surplus = 0;
  std::size_t members = 0;
  /// Idle and connected, the one idle longest first.
  std::set<std::pair<EventSeq, WorkerUuid>> idle;
  /// Parallel: the head of each fitting signature's queue stands apart, so that the scan for the best is one run
  /// through memory.
  std::vector<QueueKey> heads;
  std::vector<SignatureLink> signatures;
};

class Matcher::Index {
 public:
  Index(const farm::Farm& farm, Now now);

  void observe(const farm::Farm& farm, const farm::Touched& touched, Now now);
  [[nodiscard]] farm::Events next(const farm::Farm& farm, Now now);
  [[nodiscard]] farm::NextDeadline next_deadline() const;
  [[nodiscard]] Standing standing(RequestId id) const;
  [[nodiscard]] std::pair<std::size_t, std::size_t> count_fitting(const farm::Farm& farm, const Capabilities& caps,
                                                                  UserId owner) const;
  [[nodiscard]] std::size_t signature_count() const { return signatures_.size(); }
  [[nodiscard]] std::size_t class_count() const { return classes_.size(); }

 private:
  struct WaitingRequest {
    Signature* signature = nullptr;
    QueueKey key = 0;
    Instant valid_after{};
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

  // Requests
  void follow(const farm::Farm& farm, RequestId id, Now now);
  void add(const farm::Farm& farm, const farm::Request& request, Now now);
  void remove(RequestId id, const WaitingRequest& waiting);
  void requeue(const farm::Request& request, WaitingRequest& waiting, Now now);
  void judge_anew(const farm::Farm& farm, UserId owner, Now now);
  void promote(Now now);
  void enqueue(RequestId id, WaitingRequest& waiting);

  // Workers
  void follow(const farm::Farm& farm, WorkerUuid uuid, Now now);
  void add(const farm::Farm& farm, const farm::Worker& worker, Now now);
  void remove(const farm::Farm& farm, WorkerUuid uuid, Now now);
  void set_idle(WorkerUuid uuid, KnownWorker& known, std::optional<EventSeq> idle_since);
  void forget_name(WorkerUuid uuid, const std::optional<std::string>& name);

  // Signatures and classes
  [[nodiscard]] Signature& signature_for(const farm::Farm& farm, Needs needs, Now now);
  void drop(Signature& signature);
  void pin(const farm::Farm& farm, Signature& signature);
  [[nodiscard]] Class& class_for(const farm::Worker& worker);
  void drop(Class& of);
  void link(Signature& signature, Class& of);
  void unlink_all(Signature& signature);
  void unlink_all(Class& of);
  void publish_head(Signature& signature);
  void add_fitting(const farm::Farm& farm, Signature& signature, std::size_t before, Now now);
  void mark_unservable(const farm::Farm& farm, const Signature& signature);
  void set_invalid_at(Signature& signature, std::optional<Instant> at);

  // Decisions
  struct Choice {
    QueueKey key = kNoKey;
    WorkerUuid worker;
  };
  [[nodiscard]] Choice choose();
  [[nodiscard]] std::pair<QueueKey, Signature*> best_for(const KnownWorker& known) const;
  [[nodiscard]] std::optional<WorkerUuid> best_worker(const Signature& signature) const;
  [[nodiscard]] bool better(WorkerUuid left, WorkerUuid right) const;
  [[nodiscard]] farm::Events start_job(const farm::Farm& farm, const Choice& choice, Now now) const;
  [[nodiscard]] farm::Events mark_servable(const farm::Farm& farm, Now now);
  [[nodiscard]] farm::Events invalidate(const farm::Farm& farm, Now now);
  [[nodiscard]] std::set<const Signature*> competitors_of(const Signature& own) const;

  std::uint64_t last_serial_ = 0;
  std::map<Needs, std::unique_ptr<Signature>> signatures_;
  std::unordered_map<std::uint64_t, Signature*> by_serial_;
  std::map<std::pair<Capabilities, Groups>, std::unique_ptr<Class>> classes_;
  std::unordered_map<RequestId, WaitingRequest> requests_;
  std::unordered_map<WorkerUuid, KnownWorker> workers_;
  std::map<std::string, std::set<WorkerUuid>, std::less<>> workers_by_name_;
  std::map<std::string, std::set<std::uint64_t>, std::less<>> pinned_by_uuid_;
  std::map<std::string, std::set<std::uint64_t>, std::less<>> pinned_by_name_;
  std::set<std::pair<Instant, RequestId>> later_;
  std::set<std::pair<Instant, std::uint64_t>> invalid_at_;
  std::size_t idle_workers_ = 0;

  // What has changed since the matcher had nothing to add.
  std::unordered_set<std::uint64_t> hot_signatures_;
  std::set<WorkerUuid> hot_workers_;
  std::vector<RequestId> newly_unservable_;
};

}  // namespace boruta::match

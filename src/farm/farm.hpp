#pragma once

#include <cstddef>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "farm/events.hpp"
#include "farm/loads.hpp"
#include "farm/policy.hpp"
#include "farm/request_table.hpp"
#include "farm/rows.hpp"
#include "farm/types.hpp"

namespace boruta::farm {

/// When something is due by itself, on each clock.
struct NextDeadline {
  std::optional<Instant> wall;
  std::optional<Instant> lease;
};

/// The state of the whole farm. It changes only through `apply_event`; everything else reads.
/// Thread: whoever owns it. Pure: no clock, no randomness, no I/O.
class Farm {
 public:
  explicit Farm(Policy policy) : policy_(policy), loads_(policy.half_life), used_ports_(port_count(policy), false) {}
  /// The farm that `rows` describe.
  Farm(Policy policy, const Rows& rows);
  Farm(const Farm&) = delete;
  Farm& operator=(const Farm&) = delete;
  Farm(Farm&&) = default;
  Farm& operator=(Farm&&) = default;
  ~Farm() = default;

  [[nodiscard]] const Policy& policy() const { return policy_; }
  [[nodiscard]] EventSeq last_event() const { return last_event_; }

  [[nodiscard]] const RequestTable& requests() const { return requests_; }
  [[nodiscard]] FoundRequest find_request(RequestId id) const { return requests_.find(id); }
  /// Null if it has ended.
  [[nodiscard]] const Request* find_open_request(RequestId id) const { return requests_.find_open(id); }
  [[nodiscard]] const std::map<WorkerUuid, Worker>& workers() const { return workers_; }
  [[nodiscard]] const Worker* find_worker(WorkerUuid uuid) const;
  [[nodiscard]] const std::map<UserId, User>& users() const { return users_; }
  [[nodiscard]] const User* find_user(UserId id) const;
  /// Not the deleted ones.
  [[nodiscard]] const User* find_user(std::string_view name) const;
  /// Those for which ceilings were set.
  [[nodiscard]] const std::map<std::string, LimitedGroup, std::less<>>& limited_groups() const { return groups_; }
  /// What each owner has waiting and running, and has used.
  [[nodiscard]] const Loads& loads() const { return loads_; }
  [[nodiscard]] const std::map<TokenId, Token>& tokens() const { return tokens_; }
  /// Also revoked and expired ones.
  [[nodiscard]] const Token* find_token(std::string_view hash) const;
  /// Of all requests that are known.
  [[nodiscard]] const ListColumns& list_columns() const { return requests_.columns(); }
  /// As Rows::forgotten_until.
  [[nodiscard]] std::optional<Instant> forgotten_until() const { return forgotten_until_; }
  /// By the request that was filed, so the oldest first.
  [[nodiscard]] const std::map<RequestId, Creation>& creations() const { return creations_; }
  /// What `owner` has filed under `key`, maybe long ago.
  [[nodiscard]] const Creation* find_creation(UserId owner, std::string_view key) const;
  /// WAITING and IN PROGRESS requests.
  [[nodiscard]] const std::set<RequestId>& open_requests() const { return open_requests_; }

  /// Also removed ones.
  [[nodiscard]] const std::map<UserKeyId, UserKey>& user_keys() const { return user_keys_; }
  /// Those with which `user` logs in, oldest first.
  [[nodiscard]] std::vector<const UserKey*> keys_of(UserId user) const;

  [[nodiscard]] UserId next_user_id() const;
  [[nodiscard]] TokenId next_token_id() const;
  [[nodiscard]] UserKeyId next_user_key_id() const;

  [[nodiscard]] NextDeadline next_deadline() const;
  /// WAITING request whose deadline is the earliest, with the instant (wall).
  [[nodiscard]] std::optional<std::pair<Instant, RequestId>> earliest_deadline() const;
  /// Running job whose end, unless somebody acts, is the earliest (lease clock).
  [[nodiscard]] std::optional<std::pair<Instant, RequestId>> earliest_job_end() const;
  /// Worker whose agent's time is up first (lease clock).
  [[nodiscard]] std::optional<std::pair<Instant, WorkerUuid>> earliest_agent_timeout() const;

  /// A tunnel port that no job has, going round the range; nothing when there is none.
  [[nodiscard]] std::optional<std::uint16_t> free_tunnel_port() const;

  [[nodiscard]] Rows rows() const;

 private:
  friend class Applier;

  static std::size_t port_count(const Policy& policy) {
    return std::size_t{policy.last_tunnel_port} - policy.first_tunnel_port + 1;
  }

  void index(const Request& request);
  void unindex(const Request& request);
  [[nodiscard]] Worker* find_worker(WorkerUuid uuid);
  Worker& add_worker(Worker worker);
  void remove_worker(WorkerUuid uuid);
  void add_creation(Creation creation);
  void remove_creation(std::map<RequestId, Creation>::iterator creation);
  void move_timeout(WorkerUuid uuid, std::optional<Instant> from, std::optional<Instant> to);
  void mark_port(const Request& request, bool used);
  /// The search for a free port goes on behind this one, so that a port that was just left is taken again last.
  void pass_port(std::uint16_t port);
  [[nodiscard]] SharedDemand intern(const Demand& demand);

  Policy policy_;
  EventSeq last_event_;
  std::optional<Instant> forgotten_until_;
  RequestTable requests_;
  std::map<WorkerUuid, Worker> workers_;
  std::map<UserId, User> users_;
  std::map<std::string, LimitedGroup, std::less<>> groups_;
  std::map<TokenId, Token> tokens_;
  std::map<RequestId, Creation> creations_;
  std::map<UserKeyId, UserKey> user_keys_;

  // Derived from the above.
  std::unordered_map<WorkerUuid, Worker*> workers_by_uuid_;
  std::map<std::string, UserId, std::less<>> users_by_name_;
  std::map<std::string, TokenId, std::less<>> tokens_by_hash_;
  /// Not the removed ones.
  std::map<UserId, std::set<UserKeyId>> keys_by_user_;
  std::map<std::pair<UserId, std::string>, RequestId, std::less<>> creations_by_key_;
  Loads loads_;
  std::set<RequestId> open_requests_;
  std::set<std::pair<Instant, RequestId>> deadlines_;
  std::set<std::pair<Instant, RequestId>> job_ends_;
  std::set<std::pair<Instant, WorkerUuid>> agent_timeouts_;
  std::vector<bool> used_ports_;
  std::size_t next_port_ = 0;
  struct ByDemand {
    using is_transparent = void;
    static const Demand& demand_of(const Demand& demand) { return demand; }
    static const Demand& demand_of(const SharedDemand& shared) { return *shared; }
    bool operator()(const auto& left, const auto& right) const { return demand_of(left) < demand_of(right); }
  };
  /// Demands that requests share. Once there are many, those that none has any more go.
  std::set<SharedDemand, ByDemand> interned_;
  std::size_t interned_swept_at_ = 1'024;
};

/// When the job is over by itself: its timeout, the end of its time to be claimed, or of its agent's grace.
[[nodiscard]] Instant end_of(const Job& job, const Policy& policy);

/// When its agent's time is up (lease clock): to answer, or to be back.
[[nodiscard]] std::optional<Instant> timeout_of(const Worker& worker);

/// Applies `event` to `farm`. Pure: equal farms and events give equal farms. Adds the changed rows to `touched`, which
/// has to be normalized then.
/// REQUIRES: event.seq is the next, and `decide` or the matcher made the event for this farm's state.
void apply_event(Farm& farm, const Event& event, Touched& touched);

}  // namespace boruta::farm

#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "farm/types.hpp"

/// What happened. Events are the truth: applying them in order to an empty farm gives the farm.
namespace boruta::farm {

/// The server started: no agent is connected, timers of agents start anew.
struct ServerStarted {
  /// The lease clock's value at that moment: the clock of one run says nothing about the next.
  Instant lease_now{};
  Duration respond_within{};
  Duration lost_after{};

  friend bool operator==(const ServerStarted&, const ServerStarted&) = default;
};

struct UserCreated {
  UserId id;
  std::string name;
  Role role = Role::kUser;
  Groups groups;

  friend bool operator==(const UserCreated&, const UserCreated&) = default;
};

struct UserGroupsSet {
  UserId id;
  Groups groups;

  friend bool operator==(const UserGroupsSet&, const UserGroupsSet&) = default;
};

/// All tokens of the user are revoked with it.
struct UserDeleted {
  UserId id;

  friend bool operator==(const UserDeleted&, const UserDeleted&) = default;
};

struct TokenCreated {
  TokenId id;
  std::string hash;
  std::string name;
  Role role = Role::kUser;
  UserId user{};
  std::optional<Instant> expires;
  bool reusable = false;
  std::optional<std::uint32_t> max_workers;
  bool in_service = false;

  friend bool operator==(const TokenCreated&, const TokenCreated&) = default;
};

/// A reusable token has admitted one more worker, any other belongs to this one from now on.
struct TokenBound {
  TokenId id;
  WorkerUuid worker;

  friend bool operator==(const TokenBound&, const TokenBound&) = default;
};

struct TokenRevoked {
  TokenId id;

  friend bool operator==(const TokenRevoked&, const TokenRevoked&) = default;
};

struct RequestCreated {
  RequestId id;
  UserId owner;
  Capabilities caps;
  Requirements requirements;
  Priority priority;
  WallTime valid_after;
  WallTime deadline;
  Duration lease{};
  Duration claim_within{};
  /// Both or neither.
  std::optional<std::string> idempotency_key;
  std::optional<std::string> body_hash;

  friend bool operator==(const RequestCreated&, const RequestCreated&) = default;
};

/// The resulting values, also of what did not change.
struct RequestUpdated {
  RequestId id;
  Priority priority;
  WallTime valid_after;
  WallTime deadline;

  friend bool operator==(const RequestUpdated&, const RequestUpdated&) = default;
};

/// Some registered worker could serve these: from now on they become INVALID when none can any more.
struct RequestsServable {
  std::vector<RequestId> ids;

  friend bool operator==(const RequestsServable&, const RequestsServable&) = default;
};

/// The request reached its last state. A job that ran is over; what becomes of its worker is an event of its own.
struct RequestEnded {
  RequestId id;
  RequestState from = RequestState::kWaiting;
  RequestState state = RequestState::kDone;
  std::string reason;

  friend bool operator==(const RequestEnded&, const RequestEnded&) = default;
};

/// The request is IN PROGRESS and the worker RUNNING and dirty.
struct JobStarted {
  RequestId id;
  WorkerUuid worker;
  Generation generation;
  Instant timeout{};
  Instant timeout_max{};
  std::optional<Instant> claim_by;
  Instant respond_by{};
  std::uint16_t tunnel_port = 0;
  bool overdue = false;
  bool own_keys = false;

  friend bool operator==(const JobStarted&, const JobStarted&) = default;
};

/// Somebody took the access for the first time.
struct JobAcquired {
  RequestId id;

  friend bool operator==(const JobAcquired&, const JobAcquired&) = default;
};

struct JobProlonged {
  RequestId id;
  Instant timeout{};

  friend bool operator==(const JobProlonged&, const JobProlonged&) = default;
};

struct JobGranted {
  RequestId id;

  friend bool operator==(const JobGranted&, const JobGranted&) = default;
};

/// The agent is lost: the job's lease clock stands still since `since`.
struct JobPaused {
  RequestId id;
  Instant since{};

  friend bool operator==(const JobPaused&, const JobPaused&) = default;
};

struct JobResumed {
  RequestId id;
  Instant timeout{};
  Instant timeout_max{};
  std::optional<Instant> claim_by;
  Duration pause_used{};

  friend bool operator==(const JobResumed&, const JobResumed&) = default;
};

/// The tunnel's port could not be had; this one is tried instead.
struct JobTunnelMoved {
  RequestId id;
  std::uint16_t tunnel_port = 0;

  friend bool operator==(const JobTunnelMoved&, const JobTunnelMoved&) = default;
};

/// A worker that was not there before, in MAINTENANCE and not connected yet.
struct WorkerRegistered {
  WorkerUuid uuid;
  Registration registration;

  friend bool operator==(const WorkerRegistered&, const WorkerRegistered&) = default;
};

/// The registration as it is from now on.
struct WorkerChanged {
  WorkerUuid uuid;
  Registration registration;

  friend bool operator==(const WorkerChanged&, const WorkerChanged&) = default;
};

/// The changed registration waits until the job has ended.
struct WorkerChangePending {
  WorkerUuid uuid;
  Registration registration;

  friend bool operator==(const WorkerChangePending&, const WorkerChangePending&) = default;
};

struct WorkerConnected {
  WorkerUuid uuid;
  std::string instance;
  std::string ssh_address;
  /// The worker's own or the agent's highest, whichever is larger: the next change goes beyond both.
  Generation generation;
  /// The agent holds a job that the server does not know of: its user must be ended.
  bool dirty = false;
  /// RUNNING and not granted yet: when the agent must have granted.
  std::optional<Instant> respond_by;

  friend bool operator==(const WorkerConnected&, const WorkerConnected&) = default;
};

struct WorkerDisconnected {
  WorkerUuid uuid;
  Instant lost_at{};

  friend bool operator==(const WorkerDisconnected&, const WorkerDisconnected&) = default;
};

struct WorkerLost {
  WorkerUuid uuid;

  friend bool operator==(const WorkerLost&, const WorkerLost&) = default;
};

/// The worker changed its state, or begins the same one anew. A job that ran on it is over.
struct WorkerStateChanged {
  WorkerUuid uuid;
  WorkerState from = WorkerState::kMaintenance;
  WorkerState to = WorkerState::kMaintenance;
  std::string reason;
  Generation generation;
  /// PREPARE and BUSY: when the agent must have answered.
  std::optional<Instant> respond_by;
  /// MAINTENANCE of an agent that could not be told.
  bool untold = false;

  friend bool operator==(const WorkerStateChanged&, const WorkerStateChanged&) = default;
};

/// Prepare succeeded; the private key went to the store apart from this.
struct WorkerPrepared {
  WorkerUuid uuid;
  std::string username;
  std::string key_fingerprint;

  friend bool operator==(const WorkerPrepared&, const WorkerPrepared&) = default;
};

/// Nothing of the last job's user is left.
struct WorkerCleaned {
  WorkerUuid uuid;

  friend bool operator==(const WorkerCleaned&, const WorkerCleaned&) = default;
};

/// The agent knows that its worker is in maintenance.
struct WorkerTold {
  WorkerUuid uuid;

  friend bool operator==(const WorkerTold&, const WorkerTold&) = default;
};

/// For the history alone: a failure told in MAINTENANCE or BUSY, a warning of a health check.
struct WorkerNoted {
  WorkerUuid uuid;
  std::string text;

  friend bool operator==(const WorkerNoted&, const WorkerNoted&) = default;
};

struct WorkerDrainSet {
  WorkerUuid uuid;
  bool draining = false;
  std::string reason;

  friend bool operator==(const WorkerDrainSet&, const WorkerDrainSet&) = default;
};

struct WorkerGroupsSet {
  WorkerUuid uuid;
  std::optional<Groups> groups;

  friend bool operator==(const WorkerGroupsSet&, const WorkerGroupsSet&) = default;
};

struct WorkerDeregistered {
  WorkerUuid uuid;

  friend bool operator==(const WorkerDeregistered&, const WorkerDeregistered&) = default;
};

struct UserCeilingsSet {
  UserId id;
  Ceilings ceilings;

  friend bool operator==(const UserCeilingsSet&, const UserCeilingsSet&) = default;
};

struct GroupCeilingsSet {
  std::string group;
  Ceilings ceilings;

  friend bool operator==(const GroupCeilingsSet&, const GroupCeilingsSet&) = default;
};

struct UserKeyAdded {
  UserKeyId id;
  UserId user{};
  std::string name;
  std::string public_key;
  std::string fingerprint;

  friend bool operator==(const UserKeyAdded&, const UserKeyAdded&) = default;
};

struct UserKeyRemoved {
  UserKeyId id;

  friend bool operator==(const UserKeyRemoved&, const UserKeyRemoved&) = default;
};

/// The keys that open a running job's worker are no longer those that the agent was told: it must be told anew.
struct JobKeysChanged {
  RequestId id;
  /// Nothing while the agent is away.
  std::optional<Instant> respond_by;
  /// The worker's from now on, so that an answer to the keys before is told from one to these. Journals of old have
  /// none: it stayed as it was.
  Generation generation;

  friend bool operator==(const JobKeysChanged&, const JobKeysChanged&) = default;
};

/// The token was shown for the first time in limits::kTokenUseStep.
struct TokenUsed {
  TokenId id;

  friend bool operator==(const TokenUsed&, const TokenUsed&) = default;
};

/// For the audit alone: the actor was refused, so often since the last of these.
struct ActionRefused {
  /// "POST /api/v1/users/", "register".
  std::string action;
  /// The refusal's code in a word: "forbidden".
  std::string code;
  std::string reason;
  std::uint64_t times = 1;

  friend bool operator==(const ActionRefused&, const ActionRefused&) = default;
};

/// Requests with ids from `first` to `last`, both included.
struct RequestRange {
  RequestId first;
  RequestId last;

  friend bool operator==(const RequestRange&, const RequestRange&) = default;
};

/// Requests that ended long ago are known no more.
struct RequestsForgotten {
  /// In order of their ids.
  std::vector<RequestRange> ranges;
  /// When the last of them ended.
  Instant ended_until{};

  friend bool operator==(const RequestsForgotten&, const RequestsForgotten&) = default;
};

/// Says nothing: journals of before kept the farm's state beside it. None is written any more.
struct Checkpoint {
  friend bool operator==(const Checkpoint&, const Checkpoint&) = default;
};

/// New kinds go to the end: their place is their name in no store, but the codec's table follows this order.
using EventBody =
    std::variant<ServerStarted, UserCreated, UserGroupsSet, UserDeleted, TokenCreated, TokenBound, TokenRevoked,
                 RequestCreated, RequestUpdated, RequestsServable, RequestEnded, JobStarted, JobAcquired, JobProlonged,
                 JobGranted, JobPaused, JobResumed, JobTunnelMoved, WorkerRegistered, WorkerChanged,
                 WorkerChangePending, WorkerConnected, WorkerDisconnected, WorkerLost, WorkerStateChanged,
                 WorkerPrepared, WorkerCleaned, WorkerTold, WorkerNoted, WorkerDrainSet, WorkerGroupsSet,
                 WorkerDeregistered, UserCeilingsSet, GroupCeilingsSet, UserKeyAdded, UserKeyRemoved, JobKeysChanged,
                 TokenUsed, ActionRefused, RequestsForgotten, Checkpoint>;

struct Event {
  EventSeq seq;
  Instant at{};  ///< wall
  Actor actor;
  EventBody body;

  friend bool operator==(const Event&, const Event&) = default;
};

using Events = std::vector<Event>;

/// "request created", "worker state changed", …: for histories and logs.
[[nodiscard]] std::string_view kind_of(const EventBody& body);
/// All of them, in the order of EventBody.
[[nodiscard]] std::span<const std::string_view> kind_names();

/// From which state to which, and why, in the words of the API; empty: nothing was there before.
struct Transition {
  std::string_view from;
  std::string_view to;

  friend bool operator==(const Transition&, const Transition&) = default;
};

/// What became of the request or of the worker that the event is about; JobStarted changes both.
[[nodiscard]] std::optional<Transition> request_transition_of(const EventBody& body);
[[nodiscard]] std::optional<Transition> worker_transition_of(const EventBody& body);
/// What somebody gave as the reason, or what a note says; may be empty. Lives as long as `body`.
[[nodiscard]] std::string_view reason_of(const EventBody& body);

/// Which request or worker an event is about, for histories; JobStarted is about both.
[[nodiscard]] std::optional<RequestId> request_of(const EventBody& body);
[[nodiscard]] std::optional<WorkerUuid> worker_of(const EventBody& body);

}  // namespace boruta::farm

#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/caps.hpp"
#include "base/ids.hpp"
#include "base/instant.hpp"
#include "base/requirements.hpp"

/// The domain's records: what is stored in a row each, and what all parts of the server talk about.
namespace boruta::farm {

enum class RequestState : std::uint8_t { kWaiting, kInProgress, kCancelled, kTimeout, kInvalid, kDone, kFailed };

enum class WorkerState : std::uint8_t { kMaintenance, kPrepare, kIdle, kRunning, kBusy, kFailed };

enum class Role : std::uint8_t { kUser, kAdmin, kWorker };

/// As the API and the store write them: "WAITING", "IN PROGRESS", …
[[nodiscard]] std::string_view to_string(RequestState state);
[[nodiscard]] std::string_view to_string(WorkerState state);
[[nodiscard]] std::string_view to_string(Role role);
[[nodiscard]] std::optional<RequestState> parse_request_state(std::string_view text);
[[nodiscard]] std::optional<WorkerState> parse_worker_state(std::string_view text);
[[nodiscard]] std::optional<Role> parse_role(std::string_view text);

/// Whether nothing can change in a request any more.
[[nodiscard]] constexpr bool is_terminal(RequestState state) {
  return state != RequestState::kWaiting && state != RequestState::kInProgress;
}

/// A public key that a user registered. Counted from 1.
using UserKeyId = NumericId<struct UserKeyTag>;

/// 1 (most important) to 16.
struct Priority {
  std::uint8_t value = 8;

  friend constexpr auto operator<=>(Priority, Priority) = default;
};

/// Who did something. Users and admins carry their id, agents their worker; the server itself carries nothing.
struct Actor {
  enum class Kind : std::uint8_t { kServer, kUser, kAdmin, kAgent };

  Kind kind = Kind::kServer;
  UserId user{};
  WorkerUuid worker{};
  /// As people know it: a user's name, a worker's name, "server".
  std::string name = "server";
  /// Where it spoke from, as an IP literal; empty where nobody did.
  std::string address = {};

  friend bool operator==(const Actor&, const Actor&) = default;
};

/// The name of the one owner that acts when access control is off. Its id is always the first.
inline constexpr std::string_view kAnonymous = "anonymous";

/// What an owner, or all members of a group together, may have at most; nothing: no limit.
struct Ceilings {
  /// The most important priority that may be asked for.
  std::optional<Priority> priority;
  /// Jobs that run at one time; what is beyond waits.
  std::optional<std::uint32_t> running;
  /// Requests that wait at one time; what is beyond is refused.
  std::optional<std::uint32_t> waiting;

  friend bool operator==(const Ceilings&, const Ceilings&) = default;
};

struct User {
  UserId id;
  std::string name;
  Role role = Role::kUser;
  Groups groups;
  Ceilings ceilings;
  /// A deleted user's requests still tell who filed them.
  bool deleted = false;

  friend bool operator==(const User&, const User&) = default;
};

/// A group of users for which an admin has set ceilings.
struct LimitedGroup {
  std::string name;
  Ceilings ceilings;

  friend bool operator==(const LimitedGroup&, const LimitedGroup&) = default;
};

struct Token {
  TokenId id;
  /// SHA-256 of the token, in hexadecimal digits.
  std::string hash;
  /// For people: "laptop", "ci".
  std::string name;
  Role role = Role::kUser;
  /// Whose token it is; worker tokens belong to nobody.
  UserId user{};
  Instant created{};
  std::optional<Instant> expires;
  /// A worker token admits any worker if it is reusable, else the first that uses it and no other.
  bool reusable = false;
  std::optional<WorkerUuid> bound;
  /// A reusable one: how many different workers it admits; nothing: any number.
  std::optional<std::uint32_t> max_workers;
  /// Those that it has admitted, where they are counted.
  std::vector<WorkerUuid> workers;
  /// A new worker that it admits goes into service at once.
  bool in_service = false;
  /// To within limits::kTokenUseStep; nothing: never.
  std::optional<Instant> last_used;
  bool revoked = false;

  friend bool operator==(const Token&, const Token&) = default;
};

/// A public key with which its user logs in to the workers of their jobs.
struct UserKey {
  UserKeyId id;
  UserId user{};
  /// For people: "alice@laptop".
  std::string name;
  /// As authorized_keys has it, without options and comment: "ssh-ed25519 AAAA…".
  std::string public_key;
  /// "SHA256:…"
  std::string fingerprint;
  Instant created{};
  bool removed = false;

  friend bool operator==(const UserKey&, const UserKey&) = default;
};

struct Job {
  WorkerUuid worker;
  Instant started{};  ///< wall
  /// First instant of the lease clock at which the job is over: `now < timeout` means it runs.
  Instant timeout{};
  /// Prolonging never moves `timeout` past this.
  Instant timeout_max{};
  /// Unless somebody acquired the worker by then, the job ends. Nothing once it was acquired.
  std::optional<Instant> claim_by;
  /// While the agent is lost the lease clock stands still for this job: since when.
  std::optional<Instant> paused_since;
  /// How much of the grace earlier pauses have used.
  Duration pause_used{};
  std::uint16_t tunnel_port = 0;
  /// The agent has confirmed that the owner may log in.
  bool granted = false;
  /// It went before more important ones, since its request had waited for so long (see Policy::overdue_after).
  bool overdue = false;
  /// The owner's registered keys open the worker, and no other.
  bool own_keys = false;

  friend bool operator==(const Job&, const Job&) = default;
};

struct Request {
  RequestId id;
  UserId owner;
  Priority priority;
  RequestState state = RequestState::kWaiting;
  /// Some registered worker could serve it at some time since it was filed.
  bool was_servable = false;
  /// Never null.
  SharedDemand demand;
  WallTime valid_after;
  WallTime deadline;
  Instant created{};  ///< wall
  Instant changed{};  ///< wall: when `state` became what it is
  /// How far one prolongation reaches.
  Duration lease{};
  /// How long a job may stay unacquired; zero: for ever.
  Duration claim_within{};
  /// From the start of the job on, and kept after its end.
  std::optional<Job> job;
  /// Why it is in this state, for people; may be empty.
  std::string reason;
  /// The newest event that changed this record.
  EventSeq last_event;
};

[[nodiscard]] bool operator==(const Request& left, const Request& right);

/// That a request was filed under an Idempotency-Key: its owner may file it again and gets the same one, for
/// limits::kIdempotencyKept.
struct Creation {
  RequestId request;
  UserId owner{};
  std::string key;
  /// Of the body: another one under the same key is refused.
  std::string body_hash;
  Instant at{};  ///< wall

  friend bool operator==(const Creation&, const Creation&) = default;
};

/// What a worker tells of itself when it registers.
struct Registration {
  Capabilities caps;
  std::string ssh_address;
  std::uint16_t ssh_port = 0;
  std::vector<std::string> host_keys;

  friend bool operator==(const Registration&, const Registration&) = default;
};

struct Worker {
  WorkerUuid uuid;
  WorkerState state = WorkerState::kMaintenance;
  Generation generation;
  Registration registration;
  /// Nothing until an admin set them; empty and nothing both mean "serves every user".
  std::optional<Groups> groups;
  /// Which agent speaks for it.
  std::string instance;
  /// Its stream stands.
  bool connected = false;
  /// The agent has been silent for too long.
  bool lost = false;
  /// A job's user may still be on it.
  bool dirty = false;
  /// The agent has not been told of the maintenance yet.
  bool untold = false;
  /// The next Prepare follows a failure and checks the hardware in full.
  bool needs_full_check = false;
  /// The job that runs ends before the worker goes into maintenance.
  bool draining = false;
  std::string drain_reason;
  /// Who wants it drained.
  std::string drain_by;
  /// A changed registration that waits for the running job to end.
  std::optional<Registration> pending;
  /// PREPARE and BUSY: lease instant by which the agent must have answered. RUNNING: by which it must have granted.
  std::optional<Instant> respond_by;
  /// Disconnected but not yet lost: lease instant at which it is.
  std::optional<Instant> lost_at;
  /// RUNNING only.
  std::optional<RequestId> job;
  /// IDLE and RUNNING: who logs in, and the fingerprint of the key that Prepare made.
  std::string username;
  std::string key_fingerprint;
  Instant changed{};  ///< wall: when `state` became what it is
  /// As it was given; see `reason_of` for people.
  std::string reason;
  /// By whom, as people know them.
  std::string changed_by;
  /// The event that made it IDLE: orders idle workers by how long they are.
  EventSeq idle_since;
  EventSeq last_event;

  friend bool operator==(const Worker&, const Worker&) = default;
};

/// The worker's name: its `name` capability, else its board or "worker" with the UUID's tail.
[[nodiscard]] std::string name_of(const Worker& worker);

/// Why the worker is in its state, for people; may be empty. `reason` is what the board shows, this tells besides when
/// the agent does not know of the maintenance yet.
[[nodiscard]] std::string reason_of(const Worker& worker);

/// The worker's groups, empty when none were set.
[[nodiscard]] const Groups& groups_of(const Worker& worker);

}  // namespace boruta::farm

#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/caps.hpp"
#include "base/ids.hpp"
#include "base/instant.hpp"
#include "base/secret.hpp"

/// What the API's JSON says, as values. Fields that a server may leave out are optional or empty.
namespace boruta::client {

enum class RequestState : std::uint8_t {
  kWaiting,
  kInProgress,
  kCancelled,
  kTimeout,
  kInvalid,
  kDone,
  kFailed,
  kUnknown,  ///< a state that this client does not know
};

enum class WorkerState : std::uint8_t { kMaintenance, kPrepare, kIdle, kRunning, kBusy, kFailed, kUnknown };

struct JobInfo {
  std::string worker_uuid;
  std::optional<Instant> timeout;
};

struct RequestInfo {
  RequestId id;
  unsigned priority = 0;
  std::string owner;
  Groups owner_groups;
  RequestState state = RequestState::kUnknown;
  /// The state as the server wrote it.
  std::string state_text;
  Capabilities caps;
  /// As people write them: "ram>=4GiB".
  std::vector<std::string> requirements;
  std::optional<Instant> valid_after;
  std::optional<Instant> deadline;
  std::optional<JobInfo> job;
  std::string reason;
  std::optional<Instant> created;
  std::optional<Instant> started;
  std::optional<Instant> ended;
  /// Only while WAITING: the place, from 1, among the `queue` requests that compete for the same workers.
  std::optional<std::uint64_t> position;
  std::optional<std::uint64_t> queue;
  /// Registered workers that could serve it, and those of them that are idle.
  std::optional<std::uint64_t> fits;
  std::optional<std::uint64_t> fits_idle;
};

struct WorkerInfo {
  std::string uuid;
  WorkerState state = WorkerState::kUnknown;
  std::string state_text;
  Groups groups;
  Capabilities caps;
  std::string name;
  std::string reason;
  std::string by;
  std::optional<Instant> since;
  bool connected = true;
  bool draining = false;
  std::optional<RequestId> job;
  std::string address;
  /// How the server reaches it: "direct", "agent"; empty: not known.
  std::string tunnel;
};

/// One thing that happened.
struct EventInfo {
  std::uint64_t seq = 0;
  std::optional<Instant> time;
  /// A user's name, a worker's, or "server".
  std::string actor;
  /// "job started", "worker state changed", …
  std::string type;
  std::optional<RequestId> request;
  /// Empty unless it is about a worker.
  std::string worker_uuid;
  /// From which state to which; both empty when none changed, `from` when nothing was there before.
  std::string from;
  std::string to;
  std::string reason;
  /// The `name` among the details; empty if there is none.
  std::string name;
  /// Only in an audit: where the actor spoke from, what was asked for in vain, and how often.
  std::string address;
  std::string action;
  std::uint64_t times = 0;
};

/// What is empty is not looked at.
struct AuditFilter {
  /// RFC 3339, or a duration like "7d".
  std::string since;
  std::string actor;
  std::string address;
  std::string kind;
  std::string worker;
  std::optional<RequestId> request;
};

struct AuditPage {
  std::vector<EventInfo> events;
  /// The same as the server wrote them, an object each.
  std::vector<std::string> lines;
  /// After which event the next page begins; nothing: this is the last.
  std::optional<std::uint64_t> next;
};

/// How long one request had a worker.
struct UsageInfo {
  RequestId request;
  std::string owner;
  Groups owner_groups;
  std::string worker_uuid;
  std::optional<Instant> started;
  /// Nothing while it runs.
  std::optional<Instant> ended;
  std::chrono::seconds held{};
  std::string state_text;
  RequestState state = RequestState::kUnknown;
  std::string reason;
};

/// Who had workers for how long.
struct Usage {
  std::vector<UsageInfo> jobs;
  /// Jobs that ended before are not known any more, though they were asked for.
  std::optional<Instant> known_since;
};

struct NewRequest {
  Capabilities caps;
  std::vector<std::string> requirements;
  unsigned priority = 8;
  std::optional<WallTime> valid_after;
  std::optional<WallTime> deadline;
  std::optional<Duration> lease;
  std::optional<Duration> claim_within;
};

/// What is not given stays as it is.
struct RequestUpdate {
  std::optional<unsigned> priority;
  std::optional<WallTime> valid_after;
  std::optional<WallTime> deadline;
};

struct RequestFilter {
  std::vector<std::string> states;
  std::vector<std::string> owners;
};

struct AccessInfo {
  std::string ip;
  std::uint16_t port = 0;
  std::string zone;
  std::string username;
  /// PEM; empty when the owner's registered keys let them in.
  Secret key;
  /// "ssh-ed25519 AAAA…" each.
  std::vector<std::string> host_keys;
};

/// Nothing: no limit.
struct Ceilings {
  std::optional<unsigned> priority;
  std::optional<std::uint32_t> running;
  std::optional<std::uint32_t> waiting;

  friend bool operator==(const Ceilings&, const Ceilings&) = default;
};

struct Identity {
  std::string name;
  std::string role;
  Groups groups;
  Ceilings ceilings;
};

struct GroupInfo {
  std::string name;
  std::vector<std::string> users;
  std::uint64_t running = 0;
  std::uint64_t waiting = 0;
  Ceilings ceilings;
};

/// One thing that a worker lacks.
struct Miss {
  std::string capability;
  /// What it has there; nothing: it is not there.
  std::optional<std::string> has;
  std::string text;
};

/// What one worker is to a request.
struct WorkerVerdict {
  std::string uuid;
  std::string name;
  /// "free", "preparing", "busy", "out of service", "reserved", "almost fits" or "does not fit".
  std::string fitness;
  std::string state_text;
  std::optional<Instant> since;
  std::string by;
  std::optional<Instant> until;
  std::optional<RequestId> request;
  std::string owner;
  std::string detail;
  std::vector<Miss> misses;
};

struct AheadInfo {
  RequestId request;
  std::string owner;
  std::string why;
};

/// How many workers are what to a request.
struct FitnessCounts {
  std::uint64_t free = 0;
  std::uint64_t preparing = 0;
  std::uint64_t busy = 0;
  std::uint64_t out_of_service = 0;
};

/// Why a request waits. Of one that does not wait: its state, its reason and what it asked for.
struct ExplanationInfo {
  std::optional<RequestId> request;
  RequestState state = RequestState::kUnknown;
  std::string state_text;
  std::string reason;
  std::string asked;
  std::optional<Instant> ready_since;
  std::optional<Instant> not_before;
  std::uint64_t position = 0;
  std::uint64_t queue = 0;
  std::uint64_t fits = 0;
  std::uint64_t fits_idle = 0;
  std::string held;
  std::optional<Instant> not_later_than;
  std::optional<Instant> at_worst;
  std::string unknown;
  std::vector<AheadInfo> ahead;
  FitnessCounts counts;
  std::vector<WorkerVerdict> workers;
};

struct VersionInfo {
  std::string server;
  std::string api_version;
  std::string api_state;
};

struct TokenInfo {
  std::uint64_t id = 0;
  std::string name;
  std::string role;
  std::string user;
  std::string worker;
  std::optional<Instant> created;
  std::optional<Instant> expires;
  std::optional<Instant> last_used;
  bool reusable = false;
  std::optional<std::uint32_t> max_workers;
  std::uint32_t admitted = 0;
  bool in_service = false;
};

struct NewToken {
  std::string name;
  /// "worker", or empty for a user's.
  std::string role;
  /// Empty: the caller's own.
  std::string user;
  std::optional<WallTime> expires;
  bool reusable = false;
  std::optional<std::uint32_t> max_workers;
  bool in_service = false;
};

struct KeyInfo {
  std::uint64_t id = 0;
  std::string name;
  std::string user;
  std::string type;
  unsigned bits = 0;
  std::string fingerprint;
  std::optional<Instant> created;
};

struct NewKey {
  /// The line of a .pub file.
  std::string key;
  std::string name;
  /// Empty: the caller's own.
  std::string user;
};

struct NewUser {
  std::string name;
  Groups groups;
  /// "user" when empty.
  std::string role;
};

/// Shown once: the server keeps only a hash.
struct IssuedToken {
  std::string name;
  std::uint64_t id = 0;
  Secret token;
};

[[nodiscard]] constexpr bool is_terminal(RequestState state) {
  return state != RequestState::kWaiting && state != RequestState::kInProgress && state != RequestState::kUnknown;
}

}  // namespace boruta::client

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

struct NewRequest {
  Capabilities caps;
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

struct Identity {
  std::string name;
  std::string role;
  Groups groups;
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
  bool revoked = false;
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

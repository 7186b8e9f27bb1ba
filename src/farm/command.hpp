#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "farm/types.hpp"

/// What somebody wants changed. Every command comes with its actor; `decide` says what becomes of it.
namespace boruta::farm {

struct StartServer {};

struct CreateRequest {
  Capabilities caps;
  /// Normalized.
  Requirements requirements;
  std::int64_t priority = 0;
  std::optional<WallTime> valid_after;
  std::optional<WallTime> deadline;
  std::optional<Duration> lease;
  std::optional<Duration> claim_within;
  /// Empty: none was given. Who repeats a key gets the request that it has filed, and no event.
  std::string idempotency_key;
  /// Of the body that came with the key.
  std::string body_hash;
};

struct UpdateRequest {
  RequestId id;
  std::optional<std::int64_t> priority;
  std::optional<WallTime> valid_after;
  std::optional<WallTime> deadline;
};

struct CloseRequest {
  RequestId id;
};

struct ProlongAccess {
  RequestId id;
};

/// Takes the access that stands ready, and prolongs it as far as it goes.
struct AcquireWorker {
  RequestId id;
};

struct SetWorkerState {
  WorkerUuid uuid;
  WorkerState state = WorkerState::kMaintenance;
  std::string reason;
  bool drain = false;
};

struct SetWorkerGroups {
  WorkerUuid uuid;
  std::optional<Groups> groups;
};

struct DeregisterWorker {
  WorkerUuid uuid;
};

struct RegisterWorker {
  Registration registration;
  std::string instance;
  Generation generation;
  bool prepared = false;
  std::optional<RequestId> job;
  /// The token that the agent showed; nothing when access control is off.
  std::optional<TokenId> token;
  /// The server has no private key to a worker that stands prepared with a made one, as after a restore.
  bool key_lost = false;
};

/// The worker's stream has ended.
struct DisconnectAgent {
  WorkerUuid uuid;
  /// When the agent was heard last, on the lease clock.
  Instant last_heard{};
};

struct SetFail {
  WorkerUuid uuid;
  std::string reason;
};

/// A warning of the agent, for the history.
struct NoteWorker {
  WorkerUuid uuid;
  std::string text;
};

/// What an agent answered to a command of the given generation. `error` empty: it succeeded.
struct FinishPrepare {
  WorkerUuid uuid;
  Generation generation;
  std::string error;
  std::string username;
  std::string key_fingerprint;
};

struct FinishGrant {
  WorkerUuid uuid;
  Generation generation;
  std::string error;
};

struct FinishEndJob {
  WorkerUuid uuid;
  Generation generation;
  std::string error;
};

struct FinishMaintenance {
  WorkerUuid uuid;
  Generation generation;
  std::string error;
};

/// The port of a job's tunnel could not be had.
struct MoveTunnel {
  RequestId id;
  std::uint16_t port = 0;
};

/// Token hashes come from outside: the core draws no random numbers.
struct CreateUser {
  std::string name;
  Role role = Role::kUser;
  Groups groups;
  /// Where given, the user starts with a token.
  std::string token_hash;
};

struct SetUserGroups {
  std::string name;
  Groups groups;
};

struct SetUserCeilings {
  std::string name;
  Ceilings ceilings;
};

struct SetGroupCeilings {
  std::string group;
  Ceilings ceilings;
};

struct DeleteUser {
  std::string name;
};

/// Role kWorker: for agents. Else a further token for the user `user`, empty for the actor's own.
struct CreateToken {
  Role role = Role::kUser;
  std::string user;
  std::string name;
  std::string hash;
  std::optional<Instant> expires;
  bool reusable = false;
  /// Of a reusable one.
  std::optional<std::uint32_t> max_workers;
  bool in_service = false;
};

struct RevokeToken {
  TokenId id;
};

/// Key and fingerprint were checked outside: the core knows nothing of formats.
struct AddUserKey {
  /// Whose it becomes; empty: the actor's.
  std::string user;
  std::string name;
  std::string public_key;
  std::string fingerprint;
};

struct RemoveUserKey {
  UserKeyId id;
};

/// The token was shown. No event unless that was long ago the last time.
struct NoteTokenUse {
  TokenId id;
};

/// The actor was refused `times` times.
struct NoteRefusal {
  std::string action;
  std::string code;
  std::string reason;
  std::uint64_t times = 1;
};

/// Some of the requests that ended longer ago than Policy::keep_requests are forgotten, so few that nobody has to wait
/// for it. No event: there are none.
struct ForgetRequests {};

using CommandBody =
    std::variant<StartServer, CreateRequest, UpdateRequest, CloseRequest, ProlongAccess, AcquireWorker, SetWorkerState,
                 SetWorkerGroups, DeregisterWorker, RegisterWorker, DisconnectAgent, SetFail, NoteWorker, FinishPrepare,
                 FinishGrant, FinishEndJob, FinishMaintenance, MoveTunnel, CreateUser, SetUserGroups, SetUserCeilings,
                 SetGroupCeilings, DeleteUser, CreateToken, RevokeToken, AddUserKey, RemoveUserKey, NoteTokenUse,
                 NoteRefusal, ForgetRequests>;

struct Command {
  Actor actor;
  CommandBody body;
};

}  // namespace boruta::farm

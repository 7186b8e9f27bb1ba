#include <fmt/format.h>

#include <algorithm>

#include "base/limits.hpp"
#include "farm/decide.hpp"
#include "farm/decisions.hpp"

/// What opens doors: tokens, and the public keys of users.
namespace boruta::farm {
namespace {

/// The user named, or the actor where none is. Others' things are for admins.
std::expected<const User*, Refusal> find_owner(const Emitter& out, const std::string& name) {
  const auto* user = name.empty() ? out.farm().find_user(out.actor().user) : out.farm().find_user(name);
  if (user == nullptr || user->id != out.actor().user) {
    if (auto verdict = check_admin(out.actor()); !verdict) return std::unexpected(verdict.error());
  }
  if (user == nullptr) return refuse(RefusalCode::kUserNotFound);
  return user;
}

Verdict check_token(const Emitter& out, const CreateToken& command) {
  if (command.expires && *command.expires <= out.now().wall) {
    return refuse(RefusalCode::kInvalid, "Expires is in the past");
  }
  if (command.role != Role::kWorker || !command.max_workers) return {};
  if (!command.reusable) return refuse(RefusalCode::kInvalid, "MaxWorkers is for reusable tokens");
  if (*command.max_workers < 1 || *command.max_workers > limits::kWorkersOfToken) {
    return refuse(RefusalCode::kInvalid, fmt::format("MaxWorkers is {}, a number from 1 to {} is allowed",
                                                     *command.max_workers, limits::kWorkersOfToken));
  }
  return {};
}

/// Agents that hold jobs of `user` under registered keys are told which keys those are now.
void renew_grants(Emitter& out, UserId user) {
  for (const auto id : out.farm().open_requests()) {
    const auto* request = out.farm().find_open_request(id);
    if (request->owner != user || !request->job || !request->job->own_keys) continue;
    const auto* worker = out.farm().find_worker(request->job->worker);
    out.add(JobKeysChanged{
        .id = id,
        .respond_by = worker->connected ? std::optional(out.now().lease + out.policy().grant_within) : std::nullopt,
        .generation = Generation{worker->generation.value + 1}});
  }
}

/// A running request of `user` that registered keys open.
std::optional<RequestId> opened_by_keys(const Farm& farm, UserId user) {
  for (const auto id : farm.open_requests()) {
    const auto* request = farm.find_open_request(id);
    if (request->owner == user && request->job && request->job->own_keys) return id;
  }
  return std::nullopt;
}

}  // namespace

Verdict decide_on(Emitter& out, const CreateToken& command) {
  if (auto verdict = check_name("Name", command.name, limits::kTokenNameBytes); !verdict) return verdict;
  UserId owner{};
  auto role = Role::kWorker;
  if (command.role == Role::kWorker) {
    if (auto verdict = check_admin(out.actor()); !verdict) return verdict;
  } else {
    const auto user = find_owner(out, command.user);
    if (!user) return std::unexpected(user.error());
    if (out.policy().access_control && (*user)->name == kAnonymous) {
      return refuse(RefusalCode::kInvalid, fmt::format("the user \"{}\" can have no token", kAnonymous));
    }
    owner = (*user)->id;
    role = (*user)->role;
  }
  if (auto verdict = check_token(out, command); !verdict) return verdict;
  const bool for_workers = role == Role::kWorker;
  out.add(TokenCreated{.id = out.farm().next_token_id(),
                       .hash = command.hash,
                       .name = command.name,
                       .role = role,
                       .user = owner,
                       .expires = command.expires,
                       .reusable = for_workers && command.reusable,
                       .max_workers = for_workers ? command.max_workers : std::nullopt,
                       .in_service = for_workers && command.in_service});
  return {};
}

Verdict decide_on(Emitter& out, const RevokeToken& command) {
  const auto token = out.farm().tokens().find(command.id);
  const bool known = token != out.farm().tokens().end() && !token->second.revoked;
  const bool own = known && token->second.role != Role::kWorker && token->second.user == out.actor().user;
  if (!own) {
    if (auto verdict = check_admin(out.actor()); !verdict) return verdict;
  }
  if (!known) return refuse(RefusalCode::kTokenNotFound);
  out.add(TokenRevoked{.id = command.id});
  return {};
}

bool is_use_news(const Token& token, Now now) {
  return !token.last_used || now.wall - *token.last_used >= limits::kTokenUseStep;
}

Verdict decide_on(Emitter& out, const NoteTokenUse& command) {
  const auto token = out.farm().tokens().find(command.id);
  if (token != out.farm().tokens().end() && is_use_news(token->second, out.now())) {
    out.add(TokenUsed{.id = command.id});
  }
  return {};
}

Verdict decide_on(Emitter& out, const NoteRefusal& command) {
  out.add(
      ActionRefused{.action = command.action, .code = command.code, .reason = command.reason, .times = command.times});
  return {};
}

Verdict decide_on(Emitter& out, const AddUserKey& command) {
  const auto user = find_owner(out, command.user);
  if (!user) return std::unexpected(user.error());
  if ((*user)->name == kAnonymous) {
    return refuse(RefusalCode::kInvalid, "keys are for users who can be told apart: they need access control");
  }
  if (auto verdict = check_name("Name", command.name, limits::kTokenNameBytes); !verdict) return verdict;
  const auto keys = out.farm().keys_of((*user)->id);
  if (keys.size() >= limits::kUserKeys) {
    return refuse(
        RefusalCode::kTooMany,
        fmt::format("{} has {} keys, which is as many as there may be: remove one first", (*user)->name, keys.size()));
  }
  for (const auto* key : keys) {
    if (key->fingerprint != command.fingerprint) continue;
    return refuse(RefusalCode::kAlreadyExists, fmt::format("{} has the key {} already, as number {} named {}",
                                                           (*user)->name, key->fingerprint, key->id.value, key->name));
  }
  out.add(UserKeyAdded{.id = out.farm().next_user_key_id(),
                       .user = (*user)->id,
                       .name = command.name,
                       .public_key = command.public_key,
                       .fingerprint = command.fingerprint});
  renew_grants(out, (*user)->id);
  return {};
}

Verdict decide_on(Emitter& out, const RemoveUserKey& command) {
  const auto key = out.farm().user_keys().find(command.id);
  const bool known = key != out.farm().user_keys().end() && !key->second.removed;
  if (!known || key->second.user != out.actor().user) {
    if (auto verdict = check_admin(out.actor()); !verdict) return verdict;
  }
  if (!known) return refuse(RefusalCode::kKeyNotFound);
  const auto user = key->second.user;
  if (out.farm().keys_of(user).size() == 1) {
    if (const auto running = opened_by_keys(out.farm(), user)) {
      return refuse(RefusalCode::kInvalid,
                    fmt::format("request {} runs, and no other key opens its worker: close the request first, or add "
                                "another key",
                                running->value));
    }
  }
  out.add(UserKeyRemoved{.id = command.id});
  renew_grants(out, user);
  return {};
}

}  // namespace boruta::farm

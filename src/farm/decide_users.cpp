#include <fmt/format.h>

#include <algorithm>
#include <cctype>

#include "base/limits.hpp"
#include "farm/decisions.hpp"

namespace boruta::farm {
namespace {

Verdict check_groups(Groups& groups) {
  if (auto wrong = check_limits(groups)) return refuse(RefusalCode::kInvalid, std::move(*wrong));
  normalize(groups);
  return {};
}

Verdict check_ceilings(const Ceilings& ceilings) {
  if (!ceilings.priority) return {};
  const unsigned priority = ceilings.priority->value;
  if (priority >= limits::kHighestPriority && priority <= limits::kLowestPriority) return {};
  return refuse(RefusalCode::kInvalid, fmt::format("Priority is {}, a ceiling from {} to {} is allowed", priority,
                                                   limits::kHighestPriority, limits::kLowestPriority));
}

/// The user named in a command that changes it.
std::expected<const User*, Refusal> find_changeable(const Emitter& out, const std::string& name) {
  if (auto verdict = check_admin(out.actor()); !verdict) return std::unexpected(verdict.error());
  const auto* user = out.farm().find_user(name);
  if (user == nullptr) return refuse(RefusalCode::kUserNotFound);
  if (user->name == kAnonymous) {
    return refuse(RefusalCode::kInvalid, fmt::format("the user \"{}\" cannot be changed", kAnonymous));
  }
  return user;
}

}  // namespace

Verdict check_name(std::string_view field, const std::string& name, std::size_t limit) {
  const auto fits = [](unsigned char character) {
    return std::isalnum(character) != 0 || character == '.' || character == '_' || character == '-' || character == '@';
  };
  if (name.empty() || name.size() > limit || !std::ranges::all_of(name, fits)) {
    return refuse(RefusalCode::kInvalid, fmt::format("{} is \"{}\": 1 to {} letters, digits and . _ - @ are allowed",
                                                     field, std::string_view(name).substr(0, limit), limit));
  }
  return {};
}

Verdict decide_on(Emitter& out, const CreateUser& command) {
  if (auto verdict = check_admin(out.actor()); !verdict) return verdict;
  if (auto verdict = check_name("Name", command.name, limits::kUserNameBytes); !verdict) return verdict;
  if (command.role == Role::kWorker) {
    return refuse(RefusalCode::kInvalid, "Role is \"worker\": users are \"user\" or \"admin\"");
  }
  if (out.farm().find_user(command.name) != nullptr) {
    return refuse(RefusalCode::kAlreadyExists, fmt::format("there is a user \"{}\" already", command.name));
  }
  auto groups = command.groups;
  if (auto verdict = check_groups(groups); !verdict) return verdict;
  const auto id = out.farm().next_user_id();
  out.add(UserCreated{.id = id, .name = command.name, .role = command.role, .groups = std::move(groups)});
  if (!command.token_hash.empty()) {
    out.add(TokenCreated{.id = out.farm().next_token_id(),
                         .hash = command.token_hash,
                         .name = "first",
                         .role = command.role,
                         .user = id,
                         .expires = std::nullopt});
  }
  return {};
}

Verdict decide_on(Emitter& out, const SetUserGroups& command) {
  const auto user = find_changeable(out, command.name);
  if (!user) return std::unexpected(user.error());
  auto groups = command.groups;
  if (auto verdict = check_groups(groups); !verdict) return verdict;
  if ((*user)->groups != groups) out.add(UserGroupsSet{.id = (*user)->id, .groups = std::move(groups)});
  return {};
}

Verdict decide_on(Emitter& out, const SetUserCeilings& command) {
  const auto user = find_changeable(out, command.name);
  if (!user) return std::unexpected(user.error());
  if (auto verdict = check_ceilings(command.ceilings); !verdict) return verdict;
  if ((*user)->ceilings != command.ceilings) {
    out.add(UserCeilingsSet{.id = (*user)->id, .ceilings = command.ceilings});
  }
  return {};
}

Verdict decide_on(Emitter& out, const SetGroupCeilings& command) {
  if (auto verdict = check_admin(out.actor()); !verdict) return verdict;
  if (auto verdict = check_name("Group", command.group, limits::kGroupNameBytes); !verdict) return verdict;
  if (auto verdict = check_ceilings(command.ceilings); !verdict) return verdict;
  const auto known = out.farm().limited_groups().find(command.group);
  const auto before = known == out.farm().limited_groups().end() ? Ceilings{} : known->second.ceilings;
  if (before != command.ceilings) out.add(GroupCeilingsSet{.group = command.group, .ceilings = command.ceilings});
  return {};
}

Verdict decide_on(Emitter& out, const DeleteUser& command) {
  const auto user = find_changeable(out, command.name);
  if (!user) return std::unexpected(user.error());
  if ((*user)->id == out.actor().user) return refuse(RefusalCode::kInvalid, "you cannot delete yourself");
  const auto reason = fmt::format("its owner was deleted by {}", out.actor().name);
  for (const auto id : out.farm().open_requests()) {
    const auto* request = out.farm().find_open_request(id);
    if (request->owner != (*user)->id) continue;
    if (request->state == RequestState::kWaiting) {
      out.add(
          RequestEnded{.id = id, .from = RequestState::kWaiting, .state = RequestState::kCancelled, .reason = reason});
    } else {
      out.end_job(*request, RequestState::kDone, reason);
    }
  }
  out.add(UserDeleted{.id = (*user)->id});
  return {};
}

}  // namespace boruta::farm

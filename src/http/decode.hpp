#pragma once

#include <expected>
#include <optional>
#include <string>
#include <string_view>

#include "base/agent_messages.hpp"
#include "base/refusal.hpp"
#include "farm/command.hpp"
#include "farm/listing.hpp"

/// The API's JSON bodies as commands and queries. What is wrong with a body is refused as kInvalid, naming the field,
/// its value and what is allowed; what is wrong with a value for the farm, the farm refuses.
namespace boruta::http {

template <class T>
using Decoded = std::expected<T, Refusal>;

/// Decimal digits and nothing else.
[[nodiscard]] std::optional<std::uint64_t> decode_number(std::string_view text);

/// The id of a request, as it stands in a path.
[[nodiscard]] Decoded<RequestId> decode_request_id(std::string_view text);
[[nodiscard]] Decoded<WorkerUuid> decode_worker_uuid(std::string_view text);

[[nodiscard]] Decoded<farm::CreateRequest> decode_create(std::string_view body);
/// Priority 0 and zero times mean "not given". An ID in the body must be `id`.
[[nodiscard]] Decoded<farm::UpdateRequest> decode_update(std::string_view body, RequestId id);
/// An empty body asks for everything.
[[nodiscard]] Decoded<farm::RequestQuery> decode_request_query(std::string_view body);
[[nodiscard]] Decoded<farm::WorkerQuery> decode_worker_query(std::string_view body);

[[nodiscard]] Decoded<farm::SetWorkerState> decode_set_state(std::string_view body, WorkerUuid uuid);
/// Null is nothing.
[[nodiscard]] Decoded<std::optional<Groups>> decode_groups(std::string_view body);

[[nodiscard]] Decoded<agent::BoardAction> decode_power(std::string_view body);
[[nodiscard]] Decoded<agent::BoardAction> decode_sd(std::string_view body);

/// Without token hashes, which are made later.
[[nodiscard]] Decoded<farm::CreateUser> decode_new_user(std::string_view body);
/// Ceilings of a user or a group; what is missing or null is no limit.
[[nodiscard]] Decoded<farm::Ceilings> decode_ceilings(std::string_view body);
[[nodiscard]] Decoded<farm::CreateToken> decode_new_token(std::string_view body);
[[nodiscard]] Decoded<TokenId> decode_token_id(std::string_view text);

struct NewKey {
  /// The line of a .pub file.
  std::string key;
  std::string name;
  /// Empty: the actor's own.
  std::string user;
};
[[nodiscard]] Decoded<NewKey> decode_new_key(std::string_view body);
[[nodiscard]] Decoded<farm::UserKeyId> decode_key_id(std::string_view text);

}  // namespace boruta::http

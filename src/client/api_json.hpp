#pragma once

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>
#include <vector>

#include "client/api_types.hpp"

/// The API's JSON to values and back. Pure. Keys are those of the API; unknown ones are ignored, and a missing one
/// leaves the field as it is by default, unless nothing could be done without it.
namespace boruta::client {

/// The error says which field is wrong, for people.
template <class T>
using Decoded = std::expected<T, std::string>;

[[nodiscard]] Decoded<RequestId> decode_request_id(std::string_view json);
/// Milliamperes.
[[nodiscard]] Decoded<std::int32_t> decode_current(std::string_view json);
[[nodiscard]] Decoded<RequestInfo> decode_request(std::string_view json);
[[nodiscard]] Decoded<std::vector<RequestInfo>> decode_requests(std::string_view json);
[[nodiscard]] Decoded<WorkerInfo> decode_worker(std::string_view json);
[[nodiscard]] Decoded<std::vector<WorkerInfo>> decode_workers(std::string_view json);
[[nodiscard]] Decoded<AccessInfo> decode_access(std::string_view json);
[[nodiscard]] Decoded<ExplanationInfo> decode_explanation(std::string_view json);
[[nodiscard]] Decoded<std::vector<GroupInfo>> decode_groups(std::string_view json);
[[nodiscard]] Decoded<Identity> decode_identity(std::string_view json);
[[nodiscard]] Decoded<std::vector<Identity>> decode_identities(std::string_view json);
[[nodiscard]] Decoded<VersionInfo> decode_version(std::string_view json);
[[nodiscard]] Decoded<std::vector<TokenInfo>> decode_tokens(std::string_view json);
[[nodiscard]] Decoded<std::vector<KeyInfo>> decode_keys(std::string_view json);
[[nodiscard]] Decoded<KeyInfo> decode_key(std::string_view json);
[[nodiscard]] Decoded<IssuedToken> decode_issued_token(std::string_view json);
[[nodiscard]] Decoded<EventInfo> decode_event(std::string_view json);
[[nodiscard]] Decoded<std::vector<EventInfo>> decode_events(std::string_view json);
[[nodiscard]] Decoded<AuditPage> decode_audit(std::string_view json);
[[nodiscard]] Decoded<std::vector<UsageInfo>> decode_usage(std::string_view json);

/// The state that the API's word means.
[[nodiscard]] RequestState parse_request_state(std::string_view word);
[[nodiscard]] WorkerState parse_worker_state(std::string_view word);

/// The `message` of an error's body; empty when it has none.
[[nodiscard]] std::string decode_message(std::string_view json);

[[nodiscard]] std::string encode(const NewRequest& request);
[[nodiscard]] std::string encode(const RequestUpdate& update);
[[nodiscard]] std::string encode(const RequestFilter& filter);
[[nodiscard]] std::string encode(const Ceilings& ceilings);
[[nodiscard]] std::string encode(const NewUser& user);
[[nodiscard]] std::string encode(const Groups& groups);
/// `state` is "IDLE" or "MAINTENANCE"; an empty reason is left out.
[[nodiscard]] std::string encode_set_state(std::string_view state, std::string_view reason, bool drain);
[[nodiscard]] std::string encode(const NewToken& token);
[[nodiscard]] std::string encode(const NewKey& key);
/// An object with one text.
[[nodiscard]] std::string encode_member(std::string_view name, std::string_view text);

}  // namespace boruta::client

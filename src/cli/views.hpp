#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "cli/table.hpp"
#include "client/api_types.hpp"

/// Workers, requests and the like as people see them. Pure but for the local time zone.
namespace boruta::cli {

[[nodiscard]] Tone tone_of(client::WorkerState state);
[[nodiscard]] Tone tone_of(client::RequestState state);

/// Whether an admin has not let it serve yet, or not with the capabilities that it has now.
[[nodiscard]] bool awaits_approval(const client::WorkerInfo& worker);

/// Sorted by name. `owners`: of the requests that run, by number.
[[nodiscard]] Table workers_table(const std::vector<client::WorkerInfo>& workers,
                                  const std::map<std::uint64_t, std::string>& owners, Instant now);

/// Several labelled lines with their ends.
[[nodiscard]] std::string describe_worker(std::string_view name, const client::WorkerInfo& worker,
                                          const std::map<std::uint64_t, std::string>& owners, Instant now);

/// `names`: of workers, by UUID.
[[nodiscard]] Table requests_table(const std::vector<client::RequestInfo>& requests,
                                   const std::map<std::string, std::string>& names, Instant now);

[[nodiscard]] std::string describe_request(const client::RequestInfo& request,
                                           const std::map<std::string, std::string>& names, Instant now);

[[nodiscard]] Table users_table(const std::vector<client::Identity>& users);
[[nodiscard]] Table groups_table(const std::vector<client::GroupInfo>& groups);
/// "priority 4, 3 running, 100 waiting"; empty for none.
[[nodiscard]] std::string describe_ceilings(const client::Ceilings& ceilings);
[[nodiscard]] Table tokens_table(const std::vector<client::TokenInfo>& tokens, Instant now);
[[nodiscard]] Table keys_table(const std::vector<client::KeyInfo>& keys, Instant now);

/// "alice · admin · groups ci and kernel · at most 3 running".
[[nodiscard]] std::string describe_identity(const client::Identity& identity);

}  // namespace boruta::cli

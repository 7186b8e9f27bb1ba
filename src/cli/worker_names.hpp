#pragma once

#include <expected>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "client/api_types.hpp"

namespace boruta::cli {

/// Each worker's name by its UUID: the server's or its `name` capability, else its board or "worker" with the UUID's
/// last digits. Names that several workers claim end in "~" and those digits, for each of them, so that no name means
/// another worker when one comes or goes. Pure: depends on nothing but `workers`.
[[nodiscard]] std::map<std::string, std::string> name_workers(const std::vector<client::WorkerInfo>& workers);

/// The worker that `typed` means: a name, a whole UUID, or the beginning of one (8 digits at least). The error says
/// that there is none and which is nearest, or lists those that it may mean. The result points into `workers`.
[[nodiscard]] std::expected<const client::WorkerInfo*, std::string> find_worker(
    const std::vector<client::WorkerInfo>& workers, std::string_view typed);

}  // namespace boruta::cli

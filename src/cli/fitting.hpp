#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "client/api_types.hpp"

/// Which workers could serve a request, as the client sees it.
namespace boruta::cli {

/// Whether the worker offers all that is asked for, groups aside.
[[nodiscard]] bool offers(const client::WorkerInfo& worker, const Capabilities& wanted);

/// Nothing if a registered worker offers `wanted`; else why none does, with those that come nearest: "no registered
/// worker has board=rpi5; the nearest are 4 with board=rpi4".
[[nodiscard]] std::optional<std::string> explain_no_fit(const std::vector<client::WorkerInfo>& workers,
                                                        const Capabilities& wanted);

/// The same when capabilities fit and groups do not.
[[nodiscard]] std::string explain_no_group(const std::vector<client::WorkerInfo>& workers, const Capabilities& wanted);

struct FitCount {
  std::uint64_t idle = 0;
  /// Has a job, or is being made ready after one.
  std::uint64_t busy = 0;
  /// In maintenance, failed, or its agent is not connected.
  std::uint64_t out_of_service = 0;

  [[nodiscard]] std::uint64_t total() const { return idle + busy + out_of_service; }
  friend bool operator==(const FitCount&, const FitCount&) = default;
};

/// Counts the workers that offer `wanted` and serve one of `groups`; `any_group` for admins, whom all serve.
[[nodiscard]] FitCount count_fits(const std::vector<client::WorkerInfo>& workers, const Capabilities& wanted,
                                  const Groups& groups, bool any_group);

}  // namespace boruta::cli

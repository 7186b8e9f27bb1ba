#pragma once

#include <string>
#include <vector>

#include "cli/progress.hpp"
#include "client/api_types.hpp"

/// Explanations as people read them. Pure but for the local time zone.
namespace boruta::cli {

/// "board=rpi4 ram>=4GiB", with quotes where a shell would split; "anything" when empty.
[[nodiscard]] std::string describe_demand(const Capabilities& caps, const std::vector<std::string>& requirements);

/// Several lines: how long it has waited, what each kind of worker is to it, who comes first, by when it starts.
[[nodiscard]] std::string describe_explanation(const client::ExplanationInfo& explanation, Instant now);

/// "3 free now · 1 more by 14:05 · nobody waits".
[[nodiscard]] std::string describe_free(const client::ExplanationInfo& explanation, Instant now);

/// Why none of the registered workers can serve what `asked` says, with those that come nearest: "no registered worker
/// has board=rpi5; the nearest are 4 with board=rpi4". REQUIRES: none fits.
[[nodiscard]] std::string explain_no_fit(const client::ExplanationInfo& explanation, std::string_view asked);

/// What the counts of an explanation say of the workers that fit.
[[nodiscard]] FitCount fit_count(const client::ExplanationInfo& explanation);

}  // namespace boruta::cli

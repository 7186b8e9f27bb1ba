#include <algorithm>

#include "farm/decisions.hpp"

namespace boruta::farm {

Verdict decide_on(Emitter& out, const ForgetRequests& /*command*/) {
  const auto keep = out.policy().keep_requests;
  if (keep == Duration::zero()) return {};
  const auto& requests = out.farm().requests();
  RequestsForgotten forgotten;
  for (const auto id : requests.some_ended_by(out.now().wall - keep)) {
    auto& ranges = forgotten.ranges;
    if (!ranges.empty() && ranges.back().last.value + 1 == id.value) {
      ranges.back().last = id;
    } else {
      ranges.push_back(RequestRange{.first = id, .last = id});
    }
    const auto request = requests.find(id);
    forgotten.ended_until = std::max(forgotten.ended_until, request->changed);
  }
  if (!forgotten.ranges.empty()) out.add(std::move(forgotten));
  return {};
}

}  // namespace boruta::farm

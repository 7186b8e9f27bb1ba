#pragma once

#include <string>
#include <vector>

#include "farm/farm.hpp"

namespace boruta::farm {

/// Everything that must hold of a farm after every step, each violation in words; empty when all is well.
/// The whole farm is looked at: for tests and simulations.
[[nodiscard]] std::vector<std::string> check_invariants(const Farm& farm);

}  // namespace boruta::farm

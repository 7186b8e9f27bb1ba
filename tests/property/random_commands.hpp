#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "farm/command.hpp"
#include "farm/farm.hpp"

namespace boruta::property {

/// One step of a random life: time passes, then somebody wants something. Made of small numbers, so that a failing
/// sequence shrinks to something that a person can read.
struct RandomStep {
  std::uint8_t what = 0;
  std::uint8_t who = 0;
  std::uint8_t first = 0;
  std::uint8_t second = 0;
  std::uint16_t seconds = 0;
};

/// The command that `step` means for `farm` as it is.
[[nodiscard]] farm::Command command_of(const RandomStep& step, const farm::Farm& farm, Now now);

/// Three users (an admin, one in group "kernel", one in none) exist before the first step.
[[nodiscard]] std::vector<farm::Command> first_commands();

[[nodiscard]] std::string describe(const RandomStep& step);

}  // namespace boruta::property

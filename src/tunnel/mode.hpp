#pragma once

#include <cstdint>

namespace boruta::tunnel {

/// How workers are reached: found out for each, or said by the operator.
enum class Mode : std::uint8_t { kAuto, kDirect, kAgent };

}  // namespace boruta::tunnel

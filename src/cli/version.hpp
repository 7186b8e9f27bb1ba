#pragma once

#include <string_view>

namespace boruta::cli {

inline constexpr std::string_view kVersion = "1.0.0";

}  // namespace boruta::cli

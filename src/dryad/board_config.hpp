#pragma once

#include <string_view>

#include "base/config_reader.hpp"
#include "dryad/board.hpp"

namespace boruta::dryad {

/// The keys of `[board]`, read into `board`, which must outlive them.
[[nodiscard]] config::Keys board_keys(BoardOptions& board);

/// `[board]` with all its keys, commented out, for a first config.
[[nodiscard]] std::string_view first_board_config();

}  // namespace boruta::dryad

#pragma once

#include <expected>
#include <string>
#include <string_view>

#include "farm/rows.hpp"

namespace boruta::store {

/// The state of a Checkpoint as the store keeps it: a JSON object with a list for each table, whose members are named
/// as the columns are. It only grows: names are never changed or reused, and a column that is added later is one that
/// older checkpoints may lack.
[[nodiscard]] std::string encode_state(const farm::Rows& state);

/// The error names the table that is wrong.
[[nodiscard]] std::expected<farm::Rows, std::string> decode_state(std::string_view json);

}  // namespace boruta::store

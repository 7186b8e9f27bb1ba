#pragma once

#include "farm/rows.hpp"

namespace boruta::property {

/// What a checkpoint holds of a farm with these rows: all but requests that have ended.
[[nodiscard]] farm::Rows checkpoint_of(farm::Rows rows);

/// The farm as it was right behind `checkpoint`, but for requests that were forgotten since: what it holds, and the
/// rows of `now` that had ended by then. An empty one: an empty farm.
[[nodiscard]] farm::Rows rows_behind(const farm::Rows& checkpoint, const farm::Rows& now);

}  // namespace boruta::property

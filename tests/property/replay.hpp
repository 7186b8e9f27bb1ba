#pragma once

#include "farm/rows.hpp"

namespace boruta::property {

/// The farm as it was right behind the checkpoint `seq`, but for requests that were forgotten since: what its `state`
/// holds, and the rows of `now` that had ended by then. Empty `state` and `seq` 0: an empty farm.
[[nodiscard]] farm::Rows rows_behind(EventSeq seq, const farm::Rows& state, const farm::Rows& now);

}  // namespace boruta::property

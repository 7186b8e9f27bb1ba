#include "property/replay.hpp"

#include <algorithm>
#include <iterator>

namespace boruta::property {

farm::Rows rows_behind(EventSeq seq, const farm::Rows& state, const farm::Rows& now) {
  auto rows = state;
  rows.last_event = seq;
  std::ranges::copy_if(now.requests, std::back_inserter(rows.requests), [seq](const farm::Request& request) {
    return farm::is_terminal(request.state) && request.last_event <= seq;
  });
  std::ranges::sort(rows.requests, {}, &farm::Request::id);
  return rows;
}

}  // namespace boruta::property

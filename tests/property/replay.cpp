#include "property/replay.hpp"

#include <algorithm>
#include <iterator>

namespace boruta::property {

farm::Rows checkpoint_of(farm::Rows rows) {
  std::erase_if(rows.requests, [](const farm::Request& request) { return farm::is_terminal(request.state); });
  return rows;
}

farm::Rows rows_behind(const farm::Rows& checkpoint, const farm::Rows& now) {
  auto rows = checkpoint;
  std::ranges::copy_if(now.requests, std::back_inserter(rows.requests), [&rows](const farm::Request& request) {
    return farm::is_terminal(request.state) && request.last_event <= rows.last_event;
  });
  std::ranges::sort(rows.requests, {}, &farm::Request::id);
  return rows;
}

}  // namespace boruta::property

#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "farm/types.hpp"

namespace boruta::farm {

/// What lists of requests filter and sort by, a column for each, so that a list that must look at every request reads
/// a few bytes of it. Place `id - 1` is that of request `id`.
class ListColumns {
 public:
  /// REQUIRES: the request is one that is there, or the next.
  void set(const Request& request) {
    const auto place = static_cast<std::size_t>(request.id.value - 1);
    if (place == states_.size()) {
      states_.emplace_back();
      priorities_.emplace_back();
      owners_.emplace_back();
      deadlines_.emplace_back();
      valid_afters_.emplace_back();
    }
    states_[place] = request.state;
    priorities_[place] = request.priority.value;
    owners_[place] = request.owner;
    deadlines_[place] = request.deadline.at;
    valid_afters_[place] = request.valid_after.at;
  }

  [[nodiscard]] RequestState state(RequestId id) const { return states_[id.value - 1]; }
  [[nodiscard]] std::uint8_t priority(RequestId id) const { return priorities_[id.value - 1]; }
  [[nodiscard]] UserId owner(RequestId id) const { return owners_[id.value - 1]; }
  [[nodiscard]] Instant deadline(RequestId id) const { return deadlines_[id.value - 1]; }
  [[nodiscard]] Instant valid_after(RequestId id) const { return valid_afters_[id.value - 1]; }

 private:
  std::vector<RequestState> states_;
  std::vector<std::uint8_t> priorities_;
  std::vector<UserId> owners_;
  std::vector<Instant> deadlines_;
  std::vector<Instant> valid_afters_;
};

}  // namespace boruta::farm

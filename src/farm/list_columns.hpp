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
    if (place == states_.size()) for_each([place](auto& column) { append(column, place); });
    states_[place] = request.state;
    priorities_[place] = request.priority.value;
    owners_[place] = request.owner;
    deadlines_[place] = request.deadline.at;
    valid_afters_[place] = request.valid_after.at;
  }

  [[nodiscard]] std::size_t size() const { return states_.size(); }
  [[nodiscard]] RequestState state(RequestId id) const { return states_[id.value - 1]; }
  [[nodiscard]] std::uint8_t priority(RequestId id) const { return priorities_[id.value - 1]; }
  [[nodiscard]] UserId owner(RequestId id) const { return owners_[id.value - 1]; }
  [[nodiscard]] Instant deadline(RequestId id) const { return deadlines_[id.value - 1]; }
  [[nodiscard]] Instant valid_after(RequestId id) const { return valid_afters_[id.value - 1]; }

 private:
  /// Room is made an eighth at a time: of a million requests, twice the room would be millions of bytes.
  template <class Column>
  static void append(Column& column, std::size_t size) {
    constexpr std::size_t kLeast = 1'024;
    if (size == column.capacity()) column.reserve(size + size / 8 + kLeast);
    column.emplace_back();
  }
  template <class Visit>
  void for_each(Visit visit) {
    visit(states_);
    visit(priorities_);
    visit(owners_);
    visit(deadlines_);
    visit(valid_afters_);
  }

  std::vector<RequestState> states_;
  std::vector<std::uint8_t> priorities_;
  std::vector<UserId> owners_;
  std::vector<Instant> deadlines_;
  std::vector<Instant> valid_afters_;
};

}  // namespace boruta::farm

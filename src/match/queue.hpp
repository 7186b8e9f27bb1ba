#pragma once

#include <cstddef>
#include <cstdint>
#include <ext/pb_ds/assoc_container.hpp>
#include <ext/pb_ds/tree_policy.hpp>
#include <functional>
#include <limits>

#include "farm/types.hpp"

namespace boruta::match {

/// Orders requests in a queue: priority, then id. An overdue request has the priority 0.
using QueueKey = std::uint64_t;
inline constexpr QueueKey kNoKey = std::numeric_limits<QueueKey>::max();
inline constexpr unsigned kIdBits = 56;
inline constexpr std::uint8_t kOverdue = 0;

[[nodiscard]] constexpr QueueKey key_of(std::uint8_t priority, RequestId id) {
  return (QueueKey{priority} << kIdBits) | id.value;
}
[[nodiscard]] constexpr RequestId id_of(QueueKey key) { return RequestId{key & ((QueueKey{1} << kIdBits) - 1)}; }
[[nodiscard]] constexpr std::uint8_t priority_of(QueueKey key) { return static_cast<std::uint8_t>(key >> kIdBits); }

/// A queue that also knows, in logarithmic time, how many come before a key (an order-statistic tree).
class Queue {
 public:
  void insert(QueueKey key) { keys_.insert(key); }
  void erase(QueueKey key) { keys_.erase(key); }
  [[nodiscard]] bool empty() const { return keys_.empty(); }
  [[nodiscard]] std::size_t size() const { return keys_.size(); }
  [[nodiscard]] QueueKey head() const { return keys_.empty() ? kNoKey : *keys_.begin(); }
  [[nodiscard]] std::size_t count_before(QueueKey key) const { return keys_.order_of_key(key); }
  [[nodiscard]] auto begin() const { return keys_.begin(); }
  [[nodiscard]] auto end() const { return keys_.end(); }

 private:
  __gnu_pbds::tree<QueueKey, __gnu_pbds::null_type, std::less<>, __gnu_pbds::rb_tree_tag,
                   __gnu_pbds::tree_order_statistics_node_update>
      keys_;
};

}  // namespace boruta::match

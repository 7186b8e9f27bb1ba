#pragma once

#include <cstddef>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include "tunnel/splice.hpp"

namespace boruta::tunnel {

/// Splices that are lent to a relay while bytes flow, so that connections that are silent hold none.
/// Threads: any.
class SpareSplices {
 public:
  /// One with nothing in it.
  [[nodiscard]] std::unique_ptr<Splice> take() {
    const std::scoped_lock lock(mutex_);
    if (spare_.empty()) return std::make_unique<Splice>();
    auto splice = std::move(spare_.back());
    spare_.pop_back();
    return splice;
  }

  /// REQUIRES: nothing is left in `splice`.
  void give_back(std::unique_ptr<Splice> splice) {
    const std::scoped_lock lock(mutex_);
    if (spare_.size() < kKept) spare_.push_back(std::move(splice));
  }

 private:
  /// For the next ones; more are closed.
  static constexpr std::size_t kKept = 16;

  std::mutex mutex_;
  std::vector<std::unique_ptr<Splice>> spare_;
};

}  // namespace boruta::tunnel

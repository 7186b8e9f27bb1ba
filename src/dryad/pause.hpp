#pragma once

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <stop_token>

namespace boruta::dryad {

/// Blocks for `length`; false when `stop` came first.
inline bool pause_for(std::chrono::milliseconds length, const std::stop_token& stop) {
  std::mutex mutex;
  std::condition_variable_any condition;
  std::unique_lock lock(mutex);
  condition.wait_for(lock, stop, length, [] { return false; });
  return !stop.stop_requested();
}

}  // namespace boruta::dryad

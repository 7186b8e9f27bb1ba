#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <prometheus/counter.h>
#include <prometheus/family.h>

namespace boruta::server {

/// Counters of one family that a number below `N` tells apart. Each is made when it first counts, so that only what
/// occurs is shown, and is found without looking at labels from then on.
/// Thread-safe.
template <std::size_t N>
class CounterSlots {
 public:
  explicit CounterSlots(prometheus::Family<prometheus::Counter>& family) : family_(family) {}

  /// `make_labels` gives the same labels for `slot` each time.
  template <class MakeLabels>
  void increment(std::size_t slot, MakeLabels make_labels) {
    auto* counter = slots_.at(slot).load(std::memory_order_acquire);
    if (counter == nullptr) {
      // Who comes second gets the same counter.
      counter = &family_.Add(make_labels());
      slots_.at(slot).store(counter, std::memory_order_release);
    }
    counter->Increment();
  }

 private:
  prometheus::Family<prometheus::Counter>& family_;
  std::array<std::atomic<prometheus::Counter*>, N> slots_{};
};

}  // namespace boruta::server

#pragma once

#include <cstddef>
#include <memory>
#include <mutex>
#include <vector>

namespace boruta::tunnel {

/// Buffers that are lent to a relay while bytes flow, so that connections that are silent hold none.
/// Threads: any.
class Buffers {
 public:
  explicit Buffers(std::size_t bytes) : bytes_(bytes) {}

  using Buffer = std::unique_ptr<std::byte[]>;

  [[nodiscard]] std::size_t bytes() const { return bytes_; }

  /// A buffer of `bytes()`; its contents are arbitrary.
  [[nodiscard]] Buffer take() {
    const std::scoped_lock lock(mutex_);
    if (spare_.empty()) return std::make_unique_for_overwrite<std::byte[]>(bytes_);
    auto buffer = std::move(spare_.back());
    spare_.pop_back();
    return buffer;
  }

  void give_back(Buffer buffer) {
    const std::scoped_lock lock(mutex_);
    if (spare_.size() < kSpare) spare_.push_back(std::move(buffer));
  }

 private:
  /// Kept for the next one; more are freed.
  static constexpr std::size_t kSpare = 16;

  std::size_t bytes_;
  std::mutex mutex_;
  std::vector<Buffer> spare_;
};

}  // namespace boruta::tunnel

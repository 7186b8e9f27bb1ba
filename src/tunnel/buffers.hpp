#pragma once

#include <atomic>
#include <cstddef>
#include <memory>
#include <mutex>
#include <vector>

#include "tunnel/splice.hpp"

namespace boruta::tunnel {

/// Buffers that are lent to a relay while bytes flow, so that connections that are silent hold none.
/// Threads: any.
class Buffers {
 public:
  /// From `splice_from` connections on, bytes are moved inside the kernel: then it saves CPU time, while one stream
  /// alone is as fast copied.
  Buffers(std::size_t bytes, std::size_t splice_from) : bytes_(bytes), splice_from_(splice_from) {}

  [[nodiscard]] bool splices() const { return connections_ >= splice_from_; }
  void begin_connection() { ++connections_; }
  void end_connection() { --connections_; }

  /// A pipe with nothing in it.
  [[nodiscard]] std::unique_ptr<Splice> take_splice() {
    const std::scoped_lock lock(mutex_);
    if (spare_splices_.empty()) return std::make_unique<Splice>();
    auto splice = std::move(spare_splices_.back());
    spare_splices_.pop_back();
    return splice;
  }

  void give_back(std::unique_ptr<Splice> splice) {
    const std::scoped_lock lock(mutex_);
    if (spare_splices_.size() < kSpare) spare_splices_.push_back(std::move(splice));
  }

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
  std::size_t splice_from_;
  std::atomic<std::size_t> connections_ = 0;
  std::mutex mutex_;
  std::vector<Buffer> spare_;
  std::vector<std::unique_ptr<Splice>> spare_splices_;
};

}  // namespace boruta::tunnel

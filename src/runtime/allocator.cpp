#include "runtime/allocator.hpp"

#include <malloc.h>

namespace boruta::runtime {
namespace {

constexpr int kKeptBytes = 4 * 1024 * 1024;
/// Larger ones are few, and go back at once.
constexpr int kLargestKept = 1024 * 1024;

}  // namespace

void keep_freed_buffers() {
  ::mallopt(M_TRIM_THRESHOLD, kKeptBytes);
  ::mallopt(M_MMAP_THRESHOLD, kLargestKept);
}

}  // namespace boruta::runtime

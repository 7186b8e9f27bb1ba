#pragma once

#if defined(__SANITIZE_THREAD__)
#include <sanitizer/tsan_interface.h>
#endif

/// What gRPC completes comes after what began it. gRPC's libraries come without ThreadSanitizer, which therefore sees
/// no order between the two; these tell it. Nothing in other builds.
namespace boruta::proto {

/// Right before an operation is begun. `key` stands for it, or for a call whose operations need not be told apart.
inline void will_begin([[maybe_unused]] void* key) {
#if defined(__SANITIZE_THREAD__)
  __tsan_release(key);
#endif
}

/// First of all when it has ended.
inline void has_ended([[maybe_unused]] void* key) {
#if defined(__SANITIZE_THREAD__)
  __tsan_acquire(key);
#endif
}

}  // namespace boruta::proto

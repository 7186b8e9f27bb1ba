#pragma once

#include <source_location>

namespace boruta {

/// Prints `expression` and where it stands to standard error and aborts. For bugs only, never for input or faults.
[[noreturn]] void assertion_failed(const char* expression, std::source_location where) noexcept;

}  // namespace boruta

/// Always compiled in: a broken invariant stops the process, and a restart replays what was committed.
#define BORUTA_ASSERT(expression) \
  (static_cast<bool>(expression) ? void() : ::boruta::assertion_failed(#expression, std::source_location::current()))

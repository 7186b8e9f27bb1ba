#include "base/assert.hpp"

#include <cstdio>
#include <cstdlib>

namespace boruta {

void assertion_failed(const char* expression, std::source_location where) noexcept {
  std::fprintf(stderr, "%s:%u: %s: assertion failed: %s\n", where.file_name(), static_cast<unsigned>(where.line()),
               where.function_name(), expression);
  std::abort();
}

}  // namespace boruta

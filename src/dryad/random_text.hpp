#pragma once

#include <cstddef>
#include <string>

namespace boruta::dryad {

/// `bytes` random bytes from the kernel as lower-case hexadecimal digits. Aborts if the kernel has none to give.
[[nodiscard]] std::string random_hex(std::size_t bytes);

/// A random UUID, version 4, in lower case.
[[nodiscard]] std::string random_uuid();

}  // namespace boruta::dryad

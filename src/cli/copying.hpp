#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace boruta::cli {

struct Measured {
  std::uint64_t files = 0;
  std::uint64_t bytes = 0;
};

/// Files below `paths`, folders gone into; what cannot be read counts as nothing.
[[nodiscard]] Measured measure(const std::vector<std::string>& paths);

/// Why a path cannot be copied in; nothing when it can.
[[nodiscard]] std::optional<std::string> check_put(const std::string& path);

/// `path` as scp takes it for a local one, whatever is in it: no colon makes it a host, no dash an option.
/// "." and ".." become absolute, since a copy of them needs a name.
[[nodiscard]] std::string local_operand(const std::string& path);

}  // namespace boruta::cli

#pragma once

#include <cstddef>
#include <string_view>

namespace boruta {

/// Bytes of the well-formed UTF-8 sequence that `text` begins with; 0 if it begins with none.
[[nodiscard]] std::size_t utf8_sequence_length(std::string_view text);

}  // namespace boruta

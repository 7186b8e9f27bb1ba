#pragma once

#include <cstddef>
#include <string_view>

namespace boruta {

/// Bytes of the well-formed UTF-8 sequence that `text` begins with; 0 if it begins with none.
[[nodiscard]] std::size_t utf8_sequence_length(std::string_view text);

/// As much of the UTF-8 `text` as fits into `bytes` and ends with a whole character.
[[nodiscard]] std::string_view utf8_prefix(std::string_view text, std::size_t bytes);

}  // namespace boruta

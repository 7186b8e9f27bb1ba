#pragma once

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>

#include "base/utf8.hpp"

/// What the fuzzers check with.
namespace boruta::fuzz {

/// Whatever a client sends, what it is told about it is not longer.
inline constexpr std::size_t kErrorBytes = 2048;

/// Ends the run as a crash unless `holds`; `rule` and `found` are for who reads the report.
inline void check(bool holds, std::string_view rule, std::string_view found = {}) {
  if (holds) return;
  std::fprintf(stderr, "does not hold: %.*s\n%.*s\n", static_cast<int>(rule.size()), rule.data(),
               static_cast<int>(found.size()), found.data());
  std::abort();
}

[[nodiscard]] inline bool is_utf8(std::string_view text) {
  while (!text.empty()) {
    const auto length = utf8_sequence_length(text);
    if (length == 0) return false;
    text.remove_prefix(length);
  }
  return true;
}

/// Errors are shown to people, and sent as JSON.
inline void check_error(std::string_view error) {
  check(!error.empty(), "an error says something");
  check(error.size() <= kErrorBytes, "an error is short", error);
  check(is_utf8(error), "an error is UTF-8", error);
}

[[nodiscard]] inline std::string_view text_of(const std::uint8_t* data, std::size_t size) {
  return {reinterpret_cast<const char*>(data), size};  // NOLINT(cppcoreguidelines-pro-type-reinterpret-cast)
}

/// Takes the first line off `text`.
inline std::string_view take_line(std::string_view& text) {
  const auto end = text.find('\n');
  const auto line = text.substr(0, end);
  text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  return line;
}

}  // namespace boruta::fuzz

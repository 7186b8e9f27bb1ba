#include "dryad/random_text.hpp"

#include <fmt/format.h>

#include <cstdint>
#include <sys/random.h>
#include <vector>

#include "base/assert.hpp"

namespace boruta::dryad {

std::string random_hex(std::size_t bytes) {
  std::vector<std::uint8_t> raw(bytes);
  BORUTA_ASSERT(bytes <= 256);  // up to this many, getrandom is never interrupted and never short
  BORUTA_ASSERT(::getrandom(raw.data(), raw.size(), 0) == static_cast<ssize_t>(raw.size()));
  std::string text;
  for (const auto byte : raw) text += fmt::format("{:02x}", byte);
  return text;
}

std::string random_uuid() {
  constexpr std::string_view kVariantDigits = "89ab";
  const std::string digits = random_hex(16);
  const char variant = kVariantDigits[static_cast<unsigned char>(digits[16]) % kVariantDigits.size()];
  return fmt::format("{}-{}-4{}-{}{}-{}", digits.substr(0, 8), digits.substr(8, 4), digits.substr(13, 3), variant,
                     digits.substr(17, 3), digits.substr(20, 12));
}

}  // namespace boruta::dryad

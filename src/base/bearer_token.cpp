#include "base/bearer_token.hpp"

#include <algorithm>

namespace boruta {
namespace {

char lower(char letter) { return letter >= 'A' && letter <= 'Z' ? static_cast<char>(letter - 'A' + 'a') : letter; }

}  // namespace

bool is_token(std::string_view text) {
  return !text.empty() && std::ranges::all_of(text, [](unsigned char letter) { return letter > ' ' && letter < 0x7F; });
}

std::optional<Secret> bearer_token(std::string_view authorization) {
  constexpr std::string_view kScheme = "bearer ";
  const auto scheme = authorization.substr(0, kScheme.size());
  if (!std::ranges::equal(scheme, kScheme, {}, lower)) return std::nullopt;
  authorization.remove_prefix(kScheme.size());
  while (authorization.starts_with(' ')) authorization.remove_prefix(1);
  while (authorization.ends_with(' ')) authorization.remove_suffix(1);
  if (authorization.empty()) return std::nullopt;
  return Secret(std::string(authorization));
}

}  // namespace boruta

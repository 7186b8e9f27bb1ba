#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace boruta::http {

/// Replaces %XX by the byte it stands for. Nothing if a % is not followed by two hexadecimal digits.
[[nodiscard]] std::optional<std::string> percent_decode(std::string_view text);

/// The value of the first parameter `name` of a query like "a=b&c=d", decoded ("+" is a space). Nothing if there is
/// none, or it is encoded wrongly.
[[nodiscard]] std::optional<std::string> query_parameter(std::string_view query, std::string_view name);

/// A target's path and query. Of the absolute form, which proxies send, scheme and host are dropped.
struct Target {
  std::string_view path;
  std::string_view query;
};
[[nodiscard]] Target split_target(std::string_view target);

}  // namespace boruta::http

#pragma once

#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>

#include "farm/events.hpp"

namespace boruta::app {

/// What happened to a worker, as the config and the program call it.
enum class News : std::uint8_t { kFailed, kLost, kRegistered, kChanged, kMaintenance, kNoted, kDeregistered };

[[nodiscard]] std::string_view to_string(News news);
/// Error: the words that there are.
[[nodiscard]] std::expected<News, std::string> parse_news(std::string_view word);
/// Nothing: no news of a worker.
[[nodiscard]] std::optional<News> news_of(const farm::EventBody& body);

}  // namespace boruta::app

#include "app/news.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

namespace boruta::app {
namespace {

constexpr std::array kWords{
    std::pair{News::kFailed, std::string_view("failed")},
    std::pair{News::kLost, std::string_view("lost")},
    std::pair{News::kRegistered, std::string_view("registered")},
    std::pair{News::kChanged, std::string_view("changed")},
    std::pair{News::kMaintenance, std::string_view("maintenance")},
    std::pair{News::kNoted, std::string_view("noted")},
    std::pair{News::kDeregistered, std::string_view("deregistered")},
};

struct NewsOf {
  std::optional<News> operator()(const farm::WorkerStateChanged& event) const {
    if (event.to == farm::WorkerState::kFailed) return News::kFailed;
    if (event.to == farm::WorkerState::kMaintenance) return News::kMaintenance;
    return std::nullopt;
  }
  std::optional<News> operator()(const farm::WorkerLost& /*event*/) const { return News::kLost; }
  std::optional<News> operator()(const farm::WorkerRegistered& /*event*/) const { return News::kRegistered; }
  std::optional<News> operator()(const farm::WorkerChanged& /*event*/) const { return News::kChanged; }
  std::optional<News> operator()(const farm::WorkerNoted& /*event*/) const { return News::kNoted; }
  std::optional<News> operator()(const farm::WorkerDeregistered& /*event*/) const { return News::kDeregistered; }
  template <class Event>
  std::optional<News> operator()(const Event& /*event*/) const {
    return std::nullopt;
  }
};

}  // namespace

std::string_view to_string(News news) {
  return std::ranges::find(kWords, news, &decltype(kWords)::value_type::first)->second;
}

std::expected<News, std::string> parse_news(std::string_view word) {
  const auto found = std::ranges::find(kWords, word, &decltype(kWords)::value_type::second);
  if (found != kWords.end()) return found->first;
  std::string known;
  for (const auto& entry : kWords) known += fmt::format("{}\"{}\"", known.empty() ? "" : ", ", entry.second);
  return std::unexpected(known);
}

std::optional<News> news_of(const farm::EventBody& body) { return std::visit(NewsOf{}, body); }

}  // namespace boruta::app

#include "http/route_metrics.hpp"

#include <algorithm>
#include <array>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>
#include <string>

#include "server/counter_slots.hpp"

namespace boruta::http {
namespace {

/// What the server answers with; anything else counts as "other".
constexpr std::array kStatuses{200U, 201U, 202U, 204U, 304U, 308U, 400U, 401U, 403U, 404U, 405U,
                               408U, 409U, 410U, 413U, 421U, 422U, 429U, 431U, 500U, 501U, 503U};
constexpr std::size_t kStatusSlots = kStatuses.size() + 1;

/// Upper bounds in seconds; acquire_worker may wait for hours.
const prometheus::Histogram::BucketBoundaries kBounds{0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05,
                                                      0.1,    0.25,  1,      5,     30,   300,   3'600};

std::size_t slot_of(unsigned status) {
  return static_cast<std::size_t>(std::ranges::find(kStatuses, status) - kStatuses.begin());
}

std::string word_for(std::size_t slot) {
  return slot < kStatuses.size() ? std::to_string(kStatuses.at(slot)) : std::string("other");
}

prometheus::Labels labels_for(const Route* route) {
  if (route == nullptr) return {{"route", "unrouted"}};
  return {{"method", std::string(to_string(route->method))}, {"route", std::string(route->pattern)}};
}

}  // namespace

struct RouteMetrics::Series {
  Series(const Route* route, prometheus::Family<prometheus::Counter>& answer_family,
         prometheus::Family<prometheus::Histogram>& duration_family)
      : labels(labels_for(route)), answers(answer_family), durations(duration_family.Add(labels, kBounds)) {}

  prometheus::Labels labels;
  server::CounterSlots<kStatusSlots> answers;
  prometheus::Histogram& durations;
};

RouteMetrics::RouteMetrics(prometheus::Registry* registry, std::span<const Route> routes) : routes_(routes) {
  auto& answers = prometheus::BuildCounter()
                      .Name("boruta_http_requests_total")
                      .Help("HTTP requests answered, by route, its method, and status.")
                      .Register(*registry);
  auto& durations = prometheus::BuildHistogram()
                        .Name("boruta_http_request_duration_seconds")
                        .Help("From a whole HTTP request to its answer, by route and its method.")
                        .Register(*registry);
  for (const auto& route : routes) series_.push_back(std::make_unique<Series>(&route, answers, durations));
  series_.push_back(std::make_unique<Series>(nullptr, answers, durations));
}

RouteMetrics::~RouteMetrics() = default;

RouteMetrics::Series& RouteMetrics::series_of(const Route* route) {
  return route == nullptr ? *series_.back() : *series_.at(static_cast<std::size_t>(route - routes_.data()));
}

void RouteMetrics::count(const Route* route, unsigned status) {
  auto& series = series_of(route);
  const auto slot = slot_of(status);
  series.answers.increment(slot, [&] {
    auto labels = series.labels;
    labels.emplace("status", word_for(slot));
    return labels;
  });
}

void RouteMetrics::count(const Route* route, unsigned status, Duration took) {
  count(route, status);
  series_of(route).durations.Observe(std::chrono::duration<double>(took).count());
}

}  // namespace boruta::http

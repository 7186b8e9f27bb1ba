#pragma once

#include <memory>
#include <span>
#include <vector>

#include "base/instant.hpp"
#include "http/router.hpp"

namespace prometheus {
class Registry;
}

namespace boruta::http {

/// Counts answers and times them, by route: the pattern, never the path, so that clients cannot make series.
/// Thread-safe.
class RouteMetrics {
 public:
  /// Both outlive it.
  RouteMetrics(prometheus::Registry* registry, std::span<const Route> routes);
  RouteMetrics(const RouteMetrics&) = delete;
  RouteMetrics& operator=(const RouteMetrics&) = delete;
  ~RouteMetrics();

  /// `route` is one of the routes, or nothing where none fits.
  void count(const Route* route, unsigned status);
  /// The same for an answer that took so long.
  void count(const Route* route, unsigned status, Duration took);

 private:
  struct Series;

  [[nodiscard]] Series& series_of(const Route* route);

  std::span<const Route> routes_;
  /// One a route, and the last for what has none.
  std::vector<std::unique_ptr<Series>> series_;
};

}  // namespace boruta::http

#pragma once

#include <cstddef>
#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <vector>

#include "base/limits.hpp"
#include "base/refusal.hpp"
#include "farm/farm.hpp"

/// Filtered, sorted pages of requests and workers, as the API's lists show them. Pure.
namespace boruta::farm {

enum class SortOrder : std::uint8_t { kAscending, kDescending };

/// Of travel from the border; a page's own order is the same both ways.
enum class PageDirection : std::uint8_t { kForward, kBackward };

enum class RequestSort : std::uint8_t { kId, kPriority, kState, kDeadline, kValidAfter };
enum class WorkerSort : std::uint8_t { kUuid, kState, kGroups };

/// A request matches when each list that is given holds its value.
struct RequestFilter {
  std::optional<std::vector<RequestId>> ids;
  std::optional<std::vector<std::int64_t>> priorities;
  std::optional<std::vector<RequestState>> states;
  /// Names, also of users who are deleted by now.
  std::optional<std::vector<std::string>> owners;
};

/// A worker matches when it is in any of the groups, and has all of the capabilities.
struct WorkerFilter {
  std::optional<Groups> groups;
  Capabilities caps;
};

struct Paging {
  SortOrder order = SortOrder::kAscending;
  PageDirection direction = PageDirection::kForward;
  /// Not 0.
  std::size_t limit = limits::kListPage;
};

struct RequestQuery {
  RequestFilter filter;
  RequestSort sort = RequestSort::kId;
  Paging paging;
  /// The page begins behind this one, which need not match the filter.
  std::optional<RequestId> border;
};

struct WorkerQuery {
  WorkerFilter filter;
  WorkerSort sort = WorkerSort::kUuid;
  Paging paging;
  std::optional<WorkerUuid> border;
};

/// Points into the farm: valid until it changes.
template <class Found>
struct Page {
  std::vector<Found> items;
  /// How many match, wherever they are.
  std::size_t total = 0;
  /// How many match beyond the page, in the direction of travel.
  std::size_t remaining = 0;
};

/// Ties go by id, in the same order. States are ordered by their names. By id and without filter it costs little
/// more than the page has, whatever the number of requests; else it looks at all of them, at a few bytes each.
/// kPageBorderNotFound: there is no such border.
[[nodiscard]] std::expected<Page<FoundRequest>, Refusal> list_requests(const Farm& farm, const RequestQuery& query);

/// The same for workers, ties by UUID; groups are ordered name by name.
[[nodiscard]] std::expected<Page<const Worker*>, Refusal> list_workers(const Farm& farm, const WorkerQuery& query);

}  // namespace boruta::farm

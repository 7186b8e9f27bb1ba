#pragma once

#include <boost/asio/experimental/awaitable_operators.hpp>

#include <optional>
#include <utility>
#include <variant>

#include "runtime/clock.hpp"

namespace boruta::runtime {

/// Awaits `task` for at most `limit`. Nothing when the time was up first: the task is then cancelled, and has ended.
template <class T>
// NOLINTNEXTLINE(cppcoreguidelines-avoid-reference-coroutine-parameters): the clock outlives every task
Task<std::optional<T>> with_deadline(Clock& clock, Duration limit, Task<T> task) {
  using namespace asio::experimental::awaitable_operators;
  auto result = co_await (std::move(task) || sleep_for(clock, limit));
  if (result.index() == 0) co_return std::optional<T>(std::move(std::get<0>(result)));
  co_return std::nullopt;
}

/// The same for a task without result: whether it ended in time.
// NOLINTNEXTLINE(cppcoreguidelines-avoid-reference-coroutine-parameters): the clock outlives every task
inline Task<bool> with_deadline(Clock& clock, Duration limit, Task<void> task) {
  using namespace asio::experimental::awaitable_operators;
  const auto result = co_await (std::move(task) || sleep_for(clock, limit));
  co_return result.index() == 0;
}

}  // namespace boruta::runtime

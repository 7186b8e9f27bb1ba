#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "base/instant.hpp"

/// How a request fares, in a line that is redrawn on a terminal.
namespace boruta::cli {

/// The workers that fit a request.
struct FitCount {
  std::uint64_t idle = 0;
  /// Has a job, or is being made ready after one.
  std::uint64_t busy = 0;
  /// In maintenance, failed, or its agent is not connected.
  std::uint64_t out_of_service = 0;

  [[nodiscard]] std::uint64_t total() const { return idle + busy + out_of_service; }
  friend bool operator==(const FitCount&, const FitCount&) = default;
};

struct WaitStatus {
  std::optional<std::uint64_t> position;
  std::optional<std::uint64_t> queue;
  std::optional<std::uint64_t> fits;
  std::optional<std::uint64_t> fits_idle;
  /// Who they are, as far as it is known.
  std::optional<FitCount> count;
  /// "14:32": the request is not eligible before.
  std::string not_before;
  /// "14:32": by then it has a worker, as things stand.
  std::string not_later_than;
  /// What keeps it waiting whatever workers there are.
  std::string held;
  /// Not empty while the server cannot be reached: why.
  std::string trouble;
};

/// "2nd of 3 · 2 workers fit, both busy · not later than 14:32", without the time waited.
[[nodiscard]] std::string describe_wait(const WaitStatus& status);

/// One line of standard error that tells how things stand. On a terminal it is redrawn in place; elsewhere each change
/// is a line of its own.
class LiveLine {
 public:
  using Write = std::function<void(std::string_view)>;

  /// `columns`: the terminal's width, asked before each drawing; only used with `terminal`.
  LiveLine(bool terminal, std::function<std::size_t()> columns, Write write);

  /// Shows `label` and `text` with the time that has passed. Without a terminal: only if `text` is another than before.
  void show(std::string_view label, std::string_view text, Duration passed);
  /// A line that stays. Whatever was drawn and not kept goes away.
  void say(std::string_view line);
  /// What was drawn last stays as it is.
  void keep();
  /// What was drawn last goes away.
  void clear();

 private:
  bool terminal_;
  std::function<std::size_t()> columns_;
  Write write_;
  std::string last_text_;
  bool drawn_ = false;
};

}  // namespace boruta::cli

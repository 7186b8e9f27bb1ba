#pragma once

#include <expected>
#include <memory>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "base/instant.hpp"

namespace boruta::dryad {

/// What a health check found.
struct Ailment {
  /// The worker must be taken out of service; otherwise an admin should know.
  bool critical = false;
  std::string text;

  friend bool operator==(const Ailment&, const Ailment&) = default;
};

/// The hardware between the agent and the device under test.
/// Threads: one operation at a time; all block, each for a bounded time. `stop` ends one early, with an error.
class Board {
 public:
  virtual ~Board() = default;

  /// Shows `message` to whoever stands before the board.
  virtual std::expected<void, std::string> put_in_maintenance(const std::string& message,
                                                              const std::stop_token& stop) = 0;
  /// Brings the board into the state that a job may expect.
  virtual std::expected<void, std::string> ready(const std::stop_token& stop) = 0;
  /// `full` may power-cycle the device under test; without it, nothing that a user could notice is done.
  virtual std::expected<void, Ailment> healthcheck(bool full, const std::stop_token& stop) = 0;
};

/// Config's `[board]`. A driver takes what it knows.
struct BoardOptions {
  std::string driver = "none";
  /// Programs with their arguments, for driver `exec`; empty: nothing is done.
  std::vector<std::string> maintenance;
  std::vector<std::string> prepare;
  std::vector<std::string> healthcheck;
  std::vector<std::string> healthcheck_full;
  /// For each program. Below the 60 s after which the server gives up.
  Duration timeout = std::chrono::seconds(50);
};

/// Error: the driver is unknown, or can't work with these options.
std::expected<std::unique_ptr<Board>, std::string> make_board(const BoardOptions& options);

/// "exec, none": for messages.
[[nodiscard]] std::string board_drivers();

using MadeBoard = std::expected<std::unique_ptr<Board>, std::string>;
/// The drivers: each in a file of its own, and one line in board.cpp.
MadeBoard make_none_board(const BoardOptions& options);
MadeBoard make_exec_board(const BoardOptions& options);

}  // namespace boruta::dryad

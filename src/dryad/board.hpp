#pragma once

#include <array>
#include <expected>
#include <filesystem>
#include <memory>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "base/agent_messages.hpp"
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
  /// Does what a job's user asks for. A board that can't refuses, and says what it lacks.
  virtual agent::BoardResult act(agent::BoardAction action, const std::stop_token& stop) = 0;
};

/// The answer of a board that can't do `action`: "this worker's board can't power off: `lacks`".
[[nodiscard]] agent::BoardResult cannot(agent::BoardAction action, std::string_view lacks);
/// Done, or failed with the reason.
[[nodiscard]] agent::BoardResult board_result(const std::expected<void, std::string>& done);

/// Config's `[board]`. A driver takes what it knows.
struct BoardOptions {
  std::string driver = "none";
  /// Programs with their arguments, for driver `exec`; empty: nothing is done.
  std::vector<std::string> maintenance;
  std::vector<std::string> prepare;
  std::vector<std::string> healthcheck;
  std::vector<std::string> healthcheck_full;
  /// What users may have done; without `power_cycle`, off and on do.
  std::vector<std::string> power_on;
  std::vector<std::string> power_off;
  std::vector<std::string> power_cycle;
  std::vector<std::string> sd_host;
  std::vector<std::string> sd_dut;
  /// Prints milliamperes.
  std::vector<std::string> current;
  /// For each program. Below the 60 s after which the server gives up.
  Duration timeout = std::chrono::seconds(50);
  /// For driver `muxpi`: the serial line to its STM32.
  std::filesystem::path tty = "/dev/ttyS2";
  /// Where users on the worker reach the board; empty: where it is by default.
  std::filesystem::path socket;
  /// The serial console of the device under test; empty: it has none.
  std::filesystem::path console;
  unsigned console_baud = 115200;
};

/// A program of the board, under the name that it has in the config.
struct BoardProgram {
  std::string_view name;
  std::vector<std::string> BoardOptions::* argv;
};

inline constexpr std::array kBoardPrograms{BoardProgram{"maintenance", &BoardOptions::maintenance},
                                           BoardProgram{"prepare", &BoardOptions::prepare},
                                           BoardProgram{"healthcheck", &BoardOptions::healthcheck},
                                           BoardProgram{"healthcheck_full", &BoardOptions::healthcheck_full},
                                           BoardProgram{"power_on", &BoardOptions::power_on},
                                           BoardProgram{"power_off", &BoardOptions::power_off},
                                           BoardProgram{"power_cycle", &BoardOptions::power_cycle},
                                           BoardProgram{"sd_host", &BoardOptions::sd_host},
                                           BoardProgram{"sd_dut", &BoardOptions::sd_dut},
                                           BoardProgram{"current", &BoardOptions::current}};

/// Error: the driver is unknown, or can't work with these options.
std::expected<std::unique_ptr<Board>, std::string> make_board(const BoardOptions& options);

/// "exec, muxpi, none": for messages.
[[nodiscard]] std::string board_drivers();

using MadeBoard = std::expected<std::unique_ptr<Board>, std::string>;
/// The drivers: each in a file of its own, and one line in board.cpp.
MadeBoard make_none_board(const BoardOptions& options);
MadeBoard make_exec_board(const BoardOptions& options);
MadeBoard make_muxpi_board(const BoardOptions& options);

}  // namespace boruta::dryad

#pragma once

#include <expected>
#include <stop_token>
#include <string>
#include <vector>

#include "base/instant.hpp"

namespace boruta::dryad {

/// A program to run: no shell ever sees any of this.
struct Program {
  /// Name (looked up in PATH unless it has a slash) and arguments.
  std::vector<std::string> argv;
  /// "NAME=VALUE", beside the agent's own environment.
  std::vector<std::string> environment;
  /// Then the program and its process group are killed.
  Duration limit = std::chrono::seconds(30);
  /// Read its standard output, which is thrown away otherwise.
  bool keep_output = false;
};

enum class ProgramEnd : unsigned char { kExited, kSignalled, kTimedOut, kStopped };

struct ProgramResult {
  ProgramEnd end = ProgramEnd::kExited;
  /// Exit code, or the signal's number.
  int code = 0;
  /// The last line that is not blank of what it wrote to standard error, cut to 512 bytes.
  std::string last_line;
  /// The same of its standard output, where that was kept.
  std::string output_line;

  [[nodiscard]] bool ok() const { return end == ProgramEnd::kExited && code == 0; }
};

/// Runs the program with nothing on standard input. Blocks until it ended, or
/// until `stop`, which kills it. Error: it could not be started, with the reason.
std::expected<ProgramResult, std::string> run_program(const Program& program, const std::stop_token& stop = {});

/// "useradd: exit code 9: user exists": for people, of a result that is not ok.
[[nodiscard]] std::string describe(const Program& program, const ProgramResult& result);

/// Runs it and makes anything but exit code 0 an error text.
std::expected<void, std::string> run_or_say_why(const Program& program, const std::stop_token& stop = {});

/// Whether PATH has such a program.
[[nodiscard]] bool has_program(const std::string& name);

}  // namespace boruta::dryad

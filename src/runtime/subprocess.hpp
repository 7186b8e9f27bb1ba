#pragma once

#include <expected>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "base/instant.hpp"

namespace boruta::runtime {

/// A program to run: no shell ever sees any of this.
struct Program {
  /// Name (looked up in PATH unless it has a slash) and arguments.
  std::vector<std::string> argv;
  /// "NAME=VALUE", beside the process's own environment.
  std::vector<std::string> environment;
  /// What it finds on standard input; empty: nothing.
  std::string input;
  /// Its standard output is kept for the result instead of thrown away.
  bool keep_output = false;
  /// Then the program and its process group are killed.
  Duration limit = std::chrono::seconds(30);
};

enum class ProgramEnd : unsigned char { kExited, kSignalled, kTimedOut, kStopped };

struct ProgramResult {
  ProgramEnd end = ProgramEnd::kExited;
  /// Exit code, or the signal's number.
  int code = 0;
  /// The last line that is not blank of what it wrote to standard error, cut to 512 bytes.
  std::string last_line;
  /// The first 64 KiB of its standard output, if that was to be kept.
  std::string output;

  [[nodiscard]] bool ok() const { return end == ProgramEnd::kExited && code == 0; }
};

/// Runs the program, which inherits no open file beside its three standard ones. Blocks until it ended, or until
/// `stop`, which kills it. Error: it could not be started, with the reason.
std::expected<ProgramResult, std::string> run_program(const Program& program, const std::stop_token& stop = {});

/// "useradd: exit code 9: user exists": for people, of a result that is not ok.
[[nodiscard]] std::string describe(const Program& program, const ProgramResult& result);

/// Runs it and makes anything but exit code 0 an error text.
std::expected<void, std::string> run_or_say_why(const Program& program, const std::stop_token& stop = {});

/// The last line of `text` that is not blank, cut to 512 bytes.
[[nodiscard]] std::string last_line_of(std::string_view text);

/// Whether PATH has such a program.
[[nodiscard]] bool has_program(const std::string& name);

}  // namespace boruta::runtime

#pragma once

#include <cstddef>
#include <optional>
#include <termios.h>

#include "base/secret.hpp"

namespace boruta::cli {

/// What our standard streams are.
struct Terminal {
  bool input = false;
  bool output = false;
  bool error = false;
  /// Results may be coloured: standard output is a terminal that can, and NO_COLOR is not set.
  bool colour = false;
};

[[nodiscard]] Terminal find_terminal();

/// Width of standard error's terminal; 80 if it is not known.
[[nodiscard]] std::size_t terminal_columns();

/// Whether Ctrl-C on our terminal reaches our whole process group, children included.
[[nodiscard]] bool is_foreground();

/// Asks on standard error and reads one line without showing it. Nothing at the end of input.
[[nodiscard]] std::optional<Secret> ask_secret(const char* prompt);

/// Puts a terminal back as it was: a program that is killed may leave it without echo.
class TerminalGuard {
 public:
  TerminalGuard();
  TerminalGuard(const TerminalGuard&) = delete;
  TerminalGuard& operator=(const TerminalGuard&) = delete;
  ~TerminalGuard();

 private:
  std::optional<termios> saved_;
};

}  // namespace boruta::cli

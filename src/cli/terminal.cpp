#include "cli/terminal.hpp"

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <fcntl.h>
#include <iostream>
#include <string>
#include <string_view>
#include <sys/ioctl.h>
#include <unistd.h>

namespace boruta::cli {

Terminal find_terminal() {
  const char* no_color = std::getenv("NO_COLOR");
  const char* term = std::getenv("TERM");
  const bool dumb = term == nullptr || std::string_view(term) == "dumb";
  Terminal terminal;
  terminal.input = ::isatty(STDIN_FILENO) == 1;
  terminal.output = ::isatty(STDOUT_FILENO) == 1;
  terminal.error = ::isatty(STDERR_FILENO) == 1 && !dumb;
  terminal.colour = terminal.output && !dumb && (no_color == nullptr || *no_color == '\0');
  return terminal;
}

std::size_t terminal_columns() {
  winsize size{};
  if (::ioctl(STDERR_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0) return 80;
  return size.ws_col;
}

bool is_foreground() {
  const int terminal = ::open("/dev/tty", O_RDONLY | O_CLOEXEC | O_NOCTTY);
  if (terminal < 0) return false;
  const bool foreground = ::tcgetpgrp(terminal) == ::getpgrp();
  ::close(terminal);
  return foreground;
}

std::optional<Secret> ask_secret(const char* prompt) {
  std::fputs(prompt, stderr);
  std::fflush(stderr);
  const TerminalGuard guard;
  termios quiet{};
  if (::tcgetattr(STDIN_FILENO, &quiet) == 0) {
    quiet.c_lflag &= ~static_cast<tcflag_t>(ECHO);
    ::tcsetattr(STDIN_FILENO, TCSAFLUSH, &quiet);
  }
  std::string line;
  const bool read = static_cast<bool>(std::getline(std::cin, line));
  std::fputs("\n", stderr);
  if (!read) return std::nullopt;
  return Secret(std::move(line));
}

TerminalGuard::TerminalGuard() {
  termios now{};
  if (::tcgetattr(STDIN_FILENO, &now) == 0) saved_ = now;
}

TerminalGuard::~TerminalGuard() {
  if (!saved_ || !is_foreground()) return;
  ::tcsetattr(STDIN_FILENO, TCSADRAIN, &*saved_);
}

}  // namespace boruta::cli

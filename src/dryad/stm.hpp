#pragma once

#include <chrono>
#include <expected>
#include <filesystem>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>

#include "dryad/serial_port.hpp"

namespace boruta::dryad {

/// The microcontroller of a MuxPi, which switches what the board has: lines of text over a serial line, each command
/// answered by "OK", by a number and "OK", or by a line that says why not.
///
/// Keeps the line to itself while it works, and opens it anew when it was gone. After silence, or an answer that it
/// can't make sense of, it first gets back into step: it listens until the line is quiet, ends whatever half a line the
/// STM may hold, and has it answer "echo off". Only then is the next command sent, so no command ever takes the answer
/// of another for its own.
/// Thread: one at a time. All block, each for a few seconds at most.
class Stm {
 public:
  struct Options {
    std::filesystem::path tty = "/dev/ttyS2";
    unsigned baud = 115200;
    /// For one answer.
    std::chrono::milliseconds answer_within = std::chrono::seconds(2);
    /// A line on which nothing came for so long has nothing more to say.
    std::chrono::milliseconds quiet{100};
  };

  explicit Stm(Options options) : options_(std::move(options)) {}

  /// Whether a command may be sent a second time when the first found no answer.
  enum class Again : bool { kNo, kYes };
  using Number = std::optional<int>;

  /// Sends `command` and awaits its answer for the usual time and `takes`. Error: what the STM said, or that it said
  /// nothing, with the line's name.
  std::expected<void, std::string> run(std::string_view command, const std::stop_token& stop, Again again = Again::kYes,
                                       std::chrono::milliseconds takes = {});
  /// The same for a command whose answer is a number.
  std::expected<int, std::string> ask(std::string_view command, const std::stop_token& stop);

 private:
  std::expected<Number, std::string> converse(std::string_view command, bool number, Again again,
                                              std::chrono::milliseconds takes, const std::stop_token& stop);
  /// One attempt. An error leaves the line out of step, or closed.
  std::expected<Number, SerialError> attempt(std::string_view command, bool number, std::chrono::milliseconds takes,
                                             const std::stop_token& stop);
  std::expected<void, SerialError> get_in_step(const std::stop_token& stop);
  std::expected<void, SerialError> await_quiet(const std::stop_token& stop);
  /// The next line that is not empty, without its end. A line that never ends is an error.
  std::expected<std::string, SerialError> next_line(SerialPort::Deadline deadline, const std::stop_token& stop);
  [[nodiscard]] SerialError nonsense(std::string_view command, std::string_view line) const;

  Options options_;
  std::optional<SerialPort> port_;
  bool in_step_ = false;
  /// What was received and not used yet.
  std::string received_;
};

}  // namespace boruta::dryad

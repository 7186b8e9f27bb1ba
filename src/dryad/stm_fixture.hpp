#pragma once

#include <array>
#include <atomic>
#include <filesystem>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "dryad/scratch_dir.hpp"

namespace boruta::dryad {

/// How an emulated STM misbehaves.
enum class StmFault : unsigned char {
  kNone,
  kSilent,    ///< hears everything, answers nothing
  kHalfLine,  ///< answers "O", and leaves it at that
  kLate,      ///< answers after 400 ms
  kGarbage,   ///< noise before each answer, without an end of line of its own
  kBabble,    ///< noise all the time
  kRefuse,    ///< "Error processing command"
};

/// The STM32 of a MuxPi as its firmware behaves, on a pseudo-terminal: echoes until it is told "echo off", answers
/// each command by its output and "OK", or by a line of its own if it does not know it; an empty line by nothing.
class EmulatedStm {
 public:
  EmulatedStm();
  EmulatedStm(const EmulatedStm&) = delete;
  EmulatedStm& operator=(const EmulatedStm&) = delete;
  ~EmulatedStm();

  struct State {
    bool echo = true;
    bool power = false;
    bool sd_at_dut = false;
    bool hdmi = false;
    std::array<bool, 2> dypers{};
    std::array<std::string, 2> leds{"0 0 0", "0 0 0"};
    /// By row of 16 pixels.
    std::array<std::string, 2> display;
    int power_ticks = 0;
  };

  /// A name of the line that stays over `unplug` and `plug_in`.
  [[nodiscard]] std::filesystem::path tty() const { return dir_.path() / "tty"; }
  [[nodiscard]] State state() const;
  /// All commands that it understood, in order.
  [[nodiscard]] std::vector<std::string> heard() const;
  void forget();

  void set_fault(StmFault fault) { fault_ = fault; }
  /// The fault ends by itself after so many answers.
  void set_fault_for(StmFault fault, int answers);
  void set_current(int milliamperes) { milliamperes_ = milliamperes; }
  /// Sends something that nobody asked for.
  void say(std::string_view bytes);
  /// It restarts, and echoes again.
  void reset();
  void unplug();
  void plug_in();

 private:
  void serve(const std::stop_token& stop);
  void take(std::string_view bytes);
  void obey(const std::string& line);
  /// Without the "OK"; nothing for a command that is wrong.
  bool carry_out(const std::string& line, std::string& output);
  void answer(const std::string& text);

  ScratchDir dir_;
  std::atomic<int> master_ = -1;
  std::atomic<StmFault> fault_ = StmFault::kNone;
  std::atomic<int> fault_left_ = -1;
  std::atomic<int> milliamperes_ = 240;
  mutable std::mutex mutex_;
  State state_;
  std::vector<std::string> heard_;
  std::string partial_;
  std::jthread thread_;
};

}  // namespace boruta::dryad

#include <fmt/format.h>

#include <array>
#include <mutex>
#include <stop_token>
#include <string_view>
#include <thread>
#include <utility>

#include "dryad/board.hpp"
#include "dryad/muxpi_display.hpp"
#include "dryad/pause.hpp"
#include "dryad/stm.hpp"
#include "runtime/log.hpp"

namespace boruta::dryad {
namespace {

using agent::BoardAction;
using std::chrono::milliseconds;
using std::chrono::seconds;

/// How long the device under test is without power when it is cycled.
constexpr milliseconds kPowerPause{1000};
/// Each LED is lit for so long before it is the other's turn.
constexpr seconds kBlink{1};
/// Blinks for which a page of a longer message is shown.
constexpr int kBlinksPerPage = 3;
/// A device that has just got power may take so long until it draws any.
constexpr seconds kDrawsWithin{2};
constexpr milliseconds kBetweenReadings{200};
constexpr std::string_view kDark = "0 0 0";
constexpr std::string_view kYellow = "96 144 0";

/// What each job begins with: nothing lit or shown, the SD card at the worker's own computer, the device under test
/// without power (the firmware's `ts` does both), and no line held.
constexpr std::array<std::string_view, 7> kReady{"led 1 0 0 0", "led 2 0 0 0", "clr",        "ts",
                                                 "hdmi off",    "dyper 1 off", "dyper 2 off"};

/// A MuxPi: its STM32 switches power, SD card and more, has two LEDs and a display.
class MuxpiBoard final : public Board {
 public:
  explicit MuxpiBoard(std::filesystem::path tty) : stm_({.tty = std::move(tty)}) {}

  std::expected<void, std::string> put_in_maintenance(const std::string& message,
                                                      const std::stop_token& stop) override {
    end_blinking();
    auto pages = pages_for_display(message);
    if (auto shown = show(pages.front(), stop); !shown) return shown;
    blinking_ = std::jthread([this, pages = std::move(pages)](const std::stop_token& end) { blink(pages, end); });
    return {};
  }

  std::expected<void, std::string> ready(const std::stop_token& stop) override {
    end_blinking();
    for (const auto command : kReady) {
      if (auto done = run(command, stop); !done) return done;
    }
    return {};
  }

  std::expected<void, Ailment> healthcheck(bool full, const std::stop_token& stop) override {
    if (full) {
      if (auto cycled = cycle(stop); !cycled) return critical(cycled.error());
    }
    auto drawn = ask_current(stop);
    const auto deadline = std::chrono::steady_clock::now() + kDrawsWithin;
    while (full && drawn && *drawn == 0 && std::chrono::steady_clock::now() < deadline &&
           pause_for(kBetweenReadings, stop)) {
      drawn = ask_current(stop);
    }
    if (!drawn) return critical(drawn.error());
    if (!full || *drawn != 0) return {};
    return std::unexpected(Ailment{
        .critical = false, .text = "the device under test draws no current in the 2 s after its power was cycled"});
  }

  agent::BoardResult act(BoardAction action, const std::stop_token& stop) override {
    switch (action) {
      case BoardAction::kPowerOn:
        return board_result(run("power on", stop));
      case BoardAction::kPowerOff:
        return board_result(run("power off", stop));
      case BoardAction::kPowerCycle:
        return board_result(cycle(stop));
      case BoardAction::kSdHost:
        return board_result(run("ts", stop));
      case BoardAction::kSdDut:
        return board_result(run("dut", stop));
      case BoardAction::kCurrent:
        break;
    }
    const auto drawn = ask_current(stop);
    if (!drawn) return board_result(std::unexpected(drawn.error()));
    return {.outcome = agent::BoardOutcome::kDone, .error = {}, .milliamperes = *drawn};
  }

 private:
  static std::expected<void, Ailment> critical(const std::string& text) {
    return std::unexpected(Ailment{.critical = true, .text = text});
  }

  std::expected<void, std::string> run(std::string_view command, const std::stop_token& stop) {
    const std::scoped_lock lock(stm_mutex_);
    return stm_.run(command, stop);
  }

  std::expected<void, std::string> cycle(const std::stop_token& stop) {
    const std::scoped_lock lock(stm_mutex_);
    // Said once: a second time would be a second fall of power for whatever had begun to boot.
    return stm_.run(fmt::format("power tick {}", kPowerPause.count()), stop, Stm::Again::kNo, kPowerPause);
  }

  std::expected<int, std::string> ask_current(const std::stop_token& stop) {
    const std::scoped_lock lock(stm_mutex_);
    return stm_.ask("current", stop);
  }

  std::expected<void, std::string> show(const DisplayPage& page, const std::stop_token& stop) {
    if (auto cleared = run("clr", stop); !cleared) return cleared;
    for (std::size_t row = 0; row < page.size(); ++row) {
      if (page[row].empty()) continue;
      const auto text = fmt::format("text 0 {} on {}", static_cast<int>(row) * kDisplayRowPixels, page[row]);
      if (auto shown = run(text, stop); !shown) return shown;
    }
    return {};
  }

  std::expected<void, std::string> light(int led, std::string_view colour, const std::stop_token& stop) {
    return run(fmt::format("led {} {}", led, colour), stop);
  }

  /// LED 1 and LED 2 in turn, and the pages of the message, until `end`. A fault is said once and lived with: the next
  /// turn tries again.
  void blink(const std::vector<DisplayPage>& pages, const std::stop_token& end) {
    std::string said;
    for (std::size_t turn = 0; !end.stop_requested(); ++turn) {
      const bool first = turn % 2 == 0;
      auto done = light(1, first ? kYellow : kDark, end);
      if (done) done = light(2, first ? kDark : kYellow, end);
      const auto page = turn / kBlinksPerPage % pages.size();
      if (done && pages.size() > 1 && turn > 0 && turn % kBlinksPerPage == 0) done = show(pages[page], end);
      if (!done && done.error() != said && !end.stop_requested()) {
        said = done.error();
        runtime::log_warning("the board's maintenance can't be shown", {{"reason", said}});
      }
      if (done) said.clear();
      if (!pause_for(kBlink, end)) return;
    }
  }

  void end_blinking() {
    blinking_.request_stop();
    if (blinking_.joinable()) blinking_.join();
  }

  /// Held for one command.
  std::mutex stm_mutex_;
  Stm stm_;
  /// Last: it is joined before what it uses goes.
  std::jthread blinking_;
};

}  // namespace

MadeBoard make_muxpi_board(const BoardOptions& options) {
  // One that is not there may come: the worker then fails with that as its reason, and says so to its admins.
  std::error_code ignored;
  const auto kind = std::filesystem::status(options.tty, ignored).type();
  if (kind != std::filesystem::file_type::character && kind != std::filesystem::file_type::not_found) {
    return std::unexpected(fmt::format("board.tty: {} is not a serial line", options.tty.native()));
  }
  return std::make_unique<MuxpiBoard>(options.tty);
}

}  // namespace boruta::dryad

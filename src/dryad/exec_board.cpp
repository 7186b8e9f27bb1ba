#include <fmt/format.h>

#include <charconv>
#include <string_view>

#include "dryad/board.hpp"
#include "dryad/pause.hpp"
#include "dryad/subprocess.hpp"

namespace boruta::dryad {
namespace {

/// Of a health check's program: something that an admin should know, and no more.
constexpr int kWarningCode = 1;
/// Between off and on, where no program does both.
constexpr std::chrono::seconds kPowerPause{2};

BoardProgram program_for(agent::BoardAction action) {
  switch (action) {
    case agent::BoardAction::kPowerOn:
      return {"power_on", &BoardOptions::power_on};
    case agent::BoardAction::kPowerOff:
      return {"power_off", &BoardOptions::power_off};
    case agent::BoardAction::kPowerCycle:
      return {"power_cycle", &BoardOptions::power_cycle};
    case agent::BoardAction::kSdHost:
      return {"sd_host", &BoardOptions::sd_host};
    case agent::BoardAction::kSdDut:
      return {"sd_dut", &BoardOptions::sd_dut};
    case agent::BoardAction::kCurrent:
      break;
  }
  return {"current", &BoardOptions::current};
}

/// Programs from the config. Exit code 0 is success; of a health check 1 is a warning, anything else is critical.
/// The last line on standard error is the reason that people read.
class ExecBoard final : public Board {
 public:
  explicit ExecBoard(BoardOptions options) : options_(std::move(options)) {}

  std::expected<void, std::string> put_in_maintenance(const std::string& message,
                                                      const std::stop_token& stop) override {
    if (options_.maintenance.empty()) return {};
    return run_or_say_why(program(options_.maintenance, message), stop);
  }

  std::expected<void, std::string> ready(const std::stop_token& stop) override {
    if (options_.prepare.empty()) return {};
    return run_or_say_why(program(options_.prepare, ""), stop);
  }

  std::expected<void, Ailment> healthcheck(bool full, const std::stop_token& stop) override {
    const auto& argv = full && !options_.healthcheck_full.empty() ? options_.healthcheck_full : options_.healthcheck;
    if (argv.empty()) return {};
    const auto checker = program(argv, "");
    const auto result = run_program(checker, stop);
    if (!result) return std::unexpected(Ailment{.critical = true, .text = result.error()});
    if (result->ok()) return {};
    const bool warning = result->end == ProgramEnd::kExited && result->code == kWarningCode;
    return std::unexpected(Ailment{.critical = !warning, .text = describe(checker, *result)});
  }

  agent::BoardResult act(agent::BoardAction action, const std::stop_token& stop) override {
    const auto wanted = program_for(action);
    const auto& argv = options_.*(wanted.argv);
    if (action == agent::BoardAction::kPowerCycle && argv.empty() && !options_.power_off.empty() &&
        !options_.power_on.empty()) {
      return off_and_on(stop);
    }
    if (argv.empty()) return cannot(action, fmt::format("board.{} is not set in the config of its agent", wanted.name));
    if (action == agent::BoardAction::kCurrent) return measure(stop);
    return board_result(run_or_say_why(program(argv, ""), stop));
  }

 private:
  agent::BoardResult off_and_on(const std::stop_token& stop) {
    auto off = board_result(run_or_say_why(program(options_.power_off, ""), stop));
    if (off.outcome != agent::BoardOutcome::kDone) return off;
    // Stopped or not, what was switched off is switched on: nobody would know why it is off.
    pause_for(kPowerPause, stop);
    return board_result(run_or_say_why(program(options_.power_on, ""), {}));
  }

  agent::BoardResult measure(const std::stop_token& stop) {
    auto meter = program(options_.current, "");
    meter.keep_output = true;
    const auto result = run_program(meter, stop);
    if (!result) return board_result(std::unexpected(result.error()));
    if (!result->ok()) return board_result(std::unexpected(describe(meter, *result)));
    const auto line = runtime::last_line_of(result->output);
    std::int32_t value = 0;
    const auto parsed = std::from_chars(line.data(), line.data() + line.size(), value);
    if (parsed.ec == std::errc{} && parsed.ptr == line.data() + line.size()) {
      return {.outcome = agent::BoardOutcome::kDone, .error = {}, .milliamperes = value};
    }
    return board_result(
        std::unexpected(fmt::format("board.current printed \"{}\": a whole number of milliamperes is expected", line)));
  }

  [[nodiscard]] Program program(const std::vector<std::string>& argv, const std::string& message) const {
    // The environment ends at a zero byte, and so would the message.
    return {.argv = argv, .environment = {"BORUTA_MESSAGE=" + message}, .limit = options_.timeout};
  }

  BoardOptions options_;
};

}  // namespace

MadeBoard make_exec_board(const BoardOptions& options) {
  bool any = false;
  for (const auto& [name, member] : kBoardPrograms) {
    const auto& argv = options.*member;
    any = any || !argv.empty();
    if (!argv.empty() && argv.front().find('/') == std::string::npos && !has_program(argv.front())) {
      return std::unexpected(fmt::format("board.{}: there is no program \"{}\"", name, argv.front()));
    }
  }
  if (!any)
    return std::unexpected(
        "board.driver = \"exec\" needs at least one program, like board.prepare, board.healthcheck or board.power_on");
  return std::make_unique<ExecBoard>(options);
}

}  // namespace boruta::dryad

#include "dryad/board_config.hpp"

#include <fmt/format.h>

#include <cstdint>
#include <limits>

#include "dryad/serial_port.hpp"

namespace boruta::dryad {
namespace {

using config::Verdict;

Verdict take_driver(const toml::node& node, BoardOptions& board) {
  if (!config::take_text(node, board.driver).empty()) return "a string is expected";
  const auto drivers = board_drivers();
  const bool known = fmt::format(", {},", drivers).find(fmt::format(" {},", board.driver)) != std::string::npos;
  return known ? Verdict{} : fmt::format("there is no such driver, only: {}", drivers);
}

Verdict take_baud(const toml::node& node, unsigned& target) {
  const auto value = node.value_exact<std::int64_t>();
  const bool sane = value && *value > 0 && *value <= std::numeric_limits<int>::max();
  if (!sane || !is_baud(static_cast<unsigned>(*value))) return "a speed of serial lines is expected, like 115200";
  target = static_cast<unsigned>(*value);
  return {};
}

config::Key argv_key(std::string_view name, std::vector<std::string>& target) {
  return {name, [&target](const toml::node& node) { return config::take_program(node, target); }};
}

}  // namespace

config::Keys board_keys(BoardOptions& board) {
  return {
      {"driver", [&](const auto& node) { return take_driver(node, board); }},
      argv_key("maintenance", board.maintenance),
      argv_key("prepare", board.prepare),
      argv_key("healthcheck", board.healthcheck),
      argv_key("healthcheck_full", board.healthcheck_full),
      argv_key("power_on", board.power_on),
      argv_key("power_off", board.power_off),
      argv_key("power_cycle", board.power_cycle),
      argv_key("sd_host", board.sd_host),
      argv_key("sd_dut", board.sd_dut),
      argv_key("current", board.current),
      {"timeout",
       [&](const auto& node) {
         return config::take_duration(node, std::chrono::milliseconds(100), std::chrono::minutes(10), board.timeout);
       }},
      {"socket", [&](const auto& node) { return config::take_path(node, board.socket); }},
      {"console", [&](const auto& node) { return config::take_path(node, board.console); }},
      {"console_baud", [&](const auto& node) { return take_baud(node, board.console_baud); }},
      {"tty", [&](const auto& node) { return config::take_path(node, board.tty); }},
  };
}

std::string_view first_board_config() {
  return R"(# What is between this computer and the device under test. Driver "muxpi": the STM32 of a MuxPi, at the serial line tty.
# Driver "exec": programs, each with its arguments; no shell is involved. Exit code 0 is success. A health check that
# exits with 1 is a warning, with anything else it takes the worker out of service. The last line on standard error is
# the reason that people read. The text of a maintenance is in BORUTA_MESSAGE. Those from power_on to current are for
# the users of jobs; current prints milliamperes.
#[board]
#driver = "exec"
#tty = "/dev/ttyS2"
#maintenance = ["/usr/local/bin/show-message"]
#prepare = ["/usr/local/bin/power", "off"]
#healthcheck = ["/usr/local/bin/check"]
#healthcheck_full = ["/usr/local/bin/check", "--power-cycle"]
#power_on = ["/usr/local/bin/power", "on"]
#power_off = ["/usr/local/bin/power", "off"]
#power_cycle = ["/usr/local/bin/power", "cycle"]
#sd_host = ["/usr/local/bin/sd-mux", "host"]
#sd_dut = ["/usr/local/bin/sd-mux", "dut"]
#current = ["/usr/local/bin/milliamperes"]
#timeout = "50s"

# The serial console of the device under test, for the users of jobs; what it prints during a job is kept for a while.
#console = "/dev/ttyUSB0"
#console_baud = 115200

# Where boruta-board, with which a job's user asks for these on this computer, finds dryad.
#socket = "/run/boruta/board.sock"
)";
}

}  // namespace boruta::dryad

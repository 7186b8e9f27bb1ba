#include "dryad/board.hpp"

#include <fmt/format.h>

#include <array>

namespace boruta::dryad {
namespace {

struct Driver {
  std::string_view name;
  MadeBoard (*make)(const BoardOptions&);
};

constexpr std::array kDrivers{
    Driver{"exec", make_exec_board},
    Driver{"muxpi", make_muxpi_board},
    Driver{"none", make_none_board},
};

}  // namespace

std::expected<std::unique_ptr<Board>, std::string> make_board(const BoardOptions& options) {
  for (const auto& driver : kDrivers) {
    if (driver.name == options.driver) return driver.make(options);
  }
  return std::unexpected(fmt::format("there is no board driver \"{}\", only: {}", options.driver, board_drivers()));
}

std::string board_drivers() {
  std::string names;
  for (const auto& driver : kDrivers) names += fmt::format("{}{}", names.empty() ? "" : ", ", driver.name);
  return names;
}

agent::BoardResult cannot(agent::BoardAction action, std::string_view lacks) {
  return {.outcome = agent::BoardOutcome::kRefused,
          .error = fmt::format("this worker's board can't do \"{}\": {}", agent::words_of(action), lacks),
          .milliamperes = std::nullopt};
}

agent::BoardResult board_result(const std::expected<void, std::string>& done) {
  if (done) return {};
  return {.outcome = agent::BoardOutcome::kFailed, .error = done.error(), .milliamperes = std::nullopt};
}

}  // namespace boruta::dryad

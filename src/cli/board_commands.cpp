#include <CLI/App.hpp>
#include <fmt/format.h>

#include <chrono>
#include <cstdio>
#include <memory>
#include <string>
#include <utility>

#include "cli/arguments.hpp"
#include "cli/commands.hpp"
#include "runtime/clock.hpp"

namespace boruta::cli {
namespace {

constexpr std::chrono::seconds kWatchEvery{1};

struct SwitchArguments {
  std::string id;
  std::string to;
};

struct CurrentArguments {
  std::string id;
  bool watch = false;
};

Task<int> set_power(Session* session, SwitchArguments arguments) {
  const auto id = need_argument(parse_request_id(arguments.id));
  session->need(co_await session->api().set_power(id, arguments.to));
  const auto done = arguments.to == "cycle" ? std::string("was off, and is on again") : "is " + arguments.to;
  session->note(fmt::format("the power of request {} {}", id.value, done));
  co_return 0;
}

Task<int> set_sd(Session* session, SwitchArguments arguments) {
  const auto id = need_argument(parse_request_id(arguments.id));
  session->need(co_await session->api().set_sd(id, arguments.to));
  session->note(fmt::format("the SD card of request {} is at the {}", id.value,
                            arguments.to == "host" ? "worker's own computer" : "device under test"));
  co_return 0;
}

Task<int> show_current(Session* session, CurrentArguments arguments) {
  const auto id = need_argument(parse_request_id(arguments.id));
  while (true) {
    const auto drawn = session->need(co_await session->api().current(id));
    session->print_line(session->json() ? drawn.json : fmt::format("{} mA", drawn.value));
    std::fflush(stdout);
    if (!arguments.watch) co_return 0;
    if (const bool slept = co_await runtime::sleep_for(session->clock(), kWatchEvery); !slept) co_return 0;
  }
}

Task<int> show_log(Session* session, CurrentArguments arguments) {
  const auto id = need_argument(parse_request_id(arguments.id));
  session->print(session->need(co_await session->api().console_log(id)));
  co_return 0;
}

void add_id(CLI::App* command, std::string& id) {
  command->add_option("ID", id, "Number of a request")->required()->option_text(" ");
}

}  // namespace

void add_board_commands(CLI::App* app, CommandLine* line) {
  auto powered = std::make_shared<SwitchArguments>();
  auto* power = add_command(app, "power", "Switch the power of a job's device under test", "boruta power 42 cycle");
  add_id(power, powered->id);
  power->add_option("TO", powered->to, "on, off, or cycle: off, and on again a moment later")
      ->required()
      ->check(CLI::IsMember({"on", "off", "cycle"}))
      ->option_text(" ");
  on_chosen(power, line, powered, &set_power);

  auto moved = std::make_shared<SwitchArguments>();
  auto* sd = add_command(app, "sd", "Connect the SD card of a job's board", "boruta sd 42 host");
  add_id(sd, moved->id);
  sd->add_option("TO", moved->to, "host: the worker's own computer; dut: the device under test")
      ->required()
      ->check(CLI::IsMember({"host", "dut"}))
      ->option_text(" ");
  on_chosen(sd, line, moved, &set_sd);

  auto watched = std::make_shared<CurrentArguments>();
  auto* current = add_command(app, "current", "Tell what a job's device under test draws", "boruta current 42 --watch");
  add_id(current, watched->id);
  current->add_flag("--watch", watched->watch, "Every second, until interrupted");
  on_chosen(current, line, watched, &show_current);

  auto logged = std::make_shared<CurrentArguments>();
  auto* logs = add_command(app, "logs", "Print what a job's serial console printed, also after the job ended",
                           "boruta logs 42 | tail");
  add_id(logs, logged->id);
  on_chosen(logs, line, logged, &show_log);
}

}  // namespace boruta::cli

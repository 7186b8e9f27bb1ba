#include "cli/app.hpp"

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/use_future.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <exception>
#include <utility>

#include "cli/arguments.hpp"
#include "cli/commands.hpp"
#include "cli/completion.hpp"
#include "cli/exit_codes.hpp"
#include "cli/text.hpp"
#include "cli/version.hpp"

namespace boruta::cli {
namespace {

void say_error(std::string_view message, std::string_view hint) {
  std::fprintf(stderr, "boruta: %.*s\n", static_cast<int>(message.size()), message.data());
  if (!hint.empty()) std::fprintf(stderr, "        (%.*s)\n", static_cast<int>(hint.size()), hint.data());
}

/// The command that was reached, however deep.
const CLI::App* deepest(const CLI::App* app) {
  while (true) {
    const auto chosen = app->get_subcommands();
    if (chosen.empty()) return app;
    app = chosen.front();
  }
}

std::string full_name(const CLI::App* app) {
  std::string name = app->get_name();
  for (const auto* parent = app->get_parent(); parent != nullptr; parent = parent->get_parent()) {
    name = fmt::format("{} {}", parent->get_name(), name);
  }
  return name;
}

/// What was typed and not understood, with the likeliest meaning.
void explain_extras(const CLI::App& app) {
  const auto extras = app.remaining(true);
  const auto* command = deepest(&app);
  const auto word = extras.empty() ? std::string() : extras.front();
  std::vector<std::string> known;
  if (word.starts_with('-')) {
    for (const auto* at = command; at != nullptr; at = at->get_parent()) {
      for (const auto* option : at->get_options()) {
        for (const auto& name : option->get_lnames()) known.push_back("--" + name);
      }
    }
  } else {
    const auto children = command->get_subcommands([](const CLI::App*) { return true; });
    for (const auto* child : children) known.push_back(child->get_name());
  }
  const bool is_command = !word.starts_with('-') && !known.empty();
  const auto nearest = nearest_word(word.substr(0, word.find('=')), known);
  const auto what = is_command ? "command" : word.starts_with('-') ? "option" : "argument";
  auto hint = nearest.empty() ? fmt::format("{} --help", full_name(command)) : fmt::format("did you mean {}?", nearest);
  say_error(fmt::format("there is no {} \"{}\"", what, printable(word)), hint);
}

void add_globals(CLI::App* app, Globals* globals) {
  app->add_option("--url", globals->flags.url, "The server, instead of BORUTA_URL and of the one you are logged in at")
      ->option_text("URL");
  app->add_option("--token-file", globals->flags.token_file, "File whose first line is the token")->option_text("FILE");
  app->add_option("--ca", globals->flags.ca, "PEM file of the CA to trust for https")->option_text("FILE");
  app->add_flag("--json", globals->json, "Print what the server says, for programs");
}

/// Commands that need no server: the choice is a text to print.
struct LocalCommands {
  std::string shell;
  std::vector<std::string> topics;
};

Task<int> print_text(Session* session, std::string text) {
  session->print_line(text);
  co_return 0;
}

const CLI::App* find_topic(const CLI::App* app, const std::vector<std::string>& topics) {
  for (const auto& topic : topics) {
    const auto children = app->get_subcommands([&](const CLI::App* child) { return child->get_name() == topic; });
    if (children.empty()) throw CliError(ExitCode::kUsage, fmt::format("there is no help on \"{}\"", printable(topic)));
    app = children.front();
  }
  return app;
}

void add_local_commands(CLI::App* app, CommandLine* line, LocalCommands* local) {
  auto* completion = add_command(app, "completion", "Print a completion script for bash, zsh or fish",
                                 "source <(boruta completion bash)");
  completion->add_option("SHELL", local->shell, "bash, zsh or fish")->required()->option_text(" ");
  completion->callback([=] {
    auto script = completion_script(*app, local->shell);
    if (!script) throw CliError(ExitCode::kUsage, script.error());
    line->action = [script = *script](Session* session) { return print_text(session, script); };
  });

  auto* help = add_command(app, "help", "Show help on a command, or on exit-codes", "boruta help exit-codes");
  help->add_option("TOPIC", local->topics, "A command, or exit-codes")->option_text("...");
  help->callback([=] {
    const bool codes = local->topics == std::vector<std::string>{"exit-codes"};
    const auto* topic = codes ? app : find_topic(app, local->topics);
    const auto text = codes ? exit_code_help() : topic->help(topic->get_parent() == nullptr ? "" : full_name(topic));
    line->action = [text](Session* session) { return print_text(session, text); };
  });
}

void build(CLI::App* app, CommandLine* line, Globals* globals, LocalCommands* local) {
  app->name("boruta");
  app->description("Boruta hands out the test devices of a farm");
  app->set_version_flag("--version", fmt::format("boruta {}", kVersion));
  app->fallthrough();
  app->require_subcommand(0, 1);
  app->footer("`boruta COMMAND --help` tells more, `boruta help exit-codes` what the exit codes mean.");
  add_globals(app, globals);
  add_run_commands(app, line);
  add_request_commands(app, line);
  add_board_commands(app, line);
  add_explain_commands(app, line);
  add_history_commands(app, line);
  add_worker_commands(app, line);
  add_login_commands(app, line);
  add_admin_commands(app, line);
  add_local_commands(app, line, local);
}

int run_action(const Action& action, const Globals& globals) {
  asio::io_context io;
  Session session(io.get_executor(), globals);
  auto result = asio::co_spawn(io, action(&session), asio::use_future);
  io.run();
  const int code = result.get();
  if (std::fflush(stdout) != 0 || std::ferror(stdout) != 0) {
    throw CliError(ExitCode::kInternal, "standard output could not be written");
  }
  return code;
}

int run_parsed(const CLI::App& app, const CommandLine& line, const Globals& globals) {
  if (!line.action) {
    std::fputs(app.help().c_str(), stderr);
    return to_int(ExitCode::kUsage);
  }
  if (line.command && !line.takes_command) {
    throw CliError(ExitCode::kUsage, fmt::format("`{}` takes no command after \"--\"", full_name(deepest(&app))));
  }
  return run_action(line.action, globals);
}

}  // namespace

CLI::App* add_command(CLI::App* parent, const std::string& name, const std::string& description,
                      const std::string& example) {
  auto* command = parent->add_subcommand(name, description);
  command->footer(fmt::format("Example:\n  {}", example));
  return command;
}

int run_cli(std::span<const std::string> words) {
  CLI::App app;
  CommandLine line;
  Globals globals;
  LocalCommands local;
  try {
    build(&app, &line, &globals, &local);
    auto split = split_command(words);
    line.command = std::move(split.command);
    std::ranges::reverse(split.arguments);  // as CLI11 takes them
    app.parse(split.arguments);
    return run_parsed(app, line, globals);
  } catch (const CLI::ExtrasError&) {
    explain_extras(app);
    return to_int(ExitCode::kUsage);
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == to_int(ExitCode::kOk)) return app.exit(error);
    say_error(error.what(), fmt::format("{} --help", full_name(deepest(&app))));
    return to_int(ExitCode::kUsage);
  } catch (const CliError& error) {
    say_error(error.what(), error.hint());
    return to_int(error.code());
  } catch (const std::exception& error) {
    say_error(error.what(), {});
    return to_int(ExitCode::kInternal);
  }
}

}  // namespace boruta::cli

#pragma once

#include <CLI/App.hpp>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "cli/session.hpp"

namespace boruta::cli {

/// What the command line came to.
struct CommandLine {
  /// What follows "--", if anything does.
  std::optional<std::vector<std::string>> command;
  /// The chosen command makes something of it.
  bool takes_command = false;
  Action action;
};

/// Adds a command to `parent`, with an example below its help.
CLI::App* add_command(CLI::App* parent, const std::string& name, const std::string& description,
                      const std::string& example);

/// Has `command` call `run` with what was parsed into `arguments`.
template <class Arguments>
void on_chosen(CLI::App* command, CommandLine* line, const std::shared_ptr<Arguments>& arguments,
               Task<int> (*run)(Session*, Arguments)) {
  command->callback([line, arguments, run] {
    // A command whose own sub-command was given leaves the choice to it.
    if (line->action) return;
    line->action = [arguments, run](Session* session) { return run(session, *arguments); };
  });
}

void add_run_commands(CLI::App* app, CommandLine* line);
void add_request_commands(CLI::App* app, CommandLine* line);
void add_board_commands(CLI::App* app, CommandLine* line);
void add_explain_commands(CLI::App* app, CommandLine* line);
void add_history_commands(CLI::App* app, CommandLine* line);
void add_worker_commands(CLI::App* app, CommandLine* line);
/// Below `workers`.
void add_enroll_command(CLI::App* workers, CommandLine* line);
void add_login_commands(CLI::App* app, CommandLine* line);
void add_admin_commands(CLI::App* app, CommandLine* line);
void add_audit_commands(CLI::App* app, CommandLine* line);
void add_token_commands(CLI::App* app, CommandLine* line);
void add_key_commands(CLI::App* app, CommandLine* line);

}  // namespace boruta::cli

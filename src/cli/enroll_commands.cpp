#include <CLI/App.hpp>
#include <fmt/format.h>

#include <utility>

#include "base/host_port.hpp"
#include "cli/commands.hpp"
#include "cli/lists.hpp"
#include "cli/quoting.hpp"
#include "cli/text.hpp"

namespace boruta::cli {
namespace {

constexpr std::uint16_t kAgentPort = 7175;

struct EnrollArguments {
  std::vector<std::string> names;
  std::string server;
  std::vector<std::string> caps;
  std::vector<std::string> groups;
  std::string access;
  bool reusable = false;
};

/// Where boards find the server: as told, else on the usual port of the host that we talk to.
std::string agent_address(Session* session, const std::string& told) {
  if (told.empty()) return format_host_port(session->settings().url.host, kAgentPort);
  const auto parsed = parse_host_port(told);
  if (!parsed || parsed->host.empty()) {
    throw CliError(ExitCode::kUsage, fmt::format("--server {}: HOST:PORT is expected", printable(told)),
                   "the agent_listen of borutad, as boards reach it");
  }
  return format_host_port(parsed->host, parsed->port.value_or(kAgentPort));
}

/// What is to be run on the board. A shell's own echo shows its words to nobody.
std::string line_for(const EnrollArguments& arguments, const std::string& server, const std::string& name,
                     const Secret& token) {
  std::vector<std::string> words{"dryad", "enroll", "--server", server, "--token-stdin"};
  const auto add = [&](const char* flag, const std::string& value) {
    words.emplace_back(flag);
    words.push_back(value);
  };
  if (!name.empty()) add("--name", name);
  for (const auto& cap : arguments.caps) add("--cap", cap);
  for (const auto& group : arguments.groups) add("--group", group);
  if (!arguments.access.empty()) add("--access", arguments.access);
  return fmt::format("echo {} | {}", token.reveal(), quote_command(words));
}

Task<void> enroll_one(Session* session, EnrollArguments arguments, std::string server, std::string name) {
  const auto token_name = name.empty() ? std::string("enrolment") : name;
  client::NewToken token;
  token.name = token_name;
  token.role = "worker";
  token.reusable = arguments.reusable;
  auto answer = co_await session->api().add_token(std::move(token));
  const auto issued = need_created(session, std::move(answer), "the token",
                                   fmt::format("`boruta tokens` tells of {}; if so, `boruta tokens revoke ID` and "
                                               "enrol again",
                                               printable(token_name)));
  session->print_line(session->json() ? issued.json : line_for(arguments, server, name, issued.value.token));
}

Task<int> enroll(Session* session, EnrollArguments arguments) {
  for (const auto& cap : arguments.caps) {
    if (cap.find('=') == std::string::npos || cap.starts_with('=')) {
      throw CliError(ExitCode::kUsage, fmt::format("--cap {}: KEY=VALUE is expected", printable(cap)));
    }
  }
  if (arguments.reusable && !arguments.names.empty()) {
    throw CliError(ExitCode::kUsage, "a token for any number of boards takes no NAME",
                   "boruta workers enroll --reusable --cap board=rpi4");
  }
  const auto server = agent_address(session, arguments.server);
  if (is_loopback(parse_host_port(server).value_or(HostPort{}).host)) {
    session->note(
        fmt::format("{} is each machine itself: --server HOST:PORT names the server as boards reach it", server));
  }
  const bool named = !arguments.names.empty();
  if (!named) arguments.names.emplace_back();
  for (const auto& name : arguments.names) co_await enroll_one(session, arguments, server, name);
  if (session->json()) co_return 0;
  session->note(arguments.reusable ? "run this as root on each board; the token lets in any number of workers"
                                   : "run this as root on the board; the token, shown this once, lets in one worker");
  session->note(
      fmt::format("then: boruta workers approve {}", named ? printable(join_and(arguments.names)) : "WORKER"));
  co_return 0;
}

}  // namespace

void add_enroll_command(CLI::App* workers, CommandLine* line) {
  auto arguments = std::make_shared<EnrollArguments>();
  auto* command = add_command(workers, "enroll", "Print the one line that makes a board a worker",
                              "boruta workers enroll rpi4-05 --cap board=rpi4 | ssh root@rpi4-05 sh");
  command->add_option("NAME", arguments->names, "What the workers will be called, a line for each")->option_text("...");
  command
      ->add_option("--server", arguments->server,
                   "Where boards reach the server's agent_listen (default: the server's host, port 7175)")
      ->option_text("HOST:PORT");
  command->add_option("--cap", arguments->caps, "What the workers offer")
      ->option_text("KEY=VALUE")
      ->allow_extra_args(false);
  command->add_option("--group", arguments->groups, "A further group of the jobs' account there, like dialout")
      ->option_text("GROUP")
      ->allow_extra_args(false);
  command->add_option("--access", arguments->access, "account (as root, for farms) or private (to try it out)")
      ->option_text("MODE");
  command->add_flag("--reusable", arguments->reusable, "One line for any number of boards, instead of one");
  on_chosen(command, line, arguments, &enroll);
}

}  // namespace boruta::cli

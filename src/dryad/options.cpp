#include "dryad/options.hpp"

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <string_view>
#include <vector>

#include "base/ids.hpp"
#include "dryad/config.hpp"
#include "dryad/exit_codes.hpp"

namespace boruta::dryad {
namespace {

constexpr std::size_t kMostSimulated = 100'000;

constexpr const char* kDescription =
    "Agent of a Boruta worker: registers the worker at the server, prepares it for each job, lets the job's user in\n"
    "over SSH and removes all of the user afterwards.\n\n"
    "Started without a config file it writes one with a fresh UUID, says so, and ends.\n";

std::string footer() {
  return fmt::format(
      "Examples:\n"
      "  dryad --config ~/dryad.conf                    run with a config of your own\n"
      "  dryad check                                    look whether this machine is fit to be a worker\n"
      "  dryad enroll --server farm:7175 --token-stdin  make it one; `boruta workers enroll` prints the whole line\n"
      "  dryad --simulate 100 --boruta 127.0.0.1:7175   a hundred workers with nothing behind them\n\n"
      "Exit codes:\n"
      "  {:>2}   stopped by a signal; or the first config was written\n"
      "  {:>2}   something broke that another start may mend\n"
      "  {:>2}   an admin deregistered the worker: started again it is a new one\n"
      "  {:>2}   wrong command line\n"
      "  {:>2}   this machine does not allow what the config asks for\n"
      "  {:>2}   the config is wrong\n",
      kExitOk, kExitFault, kExitDeregistered, kExitUsage, kExitUnfit, kExitConfig);
}

/// "KEY=VALUE"; throws what CLI11 shows.
std::pair<std::string, std::string> split_pair(const std::string& text, const char* flag) {
  const auto equals = text.find('=');
  if (equals == std::string::npos || equals == 0) {
    throw CLI::ValidationError(flag, fmt::format("\"{}\" is not KEY=VALUE", text));
  }
  return {text.substr(0, equals), text.substr(equals + 1)};
}

Faults parse_faults(const std::vector<std::string>& texts) {
  Faults faults;
  for (const auto& text : texts) {
    if (text == "silent") {
      faults.silent = true;
      continue;
    }
    const auto [what, how] = split_pair(text, "--fault");
    Fault* target = what == "prepare"       ? &faults.prepare
                    : what == "endjob"      ? &faults.end_job
                    : what == "maintenance" ? &faults.maintenance
                                            : nullptr;
    if (target == nullptr || (how != "fail" && how != "hang")) {
      throw CLI::ValidationError(
          "--fault", fmt::format("\"{}\" is neither silent nor prepare, endjob or maintenance = fail or hang", text));
    }
    *target = how == "fail" ? Fault::kFail : Fault::kHang;
  }
  return faults;
}

/// What the flags of a simulation were given as.
struct SimulateTexts {
  std::size_t count = 0;
  std::string prefix = "fa4e0000";
  std::vector<std::string> caps;
  std::vector<std::string> faults;
  std::string ssh_address;
};

SimulateOptions to_simulate(const SimulateTexts& texts) {
  SimulateOptions result{.count = texts.count,
                         .uuid_prefix = texts.prefix,
                         .caps = {},
                         .ssh_address = texts.ssh_address,
                         .faults = parse_faults(texts.faults)};
  if (!WorkerUuid::parse(texts.prefix + "-0000-4000-8000-000000000000")) {
    throw CLI::ValidationError("--uuid-prefix", "eight lower-case hexadecimal digits are expected");
  }
  for (const auto& text : texts.caps) {
    auto [key, value] = split_pair(text, "--caps");
    if (key == kUuidCap) throw CLI::ValidationError("--caps", "UUID comes from --uuid-prefix");
    result.caps.insert_or_assign(std::move(key), std::move(value));
  }
  if (auto beyond = check_limits(result.caps)) throw CLI::ValidationError("--caps", *beyond);
  if (!texts.ssh_address.empty() && !parse_host_port(texts.ssh_address)) {
    throw CLI::ValidationError("--ssh-address", "HOST:PORT is expected");
  }
  return result;
}

void add_flags(CLI::App& app, Options& options, SimulateTexts& texts) {
  app.add_option("--config", options.config, "Config file")->type_name("FILE")->capture_default_str();
  app.add_option("--token-file", options.token_file, "File whose first line is the token of role worker")
      ->type_name("FILE");
  app.add_option("--ca-file", options.ca_file, "PEM of the authorities to trust; turns TLS on")->type_name("FILE");
  app.add_option("--state-dir", options.state_dir, "Where the agent keeps what must outlive it")->type_name("DIR");
  app.add_option("--boruta", options.boruta, "The server, in place of the config's boruta_address")
      ->type_name("ADDR:PORT");
  app.set_version_flag("--version", BORUTA_VERSION, "Print the version");

  const char* group = "Simulation";
  auto* count = app.add_option("--simulate", texts.count, "Run N workers with nothing behind them; needs --boruta")
                    ->type_name("N")
                    ->check(CLI::Range(std::size_t{1}, kMostSimulated))
                    ->group(group);
  app.add_option("--uuid-prefix", texts.prefix, "First eight digits of their UUIDs, which then count up from 0")
      ->type_name("HEX")
      ->capture_default_str()
      ->needs(count)
      ->group(group);
  app.add_option("--caps", texts.caps, "Their capabilities beside UUID")
      ->type_name("KEY=VALUE,…")
      ->delimiter(',')
      ->needs(count)
      ->group(group);
  app.add_option("--ssh-address", texts.ssh_address, "Where they say their sshd is (default: their own, port 22)")
      ->type_name("HOST:PORT")
      ->needs(count)
      ->group(group);
  app.add_option("--fault", texts.faults,
                 "Misbehave: prepare=fail, endjob=fail, maintenance=fail, or =hang, or silent (no heartbeats)")
      ->type_name("FAULT")
      ->allow_extra_args(false)
      ->needs(count)
      ->group(group);
}

/// What the flags of an enrolment were given as.
struct EnrollTexts {
  std::string server;
  std::string name;
  std::vector<std::string> caps;
  bool no_start = false;
};

CLI::App* add_enroll(CLI::App& app, EnrollOptions& enroll, EnrollTexts& texts) {
  auto* command = app.add_subcommand(
      "enroll", "Make this machine a worker: write config and token, look whether all is well, start the service");
  command->fallthrough();
  command->add_option("--server", texts.server, "Where the server listens for agents")
      ->type_name("HOST:PORT")
      ->required();
  command->add_flag("--token-stdin", enroll.token_stdin,
                    "The token comes on standard input; --token-file FILE takes it from a file");
  command->add_option("--name", texts.name, "What people call the worker")->type_name("NAME");
  command->add_option("--cap", texts.caps, "What it offers")->type_name("KEY=VALUE")->allow_extra_args(false);
  command
      ->add_option("--access", enroll.access, "account: a throw-away account for each job; private: as who runs dryad")
      ->check(CLI::IsMember({"account", "private"}))
      ->capture_default_str();
  command->add_option("--group", enroll.groups, "A further group of the job's account, like dialout")
      ->type_name("GROUP")
      ->allow_extra_args(false);
  command->add_option("--ssh-address", enroll.ssh_address, "Where the server reaches this machine's sshd")
      ->type_name("HOST:PORT");
  command->add_flag("--replace", enroll.replace, "Write a config that is there anew; the UUID stays");
  command->add_flag("--offline", enroll.offline, "Don't ask the server whether the token is good");
  command->add_flag("--no-start", texts.no_start, "Don't start the service");
  return command;
}

EnrollOptions to_enroll(EnrollOptions enroll, const EnrollTexts& texts, const Options& options) {
  const auto server = parse_host_port(texts.server);
  if (!server || server->host.empty()) throw CLI::ValidationError("--server", "HOST:PORT is expected");
  enroll.server = *server;
  enroll.start = !texts.no_start;
  if (enroll.token_stdin == options.token_file.has_value()) {
    throw CLI::ValidationError("--token-stdin", "either it or --token-file FILE is needed");
  }
  for (const auto& text : texts.caps) {
    auto [key, value] = split_pair(text, "--cap");
    if (key == kUuidCap) throw CLI::ValidationError("--cap", "UUID is drawn, or stays what it is");
    enroll.caps.insert_or_assign(std::move(key), std::move(value));
  }
  if (!texts.name.empty()) enroll.caps.insert_or_assign("name", texts.name);
  return enroll;
}

}  // namespace

std::expected<Options, int> parse_options(int argc, const char* const* argv) {
  CLI::App app(kDescription, "dryad");
  app.footer(footer());
  Options options;
  SimulateTexts texts;
  add_flags(app, options, texts);
  auto* check = app.add_subcommand(
      "check", "Look whether this machine is fit to be a worker, and what to do where it is not; changes nothing");
  check->fallthrough();
  EnrollOptions enroll;
  EnrollTexts enroll_texts;
  const auto* enrolling = add_enroll(app, enroll, enroll_texts);
  try {
    app.parse(argc, argv);
    options.check = check->parsed();
    if (enrolling->parsed()) options.enroll = to_enroll(std::move(enroll), enroll_texts, options);
    if (texts.count > 0) {
      if (!options.boruta) throw CLI::RequiredError("--boruta");
      options.simulate = to_simulate(texts);
    }
    if (options.boruta) {
      const auto address = parse_host_port(*options.boruta);
      if (!address || address->host.empty()) throw CLI::ValidationError("--boruta", "HOST:PORT is expected");
    }
  } catch (const CLI::ParseError& error) {
    // CLI11 shows help and version by the same way.
    return std::unexpected(app.exit(error) == 0 ? kExitOk : kExitUsage);
  }
  return options;
}

}  // namespace boruta::dryad

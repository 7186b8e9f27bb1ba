#include <CLI/App.hpp>
#include <boost/asio/as_tuple.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <utility>

#include "cli/arguments.hpp"
#include "cli/commands.hpp"
#include "cli/copying.hpp"
#include "cli/job_session.hpp"
#include "cli/run_session.hpp"
#include "cli/ssh_files.hpp"
#include "cli/text.hpp"
#include "cli/worker_names.hpp"

namespace boruta::cli {
namespace {

using namespace std::chrono_literals;

constexpr std::chrono::seconds kAcquireWait = 30s;
constexpr Duration kShortestLease = 10s;

struct RunArguments {
  std::vector<std::string> demand;
  std::vector<std::string> put;
  std::vector<std::string> get;
  unsigned priority = 8;
  std::string lease = "2m";
  std::string timeout;
  bool local = false;
  bool wait_for_worker = false;
  unsigned retries = 0;
  bool quiet = false;
  std::vector<std::string> command;
};

struct SshArguments {
  std::string id;
  std::vector<std::string> command;
};

Task<int> run_job(Session* session, RunArguments arguments) {
  RunOptions options;
  options.demand = need_argument(parse_demand(arguments.demand));
  options.priority = arguments.priority;
  options.lease = need_argument(parse_span("--lease", arguments.lease));
  if (options.lease < kShortestLease) throw CliError(ExitCode::kUsage, "--lease: at least 10s is needed");
  if (!arguments.timeout.empty()) options.timeout = need_argument(parse_span("--timeout", arguments.timeout));
  options.wait_for_worker = arguments.wait_for_worker;
  options.retries = arguments.retries;
  options.quiet = arguments.quiet;
  for (const auto& path : arguments.put) {
    if (const auto wrong = check_put(path)) throw CliError(ExitCode::kUsage, *wrong);
  }
  options.work.put = std::move(arguments.put);
  options.work.get = std::move(arguments.get);
  options.work.command = std::move(arguments.command);
  options.work.local = arguments.local;
  // A reader of our output that goes away must not keep the request from being closed.
  std::signal(SIGPIPE, SIG_IGN);
  RunSession run(session, std::move(options));
  co_return co_await run.run();
}

/// Access to the request's worker, awaited while it waits for one. Throws when there is none to come.
Task<client::AccessInfo> await_access(Session* session, RequestId id) {
  bool told = false;
  while (true) {
    const auto wait = told ? kAcquireWait : 0s;
    auto access = co_await session->api().acquire_worker(id, wait);
    if (access) co_return std::move(access->value);
    const bool unassigned = access.error().status == 400;
    if (!unassigned) session->fail(access.error());
    const auto request = session->need(co_await session->api().get_request(id)).value;
    if (const auto over = judge_wait(request)) {
      throw CliError(static_cast<ExitCode>(over->code), fmt::format("request {} {}", id.value, over->message));
    }
    if (!told) session->note(labelled("waiting", fmt::format("request {} has no worker yet", id.value)));
    told = true;
  }
}

struct Started {
  client::AccessInfo access;
  std::string worker_name;
  Duration lease{};
};

Task<Started> reach(Session* session, RequestId id) {
  Started started;
  started.access = co_await await_access(session, id);
  const auto request = session->need(co_await session->api().get_request(id)).value;
  const auto names = name_workers(session->need(co_await session->api().list_workers()).value);
  const auto uuid = request.job ? request.job->worker_uuid : std::string();
  const auto name = names.find(uuid);
  started.worker_name = name == names.end() ? uuid : name->second;
  // Acquiring has just prolonged the job: what is left is one lease.
  const auto left = request.job && request.job->timeout ? *request.job->timeout - session->now() : Duration(2min);
  started.lease = std::max<Duration>(left, kShortestLease);
  co_return started;
}

Task<int> ssh_into(Session* session, SshArguments arguments) {
  const auto id = need_argument(parse_request_id(arguments.id));
  auto started = co_await reach(session, id);
  std::signal(SIGPIPE, SIG_IGN);
  Interrupts interrupts(session->executor(), [] {});
  LiveLine live(false, &terminal_columns,
                [](std::string_view text) { std::fwrite(text.data(), 1, text.size(), stderr); });
  JobSession::Job job;
  job.id = id;
  job.worker_name = started.worker_name;
  job.lease = started.lease;
  JobWork work;
  work.command = std::move(arguments.command);
  work.announce = false;
  JobSession use(session, &interrupts, &live, std::move(job), std::move(work));
  const auto verdict = co_await use.run(std::move(started.access));
  if (!verdict.message.empty()) session->note(fmt::format("boruta: request {}: {}", id.value, verdict.message));
  co_return verdict.code;
}

Task<int> write_ssh_config(Session* session, SshArguments arguments) {
  const auto id = need_argument(parse_request_id(arguments.id));
  const auto folder = kept_ssh_folder(process_environment(), id);
  if (!folder) throw CliError(ExitCode::kInternal, folder.error());
  const auto started = co_await reach(session, id);
  const auto files =
      SshFiles::make_in(*folder, started.access, ssh_alias(started.worker_name), session->settings().url.host);
  if (!files) throw CliError(ExitCode::kSshFailed, files.error());
  session->print(files->config_text());
  if (session->terminal().output) {
    session->note(fmt::format("# ssh -F {} {}", files->config_path().native(), files->alias()));
  }
  co_return 0;
}

void add_run(CLI::App* app, CommandLine* line) {
  auto arguments = std::make_shared<RunArguments>();
  auto* run =
      add_command(app, "run", "File a request, wait, run a command on the worker, and give it back",
                  "boruta run board=rpi4 --put flash.sh nightly.img --get results.xml -- ./flash.sh nightly.img\n"
                  "  boruta run board=rpi4                    an interactive shell\n"
                  "  boruta run board=rpi4 --local -- sh -c 'ssh -F \"$BORUTA_SSH_CONFIG\" \"$BORUTA_HOST\" uname'");
  run->add_option("WHAT", arguments->demand, "What the worker must have: KEY=VALUE, or a requirement like 'ram>=4GiB'")
      ->option_text("...");
  run->add_option("--put", arguments->put, "Files and folders to copy to where the command starts")
      ->option_text("PATH...");
  run->add_option("--get", arguments->get,
                  "Files and folders to copy from there to the current folder, whatever came of the command")
      ->option_text("PATH...");
  run->add_option("--priority", arguments->priority, "1 (most important) to 16")
      ->check(CLI::Range(1, 16))
      ->option_text("1..16 [8]");
  run->add_option("--lease", arguments->lease, "How long the worker stays ours when we are gone")
      ->capture_default_str();
  run->add_option("--timeout", arguments->timeout, "Give up when nothing has started after so long, like \"30m\"")
      ->option_text("DURATION");
  run->add_flag("--local", arguments->local,
                "Run the command here, with BORUTA_HOST, BORUTA_SSH_CONFIG, BORUTA_REQUEST and BORUTA_WORKER set");
  run->add_flag("--wait-for-worker", arguments->wait_for_worker,
                "Wait even if no registered worker has what is asked for");
  run->add_option("--retry", arguments->retries,
                  "File again for another worker, at most N times, when the worker failed; not when the command did")
      ->check(CLI::Range(0, 100))
      ->option_text("N");
  run->add_flag("-q,--quiet", arguments->quiet, "Tell nothing but errors");
  run->callback([line, arguments] {
    line->takes_command = true;
    if (line->command) arguments->command = *line->command;
    line->action = [arguments](Session* session) { return run_job(session, *arguments); };
  });
}

}  // namespace

void add_run_commands(CLI::App* app, CommandLine* line) {
  add_run(app, line);

  auto arguments = std::make_shared<SshArguments>();
  auto* ssh = add_command(app, "ssh",
                          "Log in to the worker of a request, or run a command there; its job is prolonged meanwhile",
                          "boruta ssh 42 -- uname -a");
  ssh->add_option("ID", arguments->id, "Number of a request")->required()->option_text(" ");
  ssh->callback([line, arguments] {
    line->takes_command = true;
    if (line->command) arguments->command = *line->command;
    line->action = [arguments](Session* session) { return ssh_into(session, *arguments); };
  });

  auto* console = add_command(app, "console",
                              "Use the serial console of a job's device under test; Ctrl-] leaves it; the job is "
                              "prolonged meanwhile",
                              "boruta console 42");
  console->add_option("ID", arguments->id, "Number of a request")->required()->option_text(" ");
  console->callback([line, arguments] {
    arguments->command = {"boruta-board", "console"};
    line->action = [arguments](Session* session) { return ssh_into(session, *arguments); };
  });

  auto* config =
      add_command(app, "ssh-config", "Print an ssh_config for the worker of a request, for ssh, scp, rsync and editors",
                  "boruta ssh-config 42 > farm.conf && scp -F farm.conf image.bin rpi4-03:");
  config->add_option("ID", arguments->id, "Number of a request")->required()->option_text(" ");
  on_chosen(config, line, arguments, &write_ssh_config);
}

}  // namespace boruta::cli

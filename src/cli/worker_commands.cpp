#include <CLI/App.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <map>
#include <utility>

#include "cli/commands.hpp"
#include "cli/history_views.hpp"
#include "cli/progress.hpp"
#include "cli/quoting.hpp"
#include "cli/text.hpp"
#include "cli/views.hpp"
#include "cli/worker_names.hpp"
#include "runtime/deadline.hpp"

namespace boruta::cli {
namespace {

using namespace std::chrono_literals;
using client::WorkerInfo;
using client::WorkerState;

/// The server answers for a worker within a minute; some more for the way.
constexpr Duration kSettlePatience = 90s;

struct WorkerArguments {
  std::string name;
};

struct ListArguments {
  bool refused = false;
};

struct WorkersArguments {
  std::vector<std::string> names;
  std::string reason;
  bool drain = false;
};

struct WorkerGroupsArguments {
  std::string name;
  std::vector<std::string> groups;
  bool none = false;
};

/// The workers that `names` mean, all of them known before anything is done to one.
Task<std::vector<std::pair<std::string, WorkerInfo>>> find_workers(Session* session, std::vector<std::string> names) {
  const auto workers = session->need(co_await session->api().list_workers()).value;
  const auto shown = name_workers(workers);
  std::vector<std::pair<std::string, WorkerInfo>> found;
  for (const auto& name : names) {
    const auto worker = find_worker(workers, name);
    if (!worker) throw CliError(ExitCode::kRefused, worker.error(), "`boruta workers` lists them");
    found.emplace_back(printable(shown.at((*worker)->uuid)), **worker);
  }
  co_return found;
}

/// Owners of the requests that run, by request: for the people in the JOB column.
Task<std::map<std::uint64_t, std::string>> running_owners(Session* session) {
  client::RequestFilter filter;
  filter.states = {"IN PROGRESS"};
  const auto requests = session->need(co_await session->api().list_requests(std::move(filter))).value;
  std::map<std::uint64_t, std::string> owners;
  for (const auto& request : requests) owners[request.id.value] = request.owner;
  co_return owners;
}

/// Agents that were turned away of late.
Task<int> list_refused(Session* session) {
  const client::AuditFilter filter{.since = "7d", .kind = "action refused"};
  RefusedAgents refused;
  std::uint64_t after = 0;
  for (bool more = true; more;) {
    const auto page = session->need(co_await session->api().audit(filter, after));
    for (std::size_t i = 0; i < page.events.size(); ++i) {
      if (!is_refused_agent(page.events[i])) continue;
      if (session->json()) session->print_line(page.lines.at(i));
      refused.add(page.events[i]);
    }
    more = page.next.has_value();
    after = page.next.value_or(after);
  }
  if (session->json()) co_return 0;
  const auto table = refused.table(session->now());
  if (table.empty()) {
    session->note("no agent was turned away in the last 7 days");
    co_return 0;
  }
  session->print(table.render(session->terminal().colour));
  co_return 0;
}

Task<int> list_workers(Session* session, ListArguments arguments) {
  if (arguments.refused) co_return co_await list_refused(session);
  const auto workers = session->need(co_await session->api().list_workers());
  if (session->json()) {
    session->print_line(workers.json);
    co_return 0;
  }
  if (workers.value.empty()) {
    session->note("no worker is registered");
    co_return 0;
  }
  const bool jobs = std::ranges::any_of(workers.value, [](const WorkerInfo& worker) { return worker.job.has_value(); });
  std::map<std::uint64_t, std::string> owners;
  if (jobs) owners = co_await running_owners(session);
  session->print(workers_table(workers.value, owners, session->now()).render(session->terminal().colour));
  const auto shown = name_workers(workers.value);
  std::vector<std::string> waiting;
  for (const auto& worker : workers.value) {
    if (awaits_approval(worker)) waiting.push_back(shown.at(worker.uuid));
  }
  std::ranges::sort(waiting);
  if (!waiting.empty())
    session->note(fmt::format("to let in who waits: boruta workers approve {}", printable(quote_command(waiting))));
  co_return 0;
}

Task<int> show_worker(Session* session, WorkerArguments arguments) {
  std::vector<std::string> names{arguments.name};
  const auto found = co_await find_workers(session, std::move(names));
  const auto& [name, worker] = found.front();
  if (session->json()) {
    session->print_line(session->need(co_await session->api().get_worker(worker.uuid)).json);
    co_return 0;
  }
  std::map<std::uint64_t, std::string> owners;
  if (worker.job) owners = co_await running_owners(session);
  session->print(describe_worker(name, worker, owners, session->now()));
  co_return 0;
}

bool is_settled(const WorkerInfo& worker) {
  return worker.state != WorkerState::kPrepare && worker.state != WorkerState::kBusy;
}

/// Waits until the worker is no longer on its way to another state, for as long as the server takes to decide.
Task<WorkerInfo> await_settled(Session* session, std::string name, std::string uuid, std::string label) {
  LiveLine live(session->terminal().error, &terminal_columns, [session](std::string_view text) {
    if (session->terminal().error) std::fwrite(text.data(), 1, text.size(), stderr);
  });
  const auto start = session->now();
  while (true) {
    auto worker = session->need(co_await session->api().get_worker(uuid)).value;
    if (is_settled(worker) || session->now() - start > kSettlePatience) {
      live.clear();
      co_return worker;
    }
    live.show(label, name, session->now() - start);
    co_await runtime::sleep_for(session->clock(), 300ms);
  }
}

void print_outcome(const Session& session, std::string_view name, const WorkerInfo& worker, std::string_view extra) {
  const auto reason = worker.state == WorkerState::kFailed && !worker.reason.empty()
                          ? fmt::format(": {}", printable(worker.reason))
                          : std::string();
  const auto state = painted(worker.state_text, tone_of(worker.state), session.terminal().colour);
  session.print_line(fmt::format("{}  {}{}{}", name, state, reason, extra));
}

Task<void> change_state(Session* session, std::string uuid, std::string state, std::string reason, bool drain) {
  session->need(co_await session->api().set_state(std::move(uuid), std::move(state), std::move(reason), drain));
}

/// True when the worker serves in the end.
Task<bool> enable_worker(Session* session, std::string name, WorkerInfo worker) {
  const bool serves = worker.state == WorkerState::kIdle || worker.state == WorkerState::kRunning;
  if (serves && !worker.draining) {
    print_outcome(*session, name, worker, " already");
    co_return true;
  }
  if (worker.state == WorkerState::kFailed) {
    // From FAILED the way back leads through MAINTENANCE.
    co_await change_state(session, worker.uuid, "MAINTENANCE", std::string(), false);
    worker = co_await await_settled(session, name, worker.uuid, "checking");
  }
  if (worker.state != WorkerState::kFailed) {
    co_await change_state(session, worker.uuid, "IDLE", std::string(), false);
    worker = co_await await_settled(session, name, worker.uuid, "preparing");
  }
  print_outcome(*session, name, worker, is_settled(worker) ? "" : " still; `boruta workers show` tells later");
  co_return worker.state == WorkerState::kIdle || worker.state == WorkerState::kRunning;
}

Task<int> enable_workers(Session* session, WorkersArguments arguments) {
  const auto found = co_await find_workers(session, arguments.names);
  bool all = true;
  for (const auto& [name, worker] : found) {
    const bool serves = co_await enable_worker(session, name, worker);
    all = all && serves;
  }
  co_return all ? 0 : to_int(ExitCode::kWorkerFailed);
}

Task<int> disable_workers(Session* session, WorkersArguments arguments) {
  const auto found = co_await find_workers(session, arguments.names);
  bool all = true;
  for (const auto& [name, before] : found) {
    co_await change_state(session, before.uuid, "MAINTENANCE", arguments.reason, arguments.drain);
    const auto worker = co_await await_settled(session, name, before.uuid, "stopping");
    std::string extra;
    if (worker.state == WorkerState::kRunning && worker.job) {
      extra = fmt::format(": goes into maintenance when job {} ends", worker.job->value);
    } else if (before.job) {
      extra = fmt::format("; job {} was ended, its request is FAILED", before.job->value);
    }
    print_outcome(*session, name, worker, extra);
    all = all && worker.state != WorkerState::kFailed;
  }
  co_return all ? 0 : to_int(ExitCode::kWorkerFailed);
}

Task<int> set_groups(Session* session, WorkerGroupsArguments arguments) {
  if (arguments.none && !arguments.groups.empty()) throw CliError(ExitCode::kUsage, "--none takes no groups beside it");
  std::vector<std::string> names{arguments.name};
  const auto found = co_await find_workers(session, std::move(names));
  const auto& [name, worker] = found.front();
  if (arguments.groups.empty() && !arguments.none) {
    for (const auto& group : worker.groups) session->print_line(printable(group));
    if (worker.groups.empty()) session->note(fmt::format("{} serves everyone", name));
    co_return 0;
  }
  normalize(arguments.groups);
  session->need(co_await session->api().set_worker_groups(worker.uuid, arguments.groups));
  session->print_line(arguments.groups.empty()
                          ? fmt::format("{} serves everyone", name)
                          : fmt::format("{} serves {}", name, printable(join_and(arguments.groups))));
  co_return 0;
}

Task<int> deregister_worker(Session* session, WorkerArguments arguments) {
  std::vector<std::string> names{arguments.name};
  const auto found = co_await find_workers(session, std::move(names));
  const auto& [name, worker] = found.front();
  if (worker.state != WorkerState::kMaintenance && worker.state != WorkerState::kFailed) {
    throw CliError(ExitCode::kRefused,
                   fmt::format("{} is {}: only a worker in maintenance can go", name, worker.state_text),
                   fmt::format("boruta workers disable {}", name));
  }
  session->need(co_await session->api().deregister(worker.uuid));
  session->print_line(fmt::format("{} is no longer registered", name));
  co_return 0;
}

void add_names(CLI::App* command, std::vector<std::string>& names) {
  command->add_option("NAME", names, "Names or UUIDs of workers")->required()->option_text("...");
}

}  // namespace

void add_worker_commands(CLI::App* app, CommandLine* line) {
  auto* workers = add_command(app, "workers", "List workers, and take them in and out of service", "boruta workers");
  workers->require_subcommand(0, 1);
  auto listed = std::make_shared<ListArguments>();
  auto* list = add_command(workers, "list", "List all workers", "boruta workers list --json");
  for (auto* command : {workers, list}) {
    command->add_flag("--refused", listed->refused, "Agents that were turned away in the last 7 days, and why");
  }
  on_chosen(list, line, listed, &list_workers);

  auto one = std::make_shared<WorkerArguments>();
  auto* show = add_command(workers, "show", "Show all about a worker", "boruta workers show rpi4-01");
  show->add_option("NAME", one->name, "Name or UUID of a worker")->required()->option_text(" ");
  on_chosen(show, line, one, &show_worker);

  auto some = std::make_shared<WorkersArguments>();
  auto* enable = add_command(workers, "enable", "Take workers into service, and wait until they are or have failed",
                             "boruta workers enable rpi4-01 rpi4-02");
  add_names(enable, some->names);
  on_chosen(enable, line, some, &enable_workers);

  auto* approve =
      add_command(workers, "approve", "Let new workers serve, and those whose capabilities changed: the same as enable",
                  "boruta workers approve rpi4-05");
  add_names(approve, some->names);
  on_chosen(approve, line, some, &enable_workers);
  add_enroll_command(workers, line);

  auto* disable = add_command(workers, "disable", "Take workers out of service; a job on them ends at once",
                              "boruta workers disable rpi4-02 --drain --reason \"SD card broken\"");
  add_names(disable, some->names);
  disable->add_option("--reason", some->reason, "Why: shown to everyone, and on the board's display")
      ->option_text("TEXT");
  disable->add_flag("--drain", some->drain, "Let a running job end first");
  on_chosen(disable, line, some, &disable_workers);

  auto grouped = std::make_shared<WorkerGroupsArguments>();
  auto* groups =
      add_command(workers, "groups", "Show or set whom a worker serves", "boruta workers groups rpi4-01 kernel ci");
  groups->add_option("NAME", grouped->name, "Name or UUID of a worker")->required()->option_text(" ");
  groups->add_option("GROUP", grouped->groups, "Groups that it serves, instead of those it has")->option_text("...");
  groups->add_flag("--none", grouped->none, "No groups: it serves everyone");
  on_chosen(groups, line, grouped, &set_groups);

  auto* deregister = add_command(workers, "deregister", "Remove a worker that is in maintenance or has failed",
                                 "boruta workers deregister rpi4-02");
  deregister->add_option("NAME", one->name, "Name or UUID of a worker")->required()->option_text(" ");
  on_chosen(deregister, line, one, &deregister_worker);

  on_chosen(workers, line, listed, &list_workers);
}

}  // namespace boruta::cli

#include <CLI/App.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <map>
#include <utility>

#include "cli/arguments.hpp"
#include "cli/commands.hpp"
#include "cli/explain_views.hpp"
#include "cli/ssh_files.hpp"
#include "cli/text.hpp"
#include "cli/views.hpp"
#include "cli/worker_names.hpp"

namespace boruta::cli {
namespace {

using client::RequestInfo;

struct NewRequestArguments {
  std::vector<std::string> demand;
  unsigned priority = 8;
  std::string deadline;
  std::string valid_after;
  std::string lease;
};

struct ListArguments {
  bool mine = false;
  bool all = false;
};

struct IdArguments {
  std::string id;
};

struct CloseArguments {
  std::vector<std::string> ids;
  bool mine = false;
};

struct UpdateArguments {
  std::string id;
  unsigned priority = 0;
  std::string deadline;
  std::string valid_after;
};

std::optional<WallTime> optional_when(std::string_view option, const std::string& text, Instant now) {
  if (text.empty()) return std::nullopt;
  return need_argument(parse_when(option, text, now));
}

Task<int> file_request(Session* session, NewRequestArguments arguments) {
  client::NewRequest wanted;
  const auto demand = need_argument(parse_demand(arguments.demand));
  wanted.caps = demand.caps;
  wanted.requirements = requirement_texts(demand.requirements);
  wanted.priority = arguments.priority;
  wanted.valid_after = optional_when("--valid-after", arguments.valid_after, session->now());
  wanted.deadline = optional_when("--deadline", arguments.deadline, session->now());
  if (!arguments.lease.empty()) wanted.lease = need_argument(parse_span("--lease", arguments.lease));
  auto same = wanted;
  const auto id =
      session->need(co_await session->api().create_request(std::move(wanted), client::make_idempotency_key()));
  session->print_line(session->json() ? id.json : std::to_string(id.value.value));
  std::fflush(stdout);
  const auto asked = describe_demand(same.caps, same.requirements);
  const auto explanation = co_await session->api().explain(std::move(same));
  if (explanation && explanation->value.fits == 0) {
    session->note(fmt::format("boruta: {}; request {} waits for one that comes",
                              explain_no_fit(explanation->value, asked), id.value.value));
  }
  if (session->terminal().output && !session->json()) {
    session->note(fmt::format("`boruta ssh {0}` logs in when it has started, `boruta close {0}` gives the worker back",
                              id.value.value));
  }
  co_return 0;
}

Task<std::map<std::string, std::string>> names_for(Session* session, std::vector<RequestInfo> requests) {
  const bool jobs = std::ranges::any_of(requests, [](const RequestInfo& request) { return request.job.has_value(); });
  std::map<std::string, std::string> names;
  if (jobs) names = name_workers(session->need(co_await session->api().list_workers()).value);
  co_return names;
}

Task<int> list_requests(Session* session, ListArguments arguments) {
  client::RequestFilter filter;
  if (!arguments.all) filter.states = {"WAITING", "IN PROGRESS"};
  if (arguments.mine) {
    const auto me = session->need(co_await session->api().whoami());
    filter.owners.push_back(me.value.name);
  }
  const auto requests = session->need(co_await session->api().list_requests(std::move(filter)));
  if (session->json()) {
    session->print_line(requests.json);
    co_return 0;
  }
  if (requests.value.empty()) {
    session->note(arguments.all ? "no requests" : "no open requests; --all lists ended ones too");
    co_return 0;
  }
  const auto names = co_await names_for(session, requests.value);
  session->print(requests_table(requests.value, names, session->now()).render(session->terminal().colour));
  co_return 0;
}

Task<int> show_request(Session* session, IdArguments arguments) {
  const auto id = need_argument(parse_request_id(arguments.id));
  const auto request = session->need(co_await session->api().get_request(id));
  if (session->json()) {
    session->print_line(request.json);
    co_return 0;
  }
  std::vector<RequestInfo> one{request.value};
  const auto names = co_await names_for(session, std::move(one));
  session->print(describe_request(request.value, names, session->now()));
  co_return 0;
}

void forget_ssh_files(RequestId id) {
  const auto folder = kept_ssh_folder(process_environment(), id);
  std::error_code ignored;
  if (folder) std::filesystem::remove_all(*folder, ignored);
}

/// Returns the exit code for this one; what is wrong is said at once, so that the others are closed as well.
Task<int> close_one(Session* session, RequestId id) {
  const auto closed = co_await session->api().close_request(id);
  if (closed) {
    forget_ssh_files(id);
    session->print_line(fmt::format("closed request {}", id.value));
    co_return 0;
  }
  // The server's words about a request of another name it themselves.
  auto why = session->describe(closed.error());
  if (!why.starts_with(fmt::format("request {}", id.value))) why = fmt::format("request {}: {}", id.value, why);
  if (closed.error().status == 400) {
    const auto request = co_await session->api().get_request(id);
    if (request && client::is_terminal(request->value.state)) {
      forget_ssh_files(id);
      why = fmt::format("request {} is {} already", id.value, printable(request->value.state_text));
    }
  }
  session->note(fmt::format("boruta: {}", why));
  co_return to_int(exit_code_of(closed.error()));
}

Task<std::vector<RequestId>> my_open_requests(Session* session) {
  client::RequestFilter filter;
  filter.states = {"WAITING", "IN PROGRESS"};
  const auto me = session->need(co_await session->api().whoami());
  filter.owners.push_back(me.value.name);
  const auto requests = session->need(co_await session->api().list_requests(std::move(filter))).value;
  std::vector<RequestId> ids;
  ids.reserve(requests.size());
  for (const auto& request : requests) ids.push_back(request.id);
  co_return ids;
}

Task<int> close_requests(Session* session, CloseArguments arguments) {
  if (arguments.mine == !arguments.ids.empty()) {
    throw CliError(ExitCode::kUsage, "either the numbers of requests or --mine is needed", "boruta close 42");
  }
  std::vector<RequestId> ids;
  ids.reserve(arguments.ids.size());
  for (const auto& text : arguments.ids) ids.push_back(need_argument(parse_request_id(text)));
  if (arguments.mine) ids = co_await my_open_requests(session);
  if (ids.empty()) session->note("you have no open requests");
  int code = 0;
  for (const auto id : ids) {
    const int one = co_await close_one(session, id);
    if (code == 0) code = one;
  }
  co_return code;
}

Task<int> prolong_request(Session* session, IdArguments arguments) {
  const auto id = need_argument(parse_request_id(arguments.id));
  session->need(co_await session->api().prolong(id));
  const auto request = session->need(co_await session->api().get_request(id));
  if (session->json()) {
    session->print_line(request.json);
  } else if (request.value.job && request.value.job->timeout) {
    session->print_line(
        fmt::format("request {} runs until {}", id.value, short_time(*request.value.job->timeout, session->now())));
  }
  co_return 0;
}

Task<int> update_request(Session* session, UpdateArguments arguments) {
  const auto id = need_argument(parse_request_id(arguments.id));
  client::RequestUpdate update;
  if (arguments.priority != 0) update.priority = arguments.priority;
  update.valid_after = optional_when("--valid-after", arguments.valid_after, session->now());
  update.deadline = optional_when("--deadline", arguments.deadline, session->now());
  if (!update.priority && !update.valid_after && !update.deadline) {
    throw CliError(ExitCode::kUsage, "nothing to change: --priority, --valid-after or --deadline is needed");
  }
  session->need(co_await session->api().update_request(id, update));
  IdArguments one;
  one.id = arguments.id;
  co_return co_await show_request(session, std::move(one));
}

void add_times(CLI::App* command, std::string& deadline, std::string& valid_after) {
  command->add_option("--deadline", deadline, "Not started by then, it ends: \"2h\", \"17:30\", \"2030-01-02 17:30\"")
      ->option_text("TIME");
  command->add_option("--valid-after", valid_after, "Not started before: a time as for --deadline")
      ->option_text("TIME");
}

void add_id(CLI::App* command, std::string& id) {
  command->add_option("ID", id, "Number of a request")->required()->option_text(" ");
}

}  // namespace

void add_request_commands(CLI::App* app, CommandLine* line) {
  auto filed = std::make_shared<NewRequestArguments>();
  auto* request = add_command(app, "request", "File a request, and print its number",
                              "boruta request board=rpi4 --priority 4 --deadline 2h");
  request->add_option("WHAT", filed->demand, "What the worker must have: KEY=VALUE, or a requirement like 'ram>=4GiB'")
      ->option_text("...");
  request->add_option("--priority", filed->priority, "1 (most important) to 16")
      ->check(CLI::Range(1, 16))
      ->option_text("1..16 [8]");
  add_times(request, filed->deadline, filed->valid_after);
  request->add_option("--lease", filed->lease, "How far one prolongation reaches, like \"30m\"")
      ->option_text("DURATION");
  on_chosen(request, line, filed, &file_request);

  auto listed = std::make_shared<ListArguments>();
  auto* requests = add_command(app, "requests", "List open requests", "boruta requests --mine");
  requests->add_flag("--mine", listed->mine, "Only those that you filed");
  requests->add_flag("--all", listed->all, "Ended ones too");
  on_chosen(requests, line, listed, &list_requests);

  auto one = std::make_shared<IdArguments>();
  auto* show = add_command(app, "show", "Show all about a request", "boruta show 42");
  add_id(show, one->id);
  on_chosen(show, line, one, &show_request);

  auto closed = std::make_shared<CloseArguments>();
  auto* close =
      add_command(app, "close", "Withdraw requests, or end their jobs and give the workers back", "boruta close 42 43");
  close->add_option("ID", closed->ids, "Numbers of requests")->option_text("...");
  close->add_flag("--mine", closed->mine, "All open ones that you filed");
  on_chosen(close, line, closed, &close_requests);

  auto* prolong = add_command(app, "prolong", "Have a job run for another lease from now on", "boruta prolong 42");
  add_id(prolong, one->id);
  on_chosen(prolong, line, one, &prolong_request);

  auto updated = std::make_shared<UpdateArguments>();
  auto* update = add_command(app, "update", "Change a request that waits", "boruta update 42 --priority 2");
  add_id(update, updated->id);
  update->add_option("--priority", updated->priority, "1 (most important) to 16")
      ->check(CLI::Range(1, 16))
      ->option_text("1..16");
  add_times(update, updated->deadline, updated->valid_after);
  on_chosen(update, line, updated, &update_request);
}

}  // namespace boruta::cli

#include <CLI/App.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/ascii.hpp"
#include "cli/arguments.hpp"
#include "cli/commands.hpp"
#include "cli/history_views.hpp"
#include "cli/text.hpp"
#include "cli/watch_session.hpp"
#include "cli/worker_names.hpp"

namespace boruta::cli {
namespace {

struct SubjectArguments {
  std::string subject;
  bool all = false;
};

struct UsageArguments {
  std::string since = "7d";
  std::string by = "owner";
};

/// What was typed for ID|WORKER: all digits mean a request, anything else a worker.
struct Subject {
  std::optional<RequestId> request;
  /// Empty for a request.
  std::string uuid;
  std::string title;
};

Subject find_subject(const std::string& typed, const std::vector<client::WorkerInfo>& workers,
                     const WorkerNames& names) {
  Subject subject;
  if (!typed.empty() && std::ranges::all_of(typed, is_digit)) {
    subject.request = need_argument(parse_request_id(typed));
    subject.title = fmt::format("request {}", subject.request->value);
    return subject;
  }
  const auto worker = find_worker(workers, typed);
  if (!worker) throw CliError(ExitCode::kRefused, worker.error(), "`boruta workers` lists them");
  subject.uuid = (*worker)->uuid;
  subject.title = printable(names.at(subject.uuid));
  return subject;
}

Task<int> show_history(Session* session, SubjectArguments arguments) {
  const auto workers = session->need(co_await session->api().list_workers()).value;
  const auto names = name_workers(workers);
  const auto subject = find_subject(arguments.subject, workers, names);
  client::Answer<client::Reply<std::vector<client::EventInfo>>> answer;
  if (subject.request) {
    answer = co_await session->api().request_events(*subject.request);
  } else {
    answer = co_await session->api().worker_events(subject.uuid);
  }
  auto events = session->need(std::move(answer));
  if (session->json()) {
    session->print_line(events.json);
    co_return 0;
  }
  const auto hidden = arguments.all ? 0 : std::erase_if(events.value, &is_chatty);
  const auto table = history_table(events.value, !subject.request, names, session->now());
  session->print(table.render(session->terminal().colour));
  if (hidden > 0 && session->terminal().error) {
    session->note(fmt::format("--all shows {} more", plural(hidden, "event", "events")));
  }
  co_return 0;
}

Task<int> watch(Session* session, SubjectArguments arguments) {
  WatchOptions options;
  options.all = arguments.all;
  options.title = "the farm";
  const auto workers = session->need(co_await session->api().list_workers()).value;
  auto names = name_workers(workers);
  if (!arguments.subject.empty()) {
    auto subject = find_subject(arguments.subject, workers, names);
    options.selection.request = subject.request;
    options.selection.worker = std::move(subject.uuid);
    options.title = std::move(subject.title);
  }
  // A request that nobody knows would be watched in vain.
  if (options.selection.request) session->need(co_await session->api().get_request(*options.selection.request));
  WatchSession watching(session, std::move(options), std::move(names));
  co_return co_await watching.run();
}

UsageBy parse_by(const std::string& text) {
  if (text == "worker") return UsageBy::kWorker;
  return text == "request" ? UsageBy::kRequest : UsageBy::kOwner;
}

Task<int> show_usage(Session* session, UsageArguments arguments) {
  const auto since = need_argument(parse_since("--since", arguments.since, session->now()));
  const auto usage = session->need(co_await session->api().usage(since));
  if (session->json()) {
    session->print_line(usage.json);
    co_return 0;
  }
  const auto& [jobs, known_since] = usage.value;
  if (known_since) {
    session->note(
        fmt::format("jobs that ended before {} are not kept any more", exact_time(*known_since, session->now())));
  }
  if (jobs.empty()) {
    session->note(fmt::format("no job ran since then; --since {} was asked for", printable(arguments.since)));
    co_return 0;
  }
  const auto by = parse_by(arguments.by);
  WorkerNames names;
  if (by != UsageBy::kOwner) names = name_workers(session->need(co_await session->api().list_workers()).value);
  session->print(usage_table(jobs, by, names, session->now()).render(session->terminal().colour));
  session->note(describe_total(jobs));
  co_return 0;
}

}  // namespace

void add_history_commands(CLI::App* app, CommandLine* line) {
  auto past = std::make_shared<SubjectArguments>();
  auto* history = add_command(app, "history", "Show what happened to a request or a worker, when and by whom",
                              "boruta history 42\n  boruta history rpi4-01 --all");
  history->add_option("ID|WORKER", past->subject, "Number of a request, or name or UUID of a worker")
      ->required()
      ->option_text(" ");
  history->add_flag("--all", past->all, "Prolongations, connections and the like too");
  on_chosen(history, line, past, &show_history);

  auto present = std::make_shared<SubjectArguments>();
  auto* watched = add_command(app, "watch", "Tell what happens as it happens; to a request, until it has ended",
                              "boruta watch 42 && echo done\n  boruta watch rpi4-01\n  boruta watch --json");
  watched->add_option("ID|WORKER", present->subject, "Number of a request, or name or UUID of a worker; else all")
      ->option_text(" ");
  watched->add_flag("--all", present->all, "Prolongations, connections and the like too");
  on_chosen(watched, line, present, &watch);

  auto used = std::make_shared<UsageArguments>();
  auto* usage = add_command(app, "usage", "Show who had workers for how long",
                            "boruta usage --since 30d\n  boruta usage --by worker --since 2030-01-01");
  usage->add_option("--since", used->since, "Jobs that ran since then: \"30d\", \"17:30\", \"2030-01-02\", RFC 3339")
      ->option_text("TIME [7d]");
  usage->add_option("--by", used->by, "Add up by owner or worker, or list each request's job")
      ->check(CLI::IsMember({"owner", "worker", "request"}))
      ->option_text("owner|worker|request [owner]");
  on_chosen(usage, line, used, &show_usage);
}

}  // namespace boruta::cli

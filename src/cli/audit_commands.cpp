#include <CLI/App.hpp>
#include <fmt/format.h>

#include <utility>

#include "cli/arguments.hpp"
#include "cli/commands.hpp"
#include "cli/history_views.hpp"
#include "cli/text.hpp"
#include "cli/worker_names.hpp"

namespace boruta::cli {
namespace {

struct AuditArguments {
  std::string since = "1d";
  std::string actor;
  std::string address;
  std::string kind;
  std::string request;
  std::string worker;
};

client::AuditFilter make_filter(const Session& session, const AuditArguments& arguments,
                                const std::vector<client::WorkerInfo>& workers) {
  client::AuditFilter filter;
  filter.since = need_argument(parse_since("--since", arguments.since, session.now()));
  filter.actor = arguments.actor;
  filter.address = arguments.address;
  filter.kind = arguments.kind;
  if (!arguments.request.empty()) filter.request = need_argument(parse_request_id(arguments.request));
  if (!arguments.worker.empty()) {
    // One that is deregistered has no name any more, but its UUID is still on record.
    const auto worker = find_worker(workers, arguments.worker);
    filter.worker = worker ? (*worker)->uuid : arguments.worker;
  }
  return filter;
}

/// Page by page, so that years of events need no more memory than one.
Task<int> show_audit(Session* session, AuditArguments arguments) {
  const auto workers = session->need(co_await session->api().list_workers()).value;
  const auto names = name_workers(workers);
  const auto filter = make_filter(*session, arguments, workers);
  std::uint64_t after = 0;
  bool any = false;
  bool more = true;
  while (more) {
    const auto page = session->need(co_await session->api().audit(filter, after));
    if (session->json()) {
      for (const auto& line : page.lines) session->print_line(line);
    } else if (!page.events.empty()) {
      session->print(audit_table(page.events, names, session->now()).render(session->terminal().colour));
    }
    any = any || !page.events.empty();
    more = page.next.has_value();
    if (page.next) after = *page.next;
  }
  if (!any) session->note("nothing of the kind is on record");
  co_return 0;
}

}  // namespace

void add_audit_commands(CLI::App* app, CommandLine* line) {
  auto arguments = std::make_shared<AuditArguments>();
  auto* audit = add_command(app, "audit", "Show who did what and who was refused what; for admins",
                            "boruta audit --since 7d --actor alice\n"
                            "  boruta audit --kind \"action refused\"\n"
                            "  boruta audit --since 2030-01-01 --json > audit.jsonl");
  audit->add_option("--since", arguments->since, "From then on: \"7d\", \"17:30\", \"2030-01-02\", RFC 3339")
      ->option_text("TIME [1d]");
  audit->add_option("--actor", arguments->actor, "By this user or worker; \"nobody\" is who showed no good token")
      ->option_text("NAME");
  audit->add_option("--address", arguments->address, "From this IP address")->option_text("IP");
  audit->add_option("--kind", arguments->kind, "What happened: \"token created\", \"action refused\", …")
      ->option_text("KIND");
  audit->add_option("--request", arguments->request, "About this request")->option_text("ID");
  audit->add_option("--worker", arguments->worker, "About this worker: name or UUID")->option_text("WORKER");
  on_chosen(audit, line, arguments, &show_audit);
}

}  // namespace boruta::cli

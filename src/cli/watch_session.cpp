#include "cli/watch_session.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <utility>

#include "cli/run_outcome.hpp"
#include "cli/text.hpp"
#include "cli/worker_names.hpp"
#include "client/api_json.hpp"

namespace boruta::cli {
namespace {

using client::EventInfo;

/// What `boruta watch ID` exits with.
int code_of_end(client::RequestState state) {
  if (state == client::RequestState::kDone) return 0;
  client::RequestInfo request;
  request.state = state;
  const auto verdict = judge_wait(request);
  return verdict ? verdict->code : to_int(ExitCode::kInternal);
}

}  // namespace

WatchSession::WatchSession(Session* session, WatchOptions options, WorkerNames names)
    : session_(session),
      options_(std::move(options)),
      names_(std::move(names)),
      stream_(session->make_event_stream(options_.selection)),
      interrupts_(session->executor(), [this] {
        stream_->abort();
        session_->api().abort();
      }) {}

Task<int> WatchSession::run() {
  std::optional<int> code;
  while (!code) code = co_await step();
  co_return *code;
}

Task<std::optional<int>> WatchSession::step() {
  const auto news = co_await stream_->next();
  if (interrupts_.any()) co_return to_int(ExitCode::kInterrupted);
  if (!news) session_->fail(news.error());
  const auto code = co_await take(*news);
  if (interrupts_.any()) co_return to_int(ExitCode::kInterrupted);
  if (std::ferror(stdout) != 0) throw CliError(ExitCode::kInternal, "standard output could not be written");
  co_return code;
}

Task<std::optional<int>> WatchSession::take(client::StreamNews news) {
  std::optional<int> code;
  if (const auto* at = std::get_if<client::StreamOpened>(&news)) {
    code = co_await opened(*at);
  } else if (const auto* event = std::get_if<client::Reply<EventInfo>>(&news)) {
    code = co_await tell(*event);
  } else {
    lost(std::get<client::StreamLost>(news).why);
  }
  co_return code;
}

Task<std::optional<int>> WatchSession::opened(client::StreamOpened at) {
  const bool back = std::exchange(away_, false);
  if (at.missed) {
    session_->note("boruta: the server is back, but what happened meanwhile is kept no longer and was missed");
    looked_ = false;
  } else if (back) {
    session_->note("boruta: the server is back; nothing was missed");
  }
  if (looked_) co_return std::nullopt;
  if (!options_.selection.request) {
    looked_ = true;
    session_->note(fmt::format("watching {}; Ctrl-C ends it", options_.title));
    co_return std::nullopt;
  }
  const auto code = co_await look(*options_.selection.request, at.position);
  if (code) co_return *code;
  // Away again already: the stream notices as well, and the look is taken when it is back.
  if (!interrupts_.any() && !client::is_temporary(code.error())) session_->fail(code.error());
  co_return std::nullopt;
}

Task<client::Answer<std::optional<int>>> WatchSession::look(RequestId id, std::uint64_t position) {
  const auto request = co_await session_->api().get_request(id);
  if (!request) co_return std::unexpected(request.error());
  const auto state = printable(request->value.state_text);
  const bool over = client::is_terminal(request->value.state);
  if (over) {
    const auto events = co_await session_->api().request_events(id);
    if (!events) co_return std::unexpected(events.error());
    looked_ = true;
    // It ended after the stream began: then the stream is about to tell.
    if (!events->value.empty() && events->value.back().seq > position) co_return std::optional<int>();
    session_->note(fmt::format("{} is {} already; `boruta history {}` tells more", options_.title, state, id.value));
    co_return std::optional(code_of_end(request->value.state));
  }
  looked_ = true;
  session_->note(fmt::format("watching {}, {}; Ctrl-C ends it", options_.title, state));
  co_return std::optional<int>();
}

Task<std::optional<int>> WatchSession::tell(client::Reply<EventInfo> event) {
  const auto& what = event.value;
  if (session_->json()) {
    session_->print_line(event.json);
  } else if (options_.all || !is_chatty(what)) {
    co_await learn_names(&what);
    session_->print_line(event_line(what, names_, session_->now(), session_->terminal().colour));
  }
  std::fflush(stdout);
  const auto state = client::parse_request_state(what.to);
  const bool ended = options_.selection.request && what.request == options_.selection.request &&
                     what.type == "request ended" && client::is_terminal(state);
  co_return ended ? std::optional(code_of_end(state)) : std::nullopt;
}

void WatchSession::lost(const client::ApiError& why) {
  if (std::exchange(away_, true)) return;
  session_->note(fmt::format("boruta: {}; trying on", session_->describe(why)));
}

Task<void> WatchSession::learn_names(const EventInfo* event) {
  const auto& uuid = event->worker_uuid;
  const bool renamed = event->type == "worker registered" || event->type == "worker changed";
  const bool known = uuid.empty() || names_.contains(uuid) || nameless_.contains(uuid);
  if (known && !renamed) co_return;
  const auto workers = co_await session_->api().list_workers();
  if (!workers) co_return;
  // Who is gone keeps the name that it had.
  for (auto& [key, name] : name_workers(workers->value)) names_.insert_or_assign(key, name);
  if (!names_.contains(uuid)) nameless_.insert(uuid);
}

}  // namespace boruta::cli

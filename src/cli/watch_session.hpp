#pragma once

#include <memory>
#include <optional>
#include <set>
#include <string>

#include "cli/history_views.hpp"
#include "cli/interrupts.hpp"
#include "cli/session.hpp"

namespace boruta::cli {

struct WatchOptions {
  client::EventSelection selection;
  /// Chatty events too. With --json all are told anyway.
  bool all = false;
  /// Who is watched, as on the screen: "request 42", "rpi4-03", or "the farm".
  std::string title;
};

/// Tells what happens as it happens, until it is interrupted or the request that is watched has ended.
/// Thread: the session's executor.
class WatchSession {
 public:
  WatchSession(Session* session, WatchOptions options, WorkerNames names);

  /// The exit code: 130 when interrupted; of a request that has ended, what became of it.
  Task<int> run();

 private:
  /// Awaits one piece of news and tells it. A code ends the watch.
  Task<std::optional<int>> step();
  Task<std::optional<int>> take(client::StreamNews news);
  Task<std::optional<int>> opened(client::StreamOpened at);
  /// Tells how the request stands; the exit code when it had ended before `position`.
  Task<client::Answer<std::optional<int>>> look(RequestId id, std::uint64_t position);
  Task<std::optional<int>> tell(client::Reply<client::EventInfo> event);
  void lost(const client::ApiError& why);
  /// Who comes new has a name too.
  Task<void> learn_names(const client::EventInfo* event);

  Session* session_;
  WatchOptions options_;
  WorkerNames names_;
  /// UUIDs that had no name when last asked for: not asked for again.
  std::set<std::string> nameless_;
  std::unique_ptr<client::EventStream> stream_;
  Interrupts interrupts_;
  /// How things stood at the start has been told.
  bool looked_ = false;
  bool away_ = false;
};

}  // namespace boruta::cli

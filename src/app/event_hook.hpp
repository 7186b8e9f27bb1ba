#pragma once

#include <boost/asio/thread_pool.hpp>

#include <atomic>
#include <memory>
#include <mutex>
#include <stop_token>
#include <string>
#include <vector>

#include "app/news.hpp"
#include "runtime/subprocess.hpp"
#include "server/coordinator.hpp"

namespace boruta::app {

/// Programs at one time, each for so long at most, and events that wait for one.
inline constexpr std::size_t kHookPrograms = 4;
inline constexpr std::chrono::seconds kHookLimit{30};
inline constexpr std::size_t kHookQueue = 1000;

struct HookOptions {
  /// Program and arguments; empty: there is no hook.
  std::vector<std::string> argv;
  std::vector<News> wanted{News::kFailed};
  Duration limit = kHookLimit;
};

/// Runs a program of the operator's for each event of a worker that is wanted, without a shell: the event is JSON on
/// standard input, and the main facts are in its environment. An event is told at most once, when it is durable, never
/// again after a restart; one that finds kHookQueue others waiting is dropped, which the log says. A program that
/// fails, or can't be started, costs a line in the log, and no second one while the same goes on.
/// Threads: the coordinator's strand, which is never held up; programs are waited for on threads of their own.
class EventHook final : public server::Listener {
 public:
  /// Listens to `coordinator`, which outlives it, from now on.
  EventHook(server::Coordinator* coordinator, HookOptions options);
  EventHook(const EventHook&) = delete;
  EventHook& operator=(const EventHook&) = delete;
  ~EventHook() override { stop(); }

  void on_durable(const farm::Events& events, const farm::Touched& touched) override;
  /// Takes no more events, kills the programs that run, and returns when they are gone: soon. Repeating it is fine.
  void stop();

 private:
  [[nodiscard]] runtime::Program program_for(const farm::Event& event, News news) const;
  void run(const runtime::Program& program);
  void complain(const std::string& what);

  server::Coordinator& coordinator_;
  HookOptions options_;
  std::stop_source stop_;
  std::atomic<std::size_t> waiting_ = 0;
  std::mutex complaint_mutex_;
  /// Said last; empty since a program went well.
  std::string complaint_;
  /// Only where there is a hook.
  std::unique_ptr<boost::asio::thread_pool> threads_;
};

}  // namespace boruta::app

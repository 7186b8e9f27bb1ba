#include "app/event_hook.hpp"

#include <boost/asio/post.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/json.hpp"
#include "http/encode.hpp"
#include "runtime/log.hpp"

namespace boruta::app {
namespace {

/// An environment ends at a zero byte, and would lose what follows.
std::string variable(std::string_view name, std::string_view value) {
  return fmt::format("{}={}", name, value.substr(0, value.find('\0')));
}

}  // namespace

EventHook::EventHook(server::Coordinator* coordinator, HookOptions options)
    : coordinator_(*coordinator), options_(std::move(options)) {
  if (options_.argv.empty()) return;
  threads_ = std::make_unique<boost::asio::thread_pool>(kHookPrograms);
  coordinator_.add_listener(this);
}

void EventHook::on_durable(const farm::Events& events, const farm::Touched& /*touched*/) {
  for (const auto& event : events) {
    const auto news = news_of(event.body);
    if (!news || std::ranges::find(options_.wanted, *news) == options_.wanted.end()) continue;
    if (stop_.stop_requested()) return;
    if (waiting_ >= kHookQueue) {
      complain(fmt::format("{} events wait already; those that come are dropped", kHookQueue));
      continue;
    }
    ++waiting_;
    boost::asio::post(*threads_, [this, program = program_for(event, *news)] { run(program); });
  }
}

runtime::Program EventHook::program_for(const farm::Event& event, News news) const {
  const auto uuid = farm::worker_of(event.body);
  const auto* worker = uuid ? coordinator_.engine().farm().find_worker(*uuid) : nullptr;
  const auto name = worker != nullptr ? farm::name_of(*worker) : std::string();
  runtime::Program program{.argv = options_.argv, .limit = options_.limit};
  JsonWriter json(program.input);
  json.begin_object();
  json.key("Kind");
  json.text(to_string(news));
  json.key("Worker");
  json.text(name);
  json.key("Event");
  http::write_event(json, event, http::Subject::kWorker);
  json.end_object();
  program.input.push_back('\n');
  program.environment = {variable("BORUTA_EVENT", to_string(news)), variable("BORUTA_WORKER", name),
                         variable("BORUTA_WORKER_UUID", uuid ? uuid->to_string() : ""),
                         variable("BORUTA_REASON", farm::reason_of(event.body))};
  return program;
}

void EventHook::run(const runtime::Program& program) {
  --waiting_;
  if (stop_.stop_requested()) return;
  const auto done = runtime::run_or_say_why(program, stop_.get_token());
  if (stop_.stop_requested()) return;
  if (!done) {
    complain(done.error());
    return;
  }
  const std::scoped_lock lock(complaint_mutex_);
  complaint_.clear();
}

void EventHook::complain(const std::string& what) {
  const std::scoped_lock lock(complaint_mutex_);
  if (what == complaint_) return;
  complaint_ = what;
  runtime::log_warning("on_event failed; the same is not told again until it went well", {{"reason", what}});
}

void EventHook::stop() {
  stop_.request_stop();
  if (threads_) threads_->join();
}

}  // namespace boruta::app

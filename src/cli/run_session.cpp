#include "cli/run_session.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <exception>
#include <utility>

#include "cli/explain_views.hpp"
#include "cli/quoting.hpp"
#include "cli/text.hpp"
#include "cli/worker_names.hpp"
#include "runtime/deadline.hpp"

namespace boruta::cli {
namespace {

using namespace std::chrono_literals;

constexpr std::chrono::seconds kAcquireWait = 30s;
constexpr Duration kAskAgain = 2s;
constexpr Duration kAtOnce = 300ms;
constexpr Duration kClosePatience = 30s;
/// A server that stays away so long while we wait is not waited for.
constexpr Duration kServerPatience = 10min;
/// Why the request waits costs the server more to tell: that is asked when its place has changed, and so many looks
/// later.
constexpr unsigned kLooksPerExplanation = 30;
constexpr auto kToken = asio::as_tuple(asio::use_awaitable);

}  // namespace

RunSession::RunSession(Session* session, RunOptions options)
    : session_(session),
      options_(std::move(options)),
      changed_(session->executor()),
      interrupts_(session->executor(),
                  [this] {
                    // Who insists does not wait for an answer either.
                    if (interrupts_.count() > 1 && control_) control_->abort();
                    changed_.notify_all();
                  }),
      live_(session->terminal().error, &terminal_columns,
            [quiet = options_.quiet](std::string_view text) {
              if (!quiet) std::fwrite(text.data(), 1, text.size(), stderr);
            }),
      acquire_timer_(session->executor()),
      watch_timer_(session->executor()) {}

Verdict RunSession::verdict_of(ExitCode code, std::string message) const {
  return {.code = to_int(code), .message = std::move(message)};
}

std::string RunSession::title() const { return id_ ? fmt::format("request {}", id_->value) : "request"; }

Task<int> RunSession::run() {
  Verdict verdict;
  std::exception_ptr failure;
  try {
    verdict = co_await live_through();
  } catch (...) {
    failure = std::current_exception();
  }
  live_.keep();
  if (id_) co_await close();
  if (failure && interrupts_.any() && !id_) co_return to_int(ExitCode::kInterrupted);
  if (failure) std::rethrow_exception(failure);
  summarize(verdict);
  co_return verdict.code;
}

Task<Verdict> RunSession::live_through() {
  control_ = session_->make_client(30s);
  for (unsigned attempt = 1;; ++attempt) {
    auto verdict = co_await live_through_one();
    const bool again = verdict.code == to_int(ExitCode::kWorkerFailed) && attempt <= options_.retries;
    if (!again || interrupts_.any()) co_return verdict;
    if (const bool started = co_await start_anew(verdict.message, attempt); !started) co_return verdict;
  }
}

Task<Verdict> RunSession::live_through_one() {
  co_await file();
  if (auto over = co_await await_access()) co_return std::move(*over);
  JobSession::Job job;
  job.id = *id_;
  job.worker_name = co_await worker_name();
  job.lease = options_.lease;
  JobSession use(session_, &interrupts_, &live_, std::move(job), options_.work);
  auto verdict = co_await use.run(std::move(*access_));
  command_time_ = use.command_time();
  co_return verdict;
}

Task<bool> RunSession::start_anew(std::string why, unsigned attempt) {
  const auto request = co_await control_->get_request(*id_);
  if (!request || !request->value.job) co_return false;
  auto& requirements = options_.demand.requirements;
  requirements.push_back(Requirement{.capability = std::string(kUuidCap),
                                     .comparison = Comparison::kNotEqual,
                                     .values = {request->value.job->worker_uuid}});
  normalize(requirements);
  live_.keep();
  const auto others = co_await control_->explain(wanted());
  if (others && others->value.fits == 0 && !options_.wait_for_worker) {
    live_.say(labelled("no retry", "no other registered worker fits"));
    co_return false;
  }
  live_.say(
      labelled("retry", fmt::format("{} of {}, on another worker: {}: {}", attempt, options_.retries, title(), why)));
  co_await close();
  id_.reset();
  request_.reset();
  access_.reset();
  over_.reset();
  command_time_.reset();
  status_ = {};
  co_return true;
}

client::NewRequest RunSession::wanted() const {
  client::NewRequest wanted;
  wanted.caps = options_.demand.caps;
  wanted.requirements = requirement_texts(options_.demand.requirements);
  wanted.priority = options_.priority;
  wanted.lease = options_.lease;
  return wanted;
}

Task<void> RunSession::file() {
  auto unfiled = wanted();
  const auto asked = describe_demand(unfiled.caps, unfiled.requirements);
  explanation_ = session_->need(co_await control_->explain(std::move(unfiled))).value;
  const auto hopeless = explanation_->fits == 0 ? std::optional(explain_no_fit(*explanation_, asked)) : std::nullopt;
  if (hopeless && !options_.wait_for_worker) {
    throw CliError(ExitCode::kNothingFits, *hopeless, "--wait-for-worker files the request all the same");
  }
  filed_ = session_->now();
  auto filed = wanted();
  id_ = session_->need(co_await control_->create_request(std::move(filed), client::make_idempotency_key())).value;
  auto request = session_->need(co_await control_->get_request(*id_)).value;
  live_.say(labelled(title(), fmt::format("{} · priority {}", asked, options_.priority)));
  if (hopeless) live_.say(labelled("", fmt::format("{}; it waits for one that comes", *hopeless)));
  update(std::move(request));
}

/// Nothing when there is access, else why waiting is over.
Task<std::optional<Verdict>> RunSession::await_access() {
  acquirer_ = session_->make_client(30s);
  watcher_ = session_->make_client(10s);
  runtime::TaskGroup tasks(session_->executor());
  waiting_ = true;
  tasks.spawn("acquire", acquire());
  tasks.spawn("watch", watch());
  // Who is served at once need not read of waiting.
  co_await runtime::with_deadline(session_->clock(), kAtOnce, changed_.wait());
  while (!access_ && !over_ && !interrupts_.any()) {
    const auto waited = session_->now() - filed_;
    if (options_.timeout && waited >= *options_.timeout) {
      over_ = verdict_of(ExitCode::kNotStarted, fmt::format("gave up after {}", format_span(*options_.timeout)));
      break;
    }
    if (away_since_ && session_->now() - *away_since_ > kServerPatience) {
      over_ = verdict_of(ExitCode::kUnreachable, status_.trouble);
      break;
    }
    if (request_ && request_->state == client::RequestState::kWaiting) draw();
    co_await runtime::with_deadline(session_->clock(), 1s, changed_.wait());
  }
  waiting_ = false;
  acquirer_->abort();
  watcher_->abort();
  acquire_timer_.cancel();
  watch_timer_.cancel();
  co_await tasks.join();
  live_.keep();
  if (interrupts_.any()) co_return verdict_of(ExitCode::kInterrupted, {});
  if (access_) co_return std::nullopt;
  co_return over_;
}

Task<void> RunSession::acquire() {
  while (waiting_ && !access_ && !over_) {
    auto answer = co_await acquirer_->acquire_worker(*id_, kAcquireWait);
    if (!waiting_) {
      if (answer) access_ = std::move(answer->value);
      break;
    }
    if (answer) {
      access_ = std::move(answer->value);
      break;
    }
    if (answer.error().kind == client::ErrorKind::kRefused && answer.error().status == 400) {
      // Either the time has passed, or the request has left WAITING some other way.
      auto request = co_await acquirer_->get_request(*id_);
      if (request) update(std::move(request->value));
    } else {
      refused(answer.error());
    }
    if (over_) break;
    acquire_timer_.expires_after(away_since_ ? kAskAgain : Duration(200ms));
    co_await acquire_timer_.async_wait(kToken);
  }
  changed_.notify_all();
}

/// Keeps the line that tells how the request fares up to date.
Task<void> RunSession::watch() {
  for (unsigned look = 0; waiting_; ++look) {
    watch_timer_.expires_after(kAskAgain);
    co_await watch_timer_.async_wait(kToken);
    if (!waiting_) co_return;
    auto request = co_await watcher_->get_request(*id_);
    if (!waiting_) co_return;
    if (!request) {
      refused(request.error());
      continue;
    }
    const bool moved =
        request_ && (request->value.position != request_->position || request->value.fits_idle != request_->fits_idle);
    if (moved || look % kLooksPerExplanation == kLooksPerExplanation - 1) {
      auto explanation = co_await watcher_->explain(*id_, false);
      if (explanation) explanation_ = std::move(explanation->value);
    }
    update(std::move(request->value));
  }
}

void RunSession::refused(const client::ApiError& error) {
  if (!client::is_temporary(error) && error.status != 429) {
    over_ = Verdict{.code = to_int(exit_code_of(error)), .message = session_->describe(error)};
  } else {
    if (!away_since_) away_since_ = session_->now();
    status_.trouble = session_->describe(error);
  }
  changed_.notify_all();
}

void RunSession::update(client::RequestInfo request) {
  away_since_.reset();
  status_ = WaitStatus{.position = request.position,
                       .queue = request.queue,
                       .fits = request.fits,
                       .fits_idle = request.fits_idle,
                       .count = std::nullopt,
                       .not_before = {},
                       .not_later_than = {},
                       .held = {},
                       .trouble = {}};
  const auto now = session_->now();
  if (explanation_ && request.state == client::RequestState::kWaiting) {
    status_.count = fit_count(*explanation_);
    status_.held = explanation_->held;
    if (explanation_->not_later_than && *explanation_->not_later_than > now) {
      status_.not_later_than = short_time(*explanation_->not_later_than, now);
    }
  }
  if (request.valid_after && *request.valid_after > now) status_.not_before = short_time(*request.valid_after, now);
  over_ = judge_wait(request);
  request_ = std::move(request);
  changed_.notify_all();
}

void RunSession::draw() { live_.show("waiting", describe_wait(status_), session_->now() - filed_); }

Task<std::string> RunSession::worker_name() {
  auto request = co_await control_->get_request(*id_);
  if (request) request_ = std::move(request->value);
  const auto uuid = request_ && request_->job ? request_->job->worker_uuid : std::string();
  if (std::ranges::find(workers_, uuid, &client::WorkerInfo::uuid) == workers_.end()) {
    auto workers = co_await control_->list_workers();
    if (workers) workers_ = std::move(workers->value);
  }
  const auto names = name_workers(workers_);
  const auto name = names.find(uuid);
  if (name != names.end()) co_return name->second;
  co_return uuid.empty() ? std::string("worker") : uuid;
}

/// Tries for a while when the server is away: a request that stays open keeps a worker from others.
Task<void> RunSession::close() {
  const auto before = interrupts_.count();
  const auto client = session_->make_client(10s);
  const auto start = session_->now();
  while (true) {
    const auto done = co_await client->close_request(*id_);
    const bool ended = !done && (done.error().status == 400 || done.error().status == 404);
    if (done || ended) break;
    not_closed_ = session_->describe(done.error());
    const bool insisted = interrupts_.count() > std::max(before, 1U);
    if (!client::is_temporary(done.error()) || session_->now() - start > kClosePatience || insisted) co_return;
    live_.show("closing", not_closed_, session_->now() - start);
    co_await runtime::with_deadline(session_->clock(), 1s, changed_.wait());
  }
  live_.keep();
  not_closed_.clear();
}

void RunSession::summarize(const Verdict& verdict) {
  live_.keep();
  if (!verdict.message.empty()) session_->note(fmt::format("boruta: {}: {}", title(), verdict.message));
  if (!not_closed_.empty()) {
    session_->note(fmt::format("boruta: request {} could not be closed: {}", id_->value, not_closed_));
    session_->note(
        fmt::format("        a job that nobody prolongs ends by itself within {}; `boruta close {}` ends it now",
                    format_span(options_.lease), id_->value));
    return;
  }
  const bool withdrawn = !access_ && !command_time_;
  if (withdrawn && interrupts_.any()) {
    live_.say(labelled("cancelled", fmt::format("request {} withdrawn; nothing is left behind", id_->value)));
    return;
  }
  const auto ran = command_time_ ? fmt::format(" · ran {}", format_span(*command_time_)) : std::string();
  live_.say(labelled("closed", fmt::format("request {}{} · exit {}", id_->value, ran, verdict.code)));
}

}  // namespace boruta::cli

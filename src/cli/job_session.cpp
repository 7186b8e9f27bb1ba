#include "cli/job_session.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <fmt/format.h>

#include <chrono>
#include <csignal>
#include <filesystem>
#include <memory>
#include <utility>

#include "cli/copying.hpp"
#include "cli/host_keys.hpp"
#include "cli/lease_keeper.hpp"
#include "cli/quoting.hpp"
#include "cli/text.hpp"
#include "runtime/deadline.hpp"
#include "runtime/files.hpp"

namespace boruta::cli {
namespace {

using namespace std::chrono_literals;

constexpr Duration kStatePatience = 10s;
constexpr Duration kTermPatience = 5s;
constexpr std::size_t kOfferedBytes = std::size_t{64} * 1024;
constexpr auto kToken = asio::as_tuple(asio::use_awaitable);

std::string shell() { return process_environment()("SHELL").value_or("/bin/sh"); }

}  // namespace

JobSession::JobSession(Session* session, Interrupts* interrupts, LiveLine* live, Job job, JobWork work)
    : session_(session),
      interrupts_(interrupts),
      live_(live),
      job_(std::move(job)),
      work_(std::move(work)),
      tasks_(session->executor()),
      ticker_(session->executor()),
      patience_(session->executor()) {}

Task<Verdict> JobSession::run(client::AccessInfo access) {
  auto made = SshFiles::make_temporary(access, ssh_alias(job_.worker_name), session_->settings().url.host);
  if (!made) {
    Verdict verdict;
    verdict.code = to_int(ExitCode::kSshFailed);
    verdict.message = made.error();
    co_return verdict;
  }
  files_.emplace(std::move(*made));
  host_keys_ = std::move(access.host_keys);
  LeaseKeeper::Events events;
  events.lost = [this](const client::RequestInfo& request) { job_lost(request); };
  events.notice = [this](std::string_view text) { live_->say(fmt::format("boruta: {}", text)); };
  LeaseKeeper keeper(session_->make_client(10s), job_.id, job_.lease, std::move(events));
  tasks_.spawn("prolong", keeper.run());
  auto verdict = co_await work();
  keeper.stop();
  patience_.cancel();
  co_await tasks_.join();
  files_.reset();
  co_return verdict;
}

Task<Verdict> JobSession::work() {
  if (auto failed = co_await copy_in()) co_return std::move(*failed);
  if (work_.announce) live_->say(labelled("started", fmt::format("on {}{}", printable(job_.worker_name), copied_in_)));
  auto verdict = co_await run_command();
  const bool reachable = !interrupts_->any() && !(became_ && client::is_terminal(became_->state));
  if (work_.get.empty() || !reachable) co_return verdict;
  const auto failed = co_await copy_out();
  if (failed && verdict.code == 0) co_return *failed;
  if (failed) live_->say(fmt::format("boruta: {}", failed->message));
  co_return verdict;
}

Task<std::optional<Verdict>> JobSession::copy_in() {
  if (work_.put.empty()) co_return std::nullopt;
  const auto measured = measure(work_.put);
  const auto what = fmt::format("{}, {}", plural(measured.files, "file", "files"), format_bytes(measured.bytes));
  const auto start = session_->now();
  auto program = copy_program();
  for (const auto& path : work_.put) program.words.push_back(local_operand(path));
  program.words.push_back(fmt::format("{}:", files_->alias()));
  copying_ = true;
  if (session_->terminal().error) tasks_.spawn("show", show_copying(what));
  const auto end = co_await run_program(std::move(program));
  copying_ = false;
  ticker_.cancel();
  if (end && *end == ChildEnd{}) {
    copied_in_ = fmt::format(" · copied in {}, in {}", what, format_span(session_->now() - start));
    co_return std::nullopt;
  }
  auto verdict = co_await judge_copy(end, "copying in failed");
  co_return verdict;
}

Task<std::optional<Verdict>> JobSession::copy_out() {
  auto program = copy_program();
  for (const auto& path : work_.get) program.words.push_back(fmt::format("{}:{}", files_->alias(), path));
  program.words.emplace_back(".");
  const auto end = co_await run_program(std::move(program));
  if (end && *end == ChildEnd{}) co_return std::nullopt;
  auto verdict =
      co_await judge_copy(end, fmt::format("not all of {} could be copied out", printable(join_and(work_.get))));
  co_return verdict;
}

Task<Verdict> JobSession::judge_copy(std::optional<ChildEnd> end, std::string what) {
  if (end && !interrupts_->any()) co_await ask_what_became();
  Verdict verdict;
  verdict.code = to_int(ExitCode::kSshFailed);
  verdict.message = program_error_.empty() ? std::move(what) : program_error_;
  // A job that is over, or a signal, explains it better.
  if (end && (became_ || interrupts_->any())) {
    const auto facts = facts_of(*end, false);
    auto judged = judge_command(facts);
    if (!judged.message.empty() || interrupts_->any()) verdict = std::move(judged);
    if (interrupts_->any()) verdict.code = to_int(ExitCode::kInterrupted);
  }
  co_await look_at_host_key(&verdict);
  co_return verdict;
}

Task<void> JobSession::show_copying(std::string text) {
  const auto start = session_->now();
  while (copying_) {
    live_->show("copying in", text, session_->now() - start);
    ticker_.expires_after(1s);
    co_await ticker_.async_wait(kToken);
  }
}

Task<Verdict> JobSession::run_command() {
  const auto start = session_->now();
  const auto end = co_await run_program(command_program());
  command_time_ = session_->now() - start;
  if (!end) {
    Verdict verdict;
    verdict.code = to_int(work_.local ? ExitCode::kUsage : ExitCode::kSshFailed);
    verdict.message = program_error_;
    co_return verdict;
  }
  if (shell_code(*end) != 0 && !became_) co_await ask_what_became();
  const auto facts = facts_of(*end, !work_.local);
  auto verdict = judge_command(facts);
  co_await look_at_host_key(&verdict);
  co_return verdict;
}

Task<void> JobSession::look_at_host_key(Verdict* verdict) {
  if (verdict->code != to_int(ExitCode::kSshFailed) || interrupts_->any()) co_return;
  const auto& target = files_->target();
  Program scan;
  scan.words = {"ssh-keyscan", "-T", "5", "-p", std::to_string(target.port), target.host};
  scan.output = target.folder / "offered";
  const auto end = co_await run_program(std::move(scan));
  if (!end) co_return;
  const auto offered = runtime::read_file(target.folder / "offered", kOfferedBytes);
  if (auto words = explain_host_keys(job_.worker_name, host_keys_, offered.value_or(""))) {
    verdict->message = *std::move(words);
  }
}

RunFacts JobSession::facts_of(ChildEnd end, bool over_ssh) const {
  RunFacts facts;
  facts.command = end;
  facts.over_ssh = over_ssh;
  facts.interrupted = interrupts_->any();
  if (became_) {
    facts.state = became_->state;
    facts.reason = became_->reason;
  }
  return facts;
}

Program JobSession::command_program() const {
  Program program;
  if (work_.local) {
    program.words = work_.command.empty() ? std::vector<std::string>{shell()} : work_.command;
    program.environment = {{"BORUTA_HOST", files_->alias()},
                           {"BORUTA_SSH_CONFIG", files_->config_path().native()},
                           {"BORUTA_REQUEST", std::to_string(job_.id.value)},
                           {"BORUTA_WORKER", job_.worker_name}};
    return program;
  }
  const auto& terminal = session_->terminal();
  program.words = {"ssh", "-F", files_->config_path().native()};
  program.words.emplace_back(terminal.input && terminal.output ? "-t" : "-T");
  program.words.push_back(files_->alias());
  if (!work_.command.empty()) {
    program.words.emplace_back("--");
    program.words.push_back(remote_command(work_.command));
  }
  return program;
}

Program JobSession::copy_program() const {
  Program program;
  program.words = {"scp", "-q", "-r", "-p", "-F", files_->config_path().native(), "--"};
  return program;
}

Task<std::optional<ChildEnd>> JobSession::run_program(Program program) {
  const TerminalGuard guard;
  auto child = Child::start(session_->executor(), std::move(program));
  if (!child) {
    program_error_ = child.error();
    co_return std::nullopt;
  }
  child_ = &*child;
  interrupts_->set_child(child_);
  const auto end = co_await child->wait();
  interrupts_->set_child(nullptr);
  child_ = nullptr;
  co_return end;
}

/// Asks for the request until there is an answer, or patience ends. Whoever was cut off must know by what.
Task<void> JobSession::ask_what_became() {
  const auto client = session_->make_client(5s);
  const auto give_up = session_->now() + kStatePatience;
  while (session_->now() < give_up && interrupts_->count() < 2) {
    auto answer = co_await client->get_request(job_.id);
    if (answer) {
      became_ = std::move(answer->value);
      co_return;
    }
    if (!client::is_temporary(answer.error())) co_return;
    co_await runtime::sleep_for(session_->clock(), 1s);
  }
}

void JobSession::job_lost(const client::RequestInfo& request) {
  became_ = request;
  if (child_ == nullptr) return;
  child_->signal(SIGTERM);
  tasks_.spawn("kill", end_cut_off_child());
}

Task<void> JobSession::end_cut_off_child() {
  patience_.expires_after(kTermPatience);
  const auto [cancelled] = co_await patience_.async_wait(kToken);
  if (!cancelled && child_ != nullptr) child_->signal(SIGKILL);
}

}  // namespace boruta::cli

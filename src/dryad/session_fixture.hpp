#pragma once

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <chrono>
#include <expected>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "dryad/session.hpp"

namespace boruta::dryad {

using Texts = std::vector<std::string>;

inline const Instant kStart{std::chrono::hours(24) * 20'000};

/// Fails when told to.
class FakeStore final : public StateStore {
 public:
  std::expected<void, std::string> save(const AgentState& state) override {
    if (broken) return std::unexpected("disk full");
    saved = state;
    ++writes;
    return {};
  }

  AgentState saved{.instance = "one"};
  bool broken = false;
  int writes = 0;
};

inline std::string name_of(const Operation& operation) {
  switch (operation.index()) {
    case 0:
      return "Prepare";
    case 1:
      return "Grant";
    case 2:
      return "EndJob";
    case 3:
      return "PutInMaintenance";
    default:
      return "Healthcheck";
  }
}

struct MessageText {
  std::string operator()(const agent::Register& hello) const {
    return fmt::format("Register {} generation {} prepared {} job {}", hello.instance, hello.generation.value,
                       hello.prepared, hello.job ? hello.job->value : 0);
  }
  std::string operator()(const agent::Heartbeat&) const { return "Heartbeat"; }
  std::string operator()(const agent::SetFail& fail) const { return "SetFail " + fail.reason; }
  std::string operator()(const agent::TunnelFailed& failed) const {
    return fmt::format("TunnelFailed {}: {}", failed.token.reveal(), failed.reason);
  }
  std::string operator()(const agent::BoardUsed& used) const {
    return fmt::format("BoardUsed {}: {}", used.ticket, used.result.error);
  }
  std::string operator()(const agent::ConsoleRead& read) const { return fmt::format("ConsoleRead {}", read.ticket); }
  std::string operator()(const agent::Warning& warning) const { return "Warning " + warning.text; }
  std::string operator()(const agent::Done& done) const {
    std::string text = fmt::format("Done {} {}", static_cast<int>(done.kind), done.generation.value);
    if (!done.error.empty()) text += ": " + done.error;
    if (!done.username.empty()) text += fmt::format(" {} {}", done.username, done.private_key.reveal());
    return text;
  }
};

struct ActionText {
  std::string operator()(const SendMessage& send) const { return std::visit(MessageText{}, send.message); }
  std::string operator()(const StartOperation& start) const { return "start " + name_of(start.operation); }
  std::string operator()(const CancelOperation&) const { return "cancel"; }
  std::string operator()(const CloseStream& close) const { return "close: " + close.reason; }
  std::string operator()(const ConnectTunnel& tunnel) const { return fmt::format("connect {}", tunnel.token.reveal()); }
  std::string operator()(const UseBoard& use) const { return fmt::format("{} {}", words_of(use.action), use.ticket); }
  std::string operator()(const ReadConsole& read) const { return fmt::format("console {}", read.job.value); }
  std::string operator()(const StopAgent& stop) const { return fmt::format("stop {}", stop.exit_code); }
  std::string operator()(const Note& note) const { return "note: " + note.text; }
};

inline Texts texts(const Actions& actions) {
  Texts result;
  for (const auto& action : actions) result.push_back(std::visit(ActionText{}, action));
  return result;
}

/// A session on a virtual clock, whose disk outlives it.
class SessionTest : public testing::Test {
 protected:
  void boot(bool standing = true) {
    Session::Options options{.identity = {.caps = {{"UUID", "fa4e0000-0000-4000-8000-000000000000"}},
                                          .ssh_address = "",
                                          .ssh_port = 22,
                                          .host_keys = {}},
                             .heartbeats = true};
    session_.emplace(std::move(options), &store_, store_.saved, standing, now_);
  }

  void pass(Duration time) {
    now_.wall += time;
    now_.lease += time;
  }

  Texts start() { return texts(session_->start(now_)); }
  Texts connect() { return texts(session_->connected(now_)); }
  Texts disconnect() { return texts(session_->disconnected(now_)); }
  Texts hear(const agent::ToAgent& message) { return texts(session_->received(message, now_)); }
  Texts tick() { return texts(session_->tick(now_)); }
  Texts command(std::uint64_t generation, Operation body) {
    return hear(agent::Command{.generation = Generation{generation}, .body = std::move(body)});
  }
  Texts finish(const std::string& error = "") {
    OperationResult result;
    result.error = error;
    return texts(session_->finished(std::move(result), now_));
  }
  Texts finish_prepare() {
    OperationResult result;
    result.username = "user";
    result.private_key = Secret("PEM");
    return texts(session_->finished(std::move(result), now_));
  }

  void go_online() {
    boot();
    (void)start();
    (void)connect();
    (void)hear(agent::Welcome{.heartbeat_every = std::chrono::seconds(10), .lost_grace = std::chrono::minutes(10)});
  }
  void go_prepared() {
    go_online();
    (void)command(1, agent::Prepare{});
    (void)finish_prepare();
  }
  agent::Grant grant(std::uint64_t job = 7) {
    return {.job = RequestId{job}, .public_keys = {"ssh-rsa A"}, .remaining = std::chrono::hours(1)};
  }
  void go_granted() {
    go_prepared();
    (void)command(2, grant());
    (void)finish();
  }

  FakeStore store_;
  Now now_{.wall = kStart, .lease = kStart};
  std::optional<Session> session_;
};

}  // namespace boruta::dryad

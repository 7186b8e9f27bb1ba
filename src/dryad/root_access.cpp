#include "dryad/root_access.hpp"

#include <utility>

namespace boruta::dryad {
namespace {

using root::Outcome;

std::expected<void, std::string> done(root::Answer answer) {
  if (answer.outcome == Outcome::kDone) return {};
  return std::unexpected(std::move(answer.text));
}

}  // namespace

std::expected<void, std::string> RootAccess::have_done(const root::Request& request) {
  auto answer = link_.ask(request);
  user_ = answer.user_id;
  return done(std::move(answer));
}

std::expected<void, std::string> RootAccess::check() {
  started_ = link_.ask(root::Start{});
  user_ = started_.user_id;
  if (started_.outcome == Outcome::kRefused) return std::unexpected(started_.text);
  return {};
}

std::expected<Endpoint, std::string> RootAccess::start() {
  if (auto started = done(started_); !started) return std::unexpected(started.error());
  return Endpoint{.ssh_port = options_.ssh_port, .host_keys = started_.host_keys, .standing = started_.standing};
}

std::expected<Login, std::string> RootAccess::prepare() {
  auto key = keys_.take();
  if (auto prepared = have_done(root::Prepare{.public_key = key.public_line}); !prepared) {
    return std::unexpected(prepared.error());
  }
  return Login{.username = options_.username, .private_key = std::move(key.private_pem)};
}

std::expected<void, std::string> RootAccess::grant(const std::vector<std::string>& public_keys) {
  return have_done(root::Grant{.public_keys = public_keys});
}

std::expected<void, std::string> RootAccess::end_job() { return have_done(root::EndJob{}); }

std::expected<void, std::string> RootAccess::probe() { return probe_ssh("127.0.0.1", options_.ssh_port); }

std::optional<uid_t> RootAccess::user_id() const {
  const uid_t user = user_;
  return user == 0 ? std::nullopt : std::optional(user);
}

std::expected<void, std::string> RootBoard::put_in_maintenance(const std::string& message,
                                                               const std::stop_token& stop) {
  return done(link_.ask(root::PutInMaintenance{.message = message}, stop));
}

std::expected<void, std::string> RootBoard::ready(const std::stop_token& stop) {
  return done(link_.ask(root::Ready{}, stop));
}

std::expected<void, Ailment> RootBoard::healthcheck(bool full, const std::stop_token& stop) {
  auto answer = link_.ask(root::Healthcheck{.full = full}, stop);
  if (answer.outcome == Outcome::kDone) return {};
  return std::unexpected(Ailment{.critical = answer.outcome != Outcome::kWarning, .text = std::move(answer.text)});
}

agent::BoardResult RootBoard::act(agent::BoardAction action, const std::stop_token& stop) {
  auto answer = link_.ask(root::Act{.action = action}, stop);
  agent::BoardResult result{.error = std::move(answer.text), .milliamperes = answer.milliamperes};
  if (answer.outcome == Outcome::kRefused) result.outcome = agent::BoardOutcome::kRefused;
  if (answer.outcome == Outcome::kFailed) result.outcome = agent::BoardOutcome::kFailed;
  return result;
}

}  // namespace boruta::dryad

#include "proto/agent_codec.hpp"

#include <algorithm>
#include <limits>
#include <string>
#include <string_view>

#include "base/utf8.hpp"

namespace boruta::proto {
namespace {

using std::chrono::milliseconds;

constexpr std::string_view kReplacement = "\xEF\xBF\xBD";
constexpr milliseconds kLongest = std::chrono::hours(24) * 36525;

std::string to_utf8(std::string_view text) {
  std::string result;
  result.reserve(text.size());
  while (!text.empty()) {
    const std::size_t length = utf8_sequence_length(text);
    result += length == 0 ? kReplacement : text.substr(0, length);
    text.remove_prefix(std::max<std::size_t>(length, 1));
  }
  return result;
}

std::uint64_t to_wire(milliseconds duration) {
  return static_cast<std::uint64_t>(std::max<milliseconds::rep>(duration.count(), 0));
}

milliseconds from_wire(std::uint64_t wire_ms) {
  return milliseconds(std::min(wire_ms, static_cast<std::uint64_t>(kLongest.count())));
}

v1::Kind to_wire(agent::CommandKind kind) {
  switch (kind) {
    case agent::CommandKind::kPrepare:
      return v1::KIND_PREPARE;
    case agent::CommandKind::kGrant:
      return v1::KIND_GRANT;
    case agent::CommandKind::kEndJob:
      return v1::KIND_END_JOB;
    case agent::CommandKind::kPutInMaintenance:
      return v1::KIND_PUT_IN_MAINTENANCE;
    case agent::CommandKind::kHealthcheck:
      return v1::KIND_HEALTHCHECK;
  }
  return v1::KIND_UNSPECIFIED;
}

/// The wire may carry a number that this version has no name for.
std::optional<agent::CommandKind> from_wire(v1::Kind kind) {
  switch (static_cast<int>(kind)) {
    case v1::KIND_PREPARE:
      return agent::CommandKind::kPrepare;
    case v1::KIND_GRANT:
      return agent::CommandKind::kGrant;
    case v1::KIND_END_JOB:
      return agent::CommandKind::kEndJob;
    case v1::KIND_PUT_IN_MAINTENANCE:
      return agent::CommandKind::kPutInMaintenance;
    case v1::KIND_HEALTHCHECK:
      return agent::CommandKind::kHealthcheck;
    default:
      return std::nullopt;
  }
}

v1::BoardAction to_wire(agent::BoardAction action) {
  switch (action) {
    case agent::BoardAction::kPowerOn:
      return v1::BOARD_ACTION_POWER_ON;
    case agent::BoardAction::kPowerOff:
      return v1::BOARD_ACTION_POWER_OFF;
    case agent::BoardAction::kPowerCycle:
      return v1::BOARD_ACTION_POWER_CYCLE;
    case agent::BoardAction::kSdHost:
      return v1::BOARD_ACTION_SD_HOST;
    case agent::BoardAction::kSdDut:
      return v1::BOARD_ACTION_SD_DUT;
    case agent::BoardAction::kCurrent:
      return v1::BOARD_ACTION_CURRENT;
  }
  return v1::BOARD_ACTION_UNSPECIFIED;
}

std::optional<agent::BoardAction> from_wire(v1::BoardAction action) {
  switch (static_cast<int>(action)) {
    case v1::BOARD_ACTION_POWER_ON:
      return agent::BoardAction::kPowerOn;
    case v1::BOARD_ACTION_POWER_OFF:
      return agent::BoardAction::kPowerOff;
    case v1::BOARD_ACTION_POWER_CYCLE:
      return agent::BoardAction::kPowerCycle;
    case v1::BOARD_ACTION_SD_HOST:
      return agent::BoardAction::kSdHost;
    case v1::BOARD_ACTION_SD_DUT:
      return agent::BoardAction::kSdDut;
    case v1::BOARD_ACTION_CURRENT:
      return agent::BoardAction::kCurrent;
    default:
      return std::nullopt;
  }
}

v1::BoardOutcome to_wire(agent::BoardOutcome outcome) {
  switch (outcome) {
    case agent::BoardOutcome::kDone:
      return v1::BOARD_OUTCOME_DONE;
    case agent::BoardOutcome::kRefused:
      return v1::BOARD_OUTCOME_REFUSED;
    case agent::BoardOutcome::kFailed:
      return v1::BOARD_OUTCOME_FAILED;
  }
  return v1::BOARD_OUTCOME_UNSPECIFIED;
}

std::optional<agent::BoardOutcome> from_wire(v1::BoardOutcome outcome) {
  switch (static_cast<int>(outcome)) {
    case v1::BOARD_OUTCOME_DONE:
      return agent::BoardOutcome::kDone;
    case v1::BOARD_OUTCOME_REFUSED:
      return agent::BoardOutcome::kRefused;
    case v1::BOARD_OUTCOME_FAILED:
      return agent::BoardOutcome::kFailed;
    default:
      return std::nullopt;
  }
}

struct FromAgentEncoder {
  v1::FromAgent* wire;

  void operator()(const agent::Register& message) const {
    auto& body = *wire->mutable_register_();
    for (const auto& [key, value] : message.caps) (*body.mutable_caps())[to_utf8(key)] = to_utf8(value);
    body.set_ssh_address(to_utf8(message.ssh_address));
    body.set_ssh_port(message.ssh_port);
    for (const auto& key : message.host_keys) body.add_host_keys(to_utf8(key));
    body.set_instance(to_utf8(message.instance));
    body.set_generation(message.generation.value);
    body.set_prepared(message.prepared);
    body.set_job(message.job ? message.job->value : 0);
  }
  void operator()(const agent::Heartbeat&) const { wire->mutable_heartbeat(); }
  void operator()(const agent::SetFail& message) const {
    wire->mutable_set_fail()->set_reason(to_utf8(message.reason));
  }
  void operator()(const agent::Warning& message) const { wire->mutable_warning()->set_text(to_utf8(message.text)); }
  void operator()(const agent::Done& message) const {
    auto& body = *wire->mutable_done();
    body.set_kind(to_wire(message.kind));
    body.set_generation(message.generation.value);
    body.set_error(to_utf8(message.error));
    body.set_username(to_utf8(message.username));
    body.set_private_key(to_utf8(message.private_key.reveal()));
  }
  void operator()(const agent::TunnelFailed& message) const {
    wire->mutable_tunnel_failed()->set_token(to_utf8(message.token.reveal()));
    wire->mutable_tunnel_failed()->set_reason(to_utf8(message.reason));
  }
  void operator()(const agent::BoardUsed& message) const {
    auto& body = *wire->mutable_board_used();
    body.set_ticket(message.ticket);
    body.set_outcome(to_wire(message.result.outcome));
    body.set_error(to_utf8(message.result.error));
    if (message.result.milliamperes) body.set_milliamperes(*message.result.milliamperes);
  }
  void operator()(const agent::ConsoleRead& message) const {
    auto& body = *wire->mutable_console_read();
    body.set_ticket(message.ticket);
    body.set_error(to_utf8(message.error));
    body.set_text(to_utf8(message.text));
  }
};

struct CommandEncoder {
  v1::Command* wire;

  void operator()(const agent::Prepare& body) const {
    wire->mutable_prepare()->set_full_healthcheck(body.full_healthcheck);
  }
  void operator()(const agent::Grant& body) const {
    auto& grant = *wire->mutable_grant();
    grant.set_job(body.job.value);
    for (const auto& key : body.public_keys) grant.add_public_keys(to_utf8(key));
    grant.set_remaining_ms(to_wire(body.remaining));
  }
  void operator()(const agent::EndJob&) const { wire->mutable_end_job(); }
  void operator()(const agent::PutInMaintenance& body) const {
    wire->mutable_put_in_maintenance()->set_message(to_utf8(body.message));
  }
  void operator()(const agent::Healthcheck& body) const { wire->mutable_healthcheck()->set_full(body.full); }
};

struct ToAgentEncoder {
  v1::ToAgent* wire;

  void operator()(const agent::Welcome& message) const {
    wire->mutable_welcome()->set_heartbeat_every_ms(to_wire(message.heartbeat_every));
    wire->mutable_welcome()->set_lost_grace_ms(to_wire(message.lost_grace));
  }
  void operator()(const agent::Command& message) const {
    wire->mutable_command()->set_generation(message.generation.value);
    std::visit(CommandEncoder{wire->mutable_command()}, message.body);
  }
  void operator()(const agent::JobRemaining& message) const {
    wire->mutable_job_remaining()->set_job(message.job.value);
    wire->mutable_job_remaining()->set_remaining_ms(to_wire(message.remaining));
  }
  void operator()(const agent::Deregistered&) const { wire->mutable_deregistered(); }
  void operator()(const agent::OpenTunnel& message) const {
    wire->mutable_open_tunnel()->set_job(message.job.value);
    wire->mutable_open_tunnel()->set_token(to_utf8(message.token.reveal()));
  }
  void operator()(const agent::UseBoard& message) const {
    auto& body = *wire->mutable_use_board();
    body.set_job(message.job.value);
    body.set_ticket(message.ticket);
    body.set_action(to_wire(message.action));
  }
  void operator()(const agent::ReadConsole& message) const {
    wire->mutable_read_console()->set_job(message.job.value);
    wire->mutable_read_console()->set_ticket(message.ticket);
  }
};

std::optional<agent::FromAgent> decode_register(const v1::Register& body) {
  if (body.ssh_port() > std::numeric_limits<std::uint16_t>::max()) return std::nullopt;
  agent::Register message{.caps = {body.caps().begin(), body.caps().end()},
                          .ssh_address = body.ssh_address(),
                          .ssh_port = static_cast<std::uint16_t>(body.ssh_port()),
                          .host_keys = {body.host_keys().begin(), body.host_keys().end()},
                          .instance = body.instance(),
                          .generation = Generation{body.generation()},
                          .prepared = body.prepared(),
                          .job = std::nullopt};
  if (body.job() != 0) message.job = RequestId{body.job()};
  return message;
}

std::optional<agent::FromAgent> decode_done(const v1::Done& body) {
  const auto kind = from_wire(body.kind());
  if (!kind) return std::nullopt;
  return agent::Done{.kind = *kind,
                     .generation = Generation{body.generation()},
                     .error = body.error(),
                     .username = body.username(),
                     .private_key = Secret(body.private_key())};
}

std::optional<agent::FromAgent> decode_board_used(const v1::BoardUsed& body) {
  const auto outcome = from_wire(body.outcome());
  if (!outcome) return std::nullopt;
  agent::BoardUsed message{.ticket = body.ticket(),
                           .result = {.outcome = *outcome, .error = body.error(), .milliamperes = std::nullopt}};
  if (body.has_milliamperes()) message.result.milliamperes = body.milliamperes();
  return message;
}

std::optional<agent::ToAgent> decode_use_board(const v1::UseBoard& body) {
  const auto action = from_wire(body.action());
  if (!action) return std::nullopt;
  return agent::UseBoard{.job = RequestId{body.job()}, .ticket = body.ticket(), .action = *action};
}

std::optional<agent::ToAgent> decode_command(const v1::Command& command) {
  agent::Command message{.generation = Generation{command.generation()}, .body = {}};
  switch (command.body_case()) {
    case v1::Command::kPrepare:
      message.body = agent::Prepare{.full_healthcheck = command.prepare().full_healthcheck()};
      return message;
    case v1::Command::kGrant: {
      const auto& grant = command.grant();
      message.body = agent::Grant{.job = RequestId{grant.job()},
                                  .public_keys = {grant.public_keys().begin(), grant.public_keys().end()},
                                  .remaining = from_wire(grant.remaining_ms())};
      return message;
    }
    case v1::Command::kEndJob:
      message.body = agent::EndJob{};
      return message;
    case v1::Command::kPutInMaintenance:
      message.body = agent::PutInMaintenance{.message = command.put_in_maintenance().message()};
      return message;
    case v1::Command::kHealthcheck:
      message.body = agent::Healthcheck{.full = command.healthcheck().full()};
      return message;
    case v1::Command::BODY_NOT_SET:
      break;
  }
  return std::nullopt;
}

}  // namespace

v1::FromAgent encode(const agent::FromAgent& message) {
  v1::FromAgent wire;
  std::visit(FromAgentEncoder{&wire}, message);
  return wire;
}

v1::ToAgent encode(const agent::ToAgent& message) {
  v1::ToAgent wire;
  std::visit(ToAgentEncoder{&wire}, message);
  return wire;
}

std::optional<agent::FromAgent> decode(const v1::FromAgent& message) {
  switch (message.body_case()) {
    case v1::FromAgent::kRegister:
      return decode_register(message.register_());
    case v1::FromAgent::kHeartbeat:
      return agent::Heartbeat{};
    case v1::FromAgent::kSetFail:
      return agent::SetFail{.reason = message.set_fail().reason()};
    case v1::FromAgent::kWarning:
      return agent::Warning{.text = message.warning().text()};
    case v1::FromAgent::kDone:
      return decode_done(message.done());
    case v1::FromAgent::kTunnelFailed:
      return agent::TunnelFailed{.token = Secret(message.tunnel_failed().token()),
                                 .reason = message.tunnel_failed().reason()};
    case v1::FromAgent::kBoardUsed:
      return decode_board_used(message.board_used());
    case v1::FromAgent::kConsoleRead:
      return agent::ConsoleRead{.ticket = message.console_read().ticket(),
                                .error = message.console_read().error(),
                                .text = message.console_read().text()};
    case v1::FromAgent::BODY_NOT_SET:
      break;
  }
  return std::nullopt;
}

std::optional<agent::ToAgent> decode(const v1::ToAgent& message) {
  switch (message.body_case()) {
    case v1::ToAgent::kWelcome:
      return agent::Welcome{.heartbeat_every = from_wire(message.welcome().heartbeat_every_ms()),
                            .lost_grace = from_wire(message.welcome().lost_grace_ms())};
    case v1::ToAgent::kCommand:
      return decode_command(message.command());
    case v1::ToAgent::kJobRemaining:
      return agent::JobRemaining{.job = RequestId{message.job_remaining().job()},
                                 .remaining = from_wire(message.job_remaining().remaining_ms())};
    case v1::ToAgent::kDeregistered:
      return agent::Deregistered{};
    case v1::ToAgent::kOpenTunnel:
      return agent::OpenTunnel{.job = RequestId{message.open_tunnel().job()},
                               .token = Secret(message.open_tunnel().token())};
    case v1::ToAgent::kUseBoard:
      return decode_use_board(message.use_board());
    case v1::ToAgent::kReadConsole:
      return agent::ReadConsole{.job = RequestId{message.read_console().job()},
                                .ticket = message.read_console().ticket()};
    case v1::ToAgent::BODY_NOT_SET:
      break;
  }
  return std::nullopt;
}

}  // namespace boruta::proto

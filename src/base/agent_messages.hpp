#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/caps.hpp"
#include "base/ids.hpp"
#include "base/secret.hpp"

/// What server and agent say to each other over the agent's one stream, free of gRPC, so that both sides' state
/// machines can be run without a network. `proto/agent.proto` is the same on the wire.
namespace boruta::agent {

/// Opens the stream: the agent's first message, and only that.
struct Register {
  /// Must hold `UUID`.
  Capabilities caps;
  /// Where the server dials the worker's sshd: an address, or empty for the one the stream comes from.
  std::string ssh_address;
  std::uint16_t ssh_port = 0;
  /// The sshd's public host keys, in the form of known_hosts without the host: "ssh-ed25519 AAAA…".
  std::vector<std::string> host_keys;
  /// Stays the same over restarts of one agent, differs between two agents that claim one UUID.
  std::string instance;
  /// Highest generation that the agent obeyed; 0 when new.
  Generation generation;
  /// Whether the account of the last Prepare stands ready, or a job is on it.
  bool prepared = false;
  /// The job that was granted and not ended, if any.
  std::optional<RequestId> job;

  friend bool operator==(const Register&, const Register&) = default;
};

struct Heartbeat {
  friend bool operator==(const Heartbeat&, const Heartbeat&) = default;
};

/// The agent says that the worker is broken. `reason` may be empty.
struct SetFail {
  std::string reason;

  friend bool operator==(const SetFail&, const SetFail&) = default;
};

/// Something that an admin should know and no reason to take the worker out of service.
struct Warning {
  std::string text;

  friend bool operator==(const Warning&, const Warning&) = default;
};

enum class CommandKind : std::uint8_t { kPrepare, kGrant, kEndJob, kPutInMaintenance, kHealthcheck };

/// Answer to a command: exactly one for each, in the order of the commands.
struct Done {
  CommandKind kind{};
  Generation generation;
  /// Empty: it succeeded. Else why not, for people.
  std::string error;
  /// Of a Prepare that succeeded: who logs in, and with which private key (PEM, PKCS#1).
  std::string username;
  Secret private_key;
};

/// A connection that was asked for with OpenTunnel will not come.
struct TunnelFailed {
  Secret token;
  /// For the log.
  std::string reason;
};

/// What a job's user may have done with the board while the job runs.
enum class BoardAction : std::uint8_t { kPowerOn, kPowerOff, kPowerCycle, kSdHost, kSdDut, kCurrent };

/// "power on", "sd host", "current": as people and the agent's socket say it.
[[nodiscard]] std::string_view words_of(BoardAction action);
[[nodiscard]] std::optional<BoardAction> parse_board_action(std::string_view words);

/// An agent gives up an action that takes longer.
inline constexpr std::chrono::seconds kBoardActionWithin{20};

enum class BoardOutcome : std::uint8_t {
  kDone,
  kRefused,  ///< the board can't do it, or not now
  kFailed,   ///< it was tried
};

/// How an action of a job's user ended.
struct BoardResult {
  BoardOutcome outcome = BoardOutcome::kDone;
  /// Why it was not done, for people.
  std::string error;
  /// Of kCurrent: what the device under test draws.
  std::optional<std::int32_t> milliamperes;

  friend bool operator==(const BoardResult&, const BoardResult&) = default;
};

/// Answer to UseBoard.
struct BoardUsed {
  std::uint64_t ticket = 0;
  BoardResult result;

  friend bool operator==(const BoardUsed&, const BoardUsed&) = default;
};

/// Answer to ReadConsole.
struct ConsoleRead {
  std::uint64_t ticket = 0;
  /// Empty: `text` is what was printed. Else why there is none, for people.
  std::string error;
  std::string text;

  friend bool operator==(const ConsoleRead&, const ConsoleRead&) = default;
};

using FromAgent = std::variant<Register, Heartbeat, SetFail, Warning, Done, TunnelFailed, BoardUsed, ConsoleRead>;

/// Answer to Register. From here the agent obeys commands.
struct Welcome {
  /// How often the server wants a heartbeat.
  std::chrono::milliseconds heartbeat_every{};
  /// Cut off for so long past the end of its job, the agent ends the job by itself.
  std::chrono::milliseconds lost_grace{};

  friend bool operator==(const Welcome&, const Welcome&) = default;
};

/// Ends what the last user left, makes the account anew and a key for it.
struct Prepare {
  /// The worker failed, or its job did: check the hardware too, power included.
  bool full_healthcheck = false;

  friend bool operator==(const Prepare&, const Prepare&) = default;
};

/// A job begins for the account that was prepared.
struct Grant {
  RequestId job;
  /// The owner's registered public keys; where there are any they replace the key of Prepare.
  std::vector<std::string> public_keys;
  /// How long the job may still run, if nobody prolongs it: for the agent's own end of a job when it is cut off.
  std::chrono::milliseconds remaining{};

  friend bool operator==(const Grant&, const Grant&) = default;
};

/// The job is over: all of the user's processes, files and keys go.
struct EndJob {
  friend bool operator==(const EndJob&, const EndJob&) = default;
};

struct PutInMaintenance {
  /// For the board's display.
  std::string message;

  friend bool operator==(const PutInMaintenance&, const PutInMaintenance&) = default;
};

struct Healthcheck {
  bool full = false;

  friend bool operator==(const Healthcheck&, const Healthcheck&) = default;
};

/// A command carries the worker's generation: the agent keeps the highest on disk and refuses lower ones.
struct Command {
  Generation generation;
  std::variant<Prepare, Grant, EndJob, PutInMaintenance, Healthcheck> body;

  friend bool operator==(const Command&, const Command&) = default;
};

/// The running job's end moved: no answer is expected.
struct JobRemaining {
  RequestId job;
  std::chrono::milliseconds remaining{};

  friend bool operator==(const JobRemaining&, const JobRemaining&) = default;
};

/// The last message before the server ends the stream for good: the agent stops with its own exit code.
struct Deregistered {
  friend bool operator==(const Deregistered&, const Deregistered&) = default;
};

/// A user's connection to the running job's worker is to come through the agent. It is answered by a call of Tunnel
/// that shows `token`, or by TunnelFailed.
struct OpenTunnel {
  RequestId job;
  /// Names the connection, once.
  Secret token;

  friend bool operator==(const OpenTunnel& left, const OpenTunnel& right) {
    return left.job == right.job && left.token.reveal() == right.token.reveal();
  }
};

/// The running job's user wants something of the board. Answered by one BoardUsed, in any order, unless the stream
/// breaks first; not a Command, since it changes nothing that the server keeps.
struct UseBoard {
  RequestId job;
  /// Names the answer.
  std::uint64_t ticket = 0;
  BoardAction action{};

  friend bool operator==(const UseBoard&, const UseBoard&) = default;
};

/// What did the board's console print during `job`, which may be over? Answered by one ConsoleRead.
struct ReadConsole {
  RequestId job;
  /// Names the answer.
  std::uint64_t ticket = 0;

  friend bool operator==(const ReadConsole&, const ReadConsole&) = default;
};

using ToAgent = std::variant<Welcome, Command, JobRemaining, Deregistered, OpenTunnel, UseBoard, ReadConsole>;

[[nodiscard]] CommandKind kind_of(const Command& command);

}  // namespace boruta::agent

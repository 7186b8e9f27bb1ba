#pragma once

#include <cstddef>
#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/agent_messages.hpp"

/// What the agent, which speaks with the network and has no rights, and the root part beside it say to each other. The
/// agent asks for one of these things and nothing else: no path, name, command or number of a user is ever sent to
/// root, which knows them from its own config.
namespace boruta::dryad::root {

/// Of a request: the most keys of a grant, each as long as a key may be, and room for what is around them.
inline constexpr std::size_t kRequestBytes = std::size_t{512} * 1024;
/// Of an answer: a config is the longest.
inline constexpr std::size_t kAnswerBytes = std::size_t{1024} * 1024 + 65536;
/// Of the reason of a maintenance.
inline constexpr std::size_t kMessageBytes = std::size_t{64} * 1024;

/// What `Access` and `Board` do, by the same names.
struct Start {
  friend bool operator==(const Start&, const Start&) = default;
};
struct Prepare {
  /// Of a pair whose private half stays with the agent.
  std::string public_key;
  friend bool operator==(const Prepare&, const Prepare&) = default;
};
struct Grant {
  std::vector<std::string> public_keys;
  friend bool operator==(const Grant&, const Grant&) = default;
};
struct EndJob {
  friend bool operator==(const EndJob&, const EndJob&) = default;
};
struct PutInMaintenance {
  std::string message;
  friend bool operator==(const PutInMaintenance&, const PutInMaintenance&) = default;
};
struct Ready {
  friend bool operator==(const Ready&, const Ready&) = default;
};
struct Healthcheck {
  bool full = false;
  friend bool operator==(const Healthcheck&, const Healthcheck&) = default;
};
struct Act {
  agent::BoardAction action{};
  friend bool operator==(const Act&, const Act&) = default;
};

/// Those beside the work, which are answered at once.
/// What the agent asked for as its `number`th request, counted from 1, should end early.
struct Cancel {
  std::uint32_t number = 0;
  friend bool operator==(const Cancel&, const Cancel&) = default;
};
/// The config as its file is now.
struct ReadConfig {
  friend bool operator==(const ReadConfig&, const ReadConfig&) = default;
};
/// The board's console; its descriptor comes with the answer.
struct OpenConsole {
  friend bool operator==(const OpenConsole&, const OpenConsole&) = default;
};
/// The socket where users reach the board, listening; its descriptor comes with the answer.
struct ListenForUsers {
  friend bool operator==(const ListenForUsers&, const ListenForUsers&) = default;
};

using Request = std::variant<Start, Prepare, Grant, EndJob, PutInMaintenance, Ready, Healthcheck, Act, Cancel,
                             ReadConfig, OpenConsole, ListenForUsers>;

enum class Outcome : std::uint8_t {
  kDone,
  kWarning,  ///< of a health check: not critical
  kRefused,  ///< this machine, config or board does not allow it
  kFailed,
};

/// What a request has no use for stays as it is here.
struct Answer {
  Outcome outcome = Outcome::kDone;
  /// Why it was not done, for people; of ReadConfig that was done, the text.
  std::string text;
  /// The job's user, from Start on; 0: there is none.
  std::uint32_t user_id = 0;
  /// Of Start.
  bool standing = false;
  std::vector<std::string> host_keys;
  /// Of Act.
  std::optional<std::int32_t> milliamperes;

  friend bool operator==(const Answer&, const Answer&) = default;
};

/// Bytes to send, at most `kRequestBytes` of them if what is in them is within its own limits.
[[nodiscard]] std::string encode(const Request& request);
[[nodiscard]] std::string encode(const Answer& answer);

/// Nothing is taken on trust: a size, a number or a byte that is out of place is an error. Keys are not looked into.
[[nodiscard]] std::expected<Request, std::string> parse_request(std::string_view bytes);
[[nodiscard]] std::expected<Answer, std::string> parse_answer(std::string_view bytes);

}  // namespace boruta::dryad::root

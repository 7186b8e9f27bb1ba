#pragma once

#include <optional>

#include "agent.pb.h"
#include "base/agent_messages.hpp"

/// Between the agent's messages and their form on the wire. Pure and total, for the server and the agent alike.
///
/// Encoding never fails: text that is not UTF-8 gets U+FFFD for each bad byte, since protobuf would refuse the whole
/// message at the other end; durations below zero become zero. The caller wipes the private key in what it encoded.
///
/// Decoding answers nothing for a message without a body, or with one that this version does not know: a body, a kind
/// of command or a port beyond 65535. Durations too long for a nanosecond clock are cut to 100 years.
namespace boruta::proto {

[[nodiscard]] v1::FromAgent encode(const agent::FromAgent& message);
[[nodiscard]] v1::ToAgent encode(const agent::ToAgent& message);

[[nodiscard]] std::optional<agent::FromAgent> decode(const v1::FromAgent& message);
[[nodiscard]] std::optional<agent::ToAgent> decode(const v1::ToAgent& message);

}  // namespace boruta::proto

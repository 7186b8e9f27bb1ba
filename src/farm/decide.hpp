#pragma once

#include <expected>
#include <optional>

#include "base/refusal.hpp"
#include "farm/command.hpp"
#include "farm/events.hpp"
#include "farm/farm.hpp"

namespace boruta::farm {

/// Decides what `command` does to `farm` at `now`. Pure: reads no clock, draws no random number, changes nothing;
/// equal inputs give equal outputs. Returns the events to journal in order (maybe none), or why it is refused.
/// REQUIRES: nothing is due at `now` (see decide_due), unless the command is StartServer, which judges by itself what
/// became due while the server was down.
[[nodiscard]] std::expected<Events, Refusal> decide(const Farm& farm, const Command& command, Now now);

/// What time alone does to `farm`: the events of the one thing that is due first at `now`, none when nothing is.
/// Deadlines go first, then jobs, then agents. Apply and ask again until there are none.
[[nodiscard]] Events decide_due(const Farm& farm, Now now);

/// Whether `token`, a worker's, lets `worker` in: it belongs to the first worker that showed it, or admits as many as
/// it may. Where no worker is given: whether it would let any in.
[[nodiscard]] std::expected<void, Refusal> check_admits(const Token& token, std::optional<WorkerUuid> worker);

/// Whether that `token` is used at `now` is worth a NoteTokenUse: the last one was long ago.
[[nodiscard]] bool is_use_news(const Token& token, Now now);

/// Whether `actor` may see how to get into the request's worker, and change the request.
[[nodiscard]] std::expected<void, Refusal> check_owner(const Farm& farm, const Actor& actor, RequestId id);

}  // namespace boruta::farm

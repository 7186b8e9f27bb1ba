#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>

#include "base/instant.hpp"

namespace boruta::farm {

/// Who comes first among requests of the same priority.
enum class QueueOrder : std::uint8_t {
  kFifo,  ///< whoever filed first
  kFair,  ///< whose owner has used the farm least of late, then whoever filed first
};

/// What the operator decides. It comes from the configuration at each start and is no part of the farm's state.
struct Policy {
  /// How far one prolongation reaches, unless the request asks for less.
  Duration lease = std::chrono::hours(1);
  /// No job lasts longer.
  Duration lease_max = std::chrono::hours(24);
  /// A job that nobody acquires for so long ends, unless the request says otherwise. Zero: it does not.
  Duration claim_within = std::chrono::minutes(10);
  /// A request that registered workers could serve once and none can for so long is INVALID.
  Duration invalid_after = std::chrono::minutes(5);
  /// Prepare and PutInMaintenance must be answered within it.
  Duration respond_within = std::chrono::seconds(60);
  /// Grant must be answered within it.
  Duration grant_within = std::chrono::seconds(30);
  /// An agent that is silent for so long is lost.
  Duration lost_after = std::chrono::seconds(30);
  /// A running job outlives so much loss of its agent, in all.
  Duration lost_grace = std::chrono::minutes(10);
  QueueOrder order = QueueOrder::kFifo;
  /// kFair: use counts half as much after so long.
  Duration half_life = std::chrono::hours(24);
  /// Of each owner, the request that has waited longest comes before all others once it has been ready for so long,
  /// whatever its priority, unless a job that came so to its worker still runs: the bound on starvation. Zero: none.
  Duration overdue_after = std::chrono::hours(24);
  /// Off: everybody acts as one owner who may do everything, and groups restrict nobody.
  bool access_control = true;
  /// A user without a ceiling of their own may have so many requests waiting; admins any number. Zero: so may users.
  std::uint32_t waiting_per_user = 0;
  /// A request that ended is kept for so long, and then for no reason but that forgetting goes in steps. Zero: for
  /// ever.
  Duration keep_requests{};
  /// Jobs' tunnels listen on ports from this range, both ends included.
  std::uint16_t first_tunnel_port = 30'000;
  std::uint16_t last_tunnel_port = 39'999;
};

}  // namespace boruta::farm

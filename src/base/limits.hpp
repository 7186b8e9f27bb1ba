#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>

/// What the system takes at most. Each limit has a refusal that names it.
namespace boruta::limits {

inline constexpr std::size_t kHttpHeadBytes = std::size_t{16} * 1024;
inline constexpr std::size_t kHttpBodyBytes = std::size_t{1024} * 1024;
inline constexpr std::size_t kJsonDepth = 32;
inline constexpr std::chrono::seconds kHttpReadTime{30};
inline constexpr std::chrono::seconds kHttpIdleTime{75};
inline constexpr std::size_t kHttpConnections = 10'000;

inline constexpr std::size_t kCapsEntries = 64;
inline constexpr std::size_t kCapsKeyBytes = 64;
inline constexpr std::size_t kCapsValueBytes = 256;
inline constexpr std::size_t kRequirements = 32;
/// In one set, as in: arch in (arm64, armv7).
inline constexpr std::size_t kRequirementValues = 64;
inline constexpr std::size_t kGroups = 64;
inline constexpr std::size_t kGroupNameBytes = 64;
inline constexpr std::size_t kUserNameBytes = 64;
inline constexpr std::size_t kTokenNameBytes = 64;
inline constexpr std::size_t kReasonBytes = 1024;
/// Of one user.
inline constexpr std::size_t kUserKeys = 32;
/// Of a public key in base64; the longest RSA key that OpenSSH takes has half of it.
inline constexpr std::size_t kPublicKeyBytes = 8'192;
/// That one reusable token counts.
inline constexpr std::uint32_t kWorkersOfToken = 1'000;
/// The last use of a token is known to within this: it is written no more often.
inline constexpr std::chrono::hours kTokenUseStep{1};

inline constexpr std::size_t kIdempotencyKeyBytes = 255;
/// How long a creation answers again to its key.
inline constexpr std::chrono::hours kIdempotencyKept{24};

inline constexpr std::uint16_t kListPage = 65'535;
inline constexpr std::size_t kSubscriberBacklog = 1'024;
inline constexpr std::size_t kTunnelConnectionsPerJob = 64;
/// Of a connection that goes through the agent: what one message carries at most, and what each end takes of one
/// direction before its reader has read it. Each end holds no more than the window and four chunks of a direction.
inline constexpr std::size_t kTunnelChunkBytes = std::size_t{128} * 1024;
inline constexpr std::size_t kTunnelWindowBytes = std::size_t{512} * 1024;
/// Commands decided but not yet durable; beyond it changes are refused with "unavailable".
inline constexpr std::size_t kPendingCommands = 100'000;

inline constexpr unsigned kHighestPriority = 1;
inline constexpr unsigned kLowestPriority = 16;

}  // namespace boruta::limits

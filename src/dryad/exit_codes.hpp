#pragma once

/// What dryad's exit code means; `dryad --help` says the same. Service files rely on them: a deregistered dryad must
/// not be started again by itself, and a wrong config is not mended by another start.
namespace boruta::dryad {

inline constexpr int kExitOk = 0;
/// Something broke that another start may mend.
inline constexpr int kExitFault = 1;
/// An admin took the worker out of the farm.
inline constexpr int kExitDeregistered = 3;
/// Wrong flags, as EX_USAGE of sysexits.h.
inline constexpr int kExitUsage = 64;
/// This machine does not allow what the config asks for, as EX_NOPERM.
inline constexpr int kExitUnfit = 77;
/// A wrong config file, as EX_CONFIG.
inline constexpr int kExitConfig = 78;

}  // namespace boruta::dryad

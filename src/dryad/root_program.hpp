#pragma once

/// What dryad and the program that it starts agree on: `dryad-root CONFIG STATE_DIR`, with three sockets.
namespace boruta::dryad::root {

inline constexpr const char* kProgram = "dryad-root";
/// For what takes its time, and for what is answered at once.
inline constexpr int kWorkSocket = 3;
inline constexpr int kBesideSocket = 4;
/// Nothing is ever sent over it: that it is open tells that the program lives.
inline constexpr int kLifeline = 5;

}  // namespace boruta::dryad::root

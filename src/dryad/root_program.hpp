#pragma once

/// What dryad and the program that it starts agree on: `dryad-root CONFIG STATE_DIR`, with two sockets.
namespace boruta::dryad::root {

inline constexpr const char* kProgram = "dryad-root";
/// For what takes its time, and for what is answered at once.
inline constexpr int kWorkSocket = 3;
inline constexpr int kBesideSocket = 4;

}  // namespace boruta::dryad::root

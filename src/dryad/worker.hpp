#pragma once

#include <filesystem>
#include <stop_token>

#include "dryad/access.hpp"
#include "dryad/board.hpp"
#include "dryad/session.hpp"

namespace boruta::dryad {

/// Free space in the state directory's file system.
inline constexpr std::uint64_t kCriticalFreeBytes = std::uint64_t{16} << 20U;
inline constexpr std::uint64_t kLowFreeBytes = std::uint64_t{256} << 20U;

/// What the system's free space means for the worker.
std::expected<void, Ailment> judge_free_space(std::uint64_t free_bytes);

/// Carries out operations with access and board. Thread: one operation at a time; blocks.
class Worker {
 public:
  /// Both must outlive this.
  Worker(Access& access, Board& board, std::filesystem::path state_dir)
      : access_(access), board_(board), state_dir_(std::move(state_dir)) {}

  /// `stop` ends what the board does early.
  OperationResult run(const Operation& operation, const std::stop_token& stop);
  /// What the job's user wants of the board.
  agent::BoardResult act(agent::BoardAction action, const std::stop_token& stop) { return board_.act(action, stop); }

 private:
  OperationResult on(const agent::Prepare& prepare, const std::stop_token& stop);
  OperationResult on(const agent::Grant& grant, const std::stop_token& stop);
  OperationResult on(const agent::EndJob& end, const std::stop_token& stop);
  OperationResult on(const agent::PutInMaintenance& maintenance, const std::stop_token& stop);
  OperationResult on(const agent::Healthcheck& check, const std::stop_token& stop);
  /// The system first, then the board.
  OperationResult check_health(bool full, const std::stop_token& stop);

  Access& access_;
  Board& board_;
  std::filesystem::path state_dir_;
};

}  // namespace boruta::dryad

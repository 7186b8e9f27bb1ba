#pragma once

#include <cstddef>
#include <expected>
#include <filesystem>
#include <string>
#include <string_view>

#include "base/ids.hpp"

namespace boruta::dryad {

/// Of what a console printed during one job, at most so much is kept, the newest; and at least half of it, once there
/// was so much.
inline constexpr std::size_t kConsoleLogBytes = std::size_t{256} * 1024;
/// The newest jobs whose logs are kept.
inline constexpr std::size_t kConsoleLogs = 20;

/// What a console printed during jobs, each in files of its own below one directory. Bounded in all by
/// kConsoleLogBytes × kConsoleLogs.
/// Thread: one at a time. Blocks for a write to the page cache.
class ConsoleLog {
 public:
  explicit ConsoleLog(std::filesystem::path dir) : dir_(std::move(dir)) {}

  /// What is appended from now on was printed during `job`; of older jobs, the oldest logs beyond the limit go. A job
  /// that is begun again goes on with its log. Error: the directory or the file can't be made.
  std::expected<void, std::string> begin(RequestId job);
  /// REQUIRES: a job was begun. What can't be written is lost: a full disk must not stop a console.
  void append(std::string_view bytes);
  /// What was printed during `job`; empty where that was nothing. Error: no such job is kept.
  [[nodiscard]] std::expected<std::string, std::string> read(RequestId job) const;

 private:
  [[nodiscard]] std::filesystem::path newer(RequestId job) const;
  /// What was newer before `newer` was half full.
  [[nodiscard]] std::filesystem::path older(RequestId job) const;
  void forget_old_jobs() const;

  std::filesystem::path dir_;
  RequestId job_{};
  std::size_t written_ = 0;
};

}  // namespace boruta::dryad

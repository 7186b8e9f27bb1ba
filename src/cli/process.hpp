#pragma once

#include <boost/asio/any_io_executor.hpp>

#include <expected>
#include <filesystem>
#include <optional>
#include <string>
#include <sys/types.h>
#include <utility>
#include <vector>

#include "cli/run_outcome.hpp"
#include "runtime/task.hpp"

namespace boruta::cli {

/// A program to run: found in PATH, its words passed as they are, without a shell.
struct Program {
  std::vector<std::string> words;
  /// Set in its environment beside our own.
  std::vector<std::pair<std::string, std::string>> environment;
  /// Where given, its standard output goes into this new file, and its standard error nowhere.
  std::optional<std::filesystem::path> output;
};

/// A running child process that shares our standard streams and process group.
class Child {
 public:
  /// The error is for people: not found, not executable.
  [[nodiscard]] static std::expected<Child, std::string> start(const asio::any_io_executor& executor, Program program);

  Child(Child&& other) noexcept;
  Child& operator=(Child&&) = delete;
  /// REQUIRES: it was awaited; one that was not is killed.
  ~Child();

  [[nodiscard]] pid_t pid() const { return pid_; }
  /// Sends a signal, unless it has been awaited.
  void signal(int number) const;
  /// Returns when it has ended. Once.
  Task<ChildEnd> wait();

 private:
  Child(asio::any_io_executor executor, pid_t pid) : executor_(std::move(executor)), pid_(pid) {}

  asio::any_io_executor executor_;
  pid_t pid_;
};

}  // namespace boruta::cli

#pragma once

#include <cstdint>
#include <expected>
#include <filesystem>
#include <memory>
#include <mutex>
#include <stop_token>
#include <string>
#include <sys/types.h>

#include "dryad/root_wire.hpp"
#include "runtime/descriptor.hpp"

namespace boruta::dryad {

/// The program beside dryad that does what needs root, as a child process that ends with us.
/// Threads: any; one request of a kind at a time, others wait.
class RootLink {
 public:
  /// An answer, and what came with it.
  struct Handed {
    root::Answer answer;
    runtime::Descriptor descriptor;
  };

  /// Starts it with these files, as whoever we are. REQUIRES: no other thread. Error: it can't be started.
  static std::expected<std::unique_ptr<RootLink>, std::string> start(const std::filesystem::path& config,
                                                                     const std::filesystem::path& state_dir);
  RootLink(const RootLink&) = delete;
  RootLink& operator=(const RootLink&) = delete;
  /// Returns when it has ended, which it does when what is under way is done.
  ~RootLink();

  /// Has `request` done, and blocks for as long as that takes; `stop` ends what can be ended early. If the program is
  /// gone the answer says so as a failure.
  root::Answer ask(const root::Request& request, const std::stop_token& stop = {});
  /// The same for what is answered at once, also while something else is under way.
  Handed ask_beside(const root::Request& request);

  [[nodiscard]] pid_t pid() const { return pid_; }
  /// For who waits for its end: a socket that hangs up then. Once.
  [[nodiscard]] runtime::Descriptor take_lifeline() { return std::move(lifeline_); }

 private:
  RootLink(pid_t pid, runtime::Descriptor work, runtime::Descriptor beside, runtime::Descriptor lifeline)
      : pid_(pid), work_(std::move(work)), beside_(std::move(beside)), lifeline_(std::move(lifeline)) {}

  pid_t pid_;
  runtime::Descriptor work_;
  runtime::Descriptor beside_;
  runtime::Descriptor lifeline_;
  std::mutex work_mutex_;
  std::mutex beside_mutex_;
  std::uint32_t asked_ = 0;
};

}  // namespace boruta::dryad

#pragma once

#include <boost/asio/posix/stream_descriptor.hpp>

#include <cstddef>
#include <expected>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/ids.hpp"
#include "dryad/console_log.hpp"
#include "dryad/serial_port.hpp"
#include "runtime/clock.hpp"
#include "runtime/task.hpp"

namespace boruta::dryad {

/// Between attempts to open a line that is not there.
inline constexpr std::chrono::seconds kConsoleRetry{1};
/// What a reader may be behind, and what the line may have not taken yet of what was written to it.
inline constexpr std::size_t kConsoleBacklog = std::size_t{64} * 1024;

/// Who reads a console. Thread: the console's executor.
class ConsoleReader {
 public:
  virtual ~ConsoleReader() = default;

  virtual void heard(std::string_view bytes) = 0;
  /// Nothing more comes: the job is over.
  virtual void ended() = 0;
};

/// The serial console of a board, while a job runs: what it prints goes to all who read it and into the job's log; what
/// the first of them writes goes to it, until they leave, and then what the next one does that asks.
/// Thread: the executor. Stop: `serve` nothing; it must outlive `join`.
class Console {
 public:
  struct Parts {
    asio::any_io_executor executor;
    /// Must outlive this.
    runtime::Clock* clock = nullptr;
    /// Opens the line, or says why it can't; called again until it can.
    std::function<std::expected<SerialPort, std::string>()> open;
    std::filesystem::path log_dir;
  };

  explicit Console(Parts parts);
  Console(const Console&) = delete;
  Console& operator=(const Console&) = delete;
  ~Console();

  /// The job that has begun; nothing: it has ended, and its readers are told so.
  void serve(std::optional<RequestId> job);
  [[nodiscard]] bool serving() const { return job_.has_value(); }
  /// True: `reader` is the one that writes. REQUIRES: serving.
  bool attach(const std::shared_ptr<ConsoleReader>& reader);
  void detach(const std::shared_ptr<ConsoleReader>& reader);
  /// `reader` has nothing more to write, and reads on.
  void stop_writing(const std::shared_ptr<ConsoleReader>& reader);
  /// Nothing happens unless `reader` is the one that writes. False: the line does not take it as fast as it comes.
  bool write(const std::shared_ptr<ConsoleReader>& reader, std::string_view bytes);
  /// What was printed during a job, also after it ended.
  [[nodiscard]] std::expected<std::string, std::string> log_of(RequestId job) const { return log_.read(job); }
  Task<void> join() { return tasks_.join(); }

 private:
  struct Line;

  Task<void> keep_open(std::uint64_t round);
  Task<void> read(std::shared_ptr<Line> line);
  Task<void> flush(std::shared_ptr<Line> line);
  void tell(std::string_view bytes);
  /// A sentence of ours among what the console prints.
  void announce(const std::string& text);

  Parts parts_;
  ConsoleLog log_;
  std::optional<RequestId> job_;
  /// Counts jobs: what was begun for an earlier one ends.
  std::uint64_t round_ = 0;
  std::shared_ptr<Line> line_;
  std::unique_ptr<runtime::Timer> retry_;
  std::vector<std::shared_ptr<ConsoleReader>> readers_;
  std::shared_ptr<ConsoleReader> writer_;
  runtime::TaskGroup tasks_;
};

}  // namespace boruta::dryad

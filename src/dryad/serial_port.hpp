#pragma once

#include <chrono>
#include <cstdint>
#include <expected>
#include <filesystem>
#include <stop_token>
#include <string>
#include <string_view>
#include <utility>

namespace boruta::dryad {

enum class SerialFault : std::uint8_t {
  kTimedOut,  ///< nothing came, or nothing could be sent, in time
  kStopped,   ///< the caller's stop was requested
  kGarbled,   ///< what came is not what was asked for
  kBroken,    ///< the line is gone, as when it is unplugged: it must be opened anew
};

struct SerialError {
  SerialFault fault = SerialFault::kBroken;
  /// For people; names the line.
  std::string text;
};

/// A serial line, raw, 8N1, that nobody else can open while we have it: locked (flock) for programs that ask, and
/// exclusive (TIOCEXCL) for those that don't.
/// Thread: one at a time. All block, until their deadline at most.
class SerialPort {
 public:
  using Deadline = std::chrono::steady_clock::time_point;

  /// What was received before is thrown away. Error: there is no such line, another program has it, or it knows no
  /// such speed.
  static std::expected<SerialPort, std::string> open(const std::filesystem::path& path, unsigned baud);

  /// A line that another process opened so, for it to be closed by us.
  [[nodiscard]] static SerialPort adopt(int fd, std::filesystem::path path) { return {fd, std::move(path)}; }
  /// Gives the open line away, as it is.
  [[nodiscard]] int release() { return std::exchange(fd_, -1); }

  SerialPort(SerialPort&& other) noexcept;
  SerialPort& operator=(SerialPort&& other) noexcept;
  ~SerialPort();

  std::expected<void, SerialError> write(std::string_view bytes, Deadline deadline, const std::stop_token& stop);
  /// What has come, at least one byte.
  std::expected<std::string, SerialError> read_some(Deadline deadline, const std::stop_token& stop);

  [[nodiscard]] int fd() const { return fd_; }

 private:
  SerialPort(int fd, std::filesystem::path path) : fd_(fd), path_(std::move(path)) {}
  std::expected<void, SerialError> wait_for(short events, Deadline deadline, const std::stop_token& stop);
  [[nodiscard]] SerialError broken(int error) const;

  int fd_ = -1;
  std::filesystem::path path_;
};

/// Whether `baud` is a speed that lines have: 9600, 115200, …
[[nodiscard]] bool is_baud(unsigned baud);

}  // namespace boruta::dryad

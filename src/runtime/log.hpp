#pragma once

#include <exception>
#include <initializer_list>
#include <span>
#include <string>
#include <string_view>
#include <utility>

namespace boruta::runtime {

enum class LogLevel : unsigned char { kDebug, kInfo, kWarning, kError };
enum class LogFormat : unsigned char { kText, kJson };

/// One fact of an event: "request" = "42", "worker" = a UUID, "actor" = a name. Never a secret.
using LogField = std::pair<std::string_view, std::string>;

/// Sets up logging to standard error for the process. Before the first line, from one thread.
void start_log(LogLevel least, LogFormat format);

/// Whether lines of `level` are written: for who would make many fields in vain. Thread-safe.
[[nodiscard]] bool log_enabled(LogLevel level);

/// Writes one line for one event. Thread-safe.
void log(LogLevel level, std::string_view message, std::span<const LogField> fields);
inline void log(LogLevel level, std::string_view message, std::initializer_list<LogField> fields = {}) {
  log(level, message, std::span(fields.begin(), fields.size()));
}

inline void log_info(std::string_view message, std::initializer_list<LogField> fields = {}) {
  log(LogLevel::kInfo, message, fields);
}
inline void log_warning(std::string_view message, std::initializer_list<LogField> fields = {}) {
  log(LogLevel::kWarning, message, fields);
}
inline void log_error(std::string_view message, std::initializer_list<LogField> fields = {}) {
  log(LogLevel::kError, message, fields);
}

/// Logs what a task threw, at the one place where exceptions end.
void log_exception(std::string_view task, const std::exception_ptr& failure);

}  // namespace boruta::runtime

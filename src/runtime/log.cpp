#include "runtime/log.hpp"

#include <boost/json/serialize.hpp>
#include <boost/json/string.hpp>
#include <fmt/format.h>
#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <atomic>

namespace boruta::runtime {
namespace {

std::atomic<LogFormat> g_format{LogFormat::kText};

spdlog::level::level_enum to_spdlog(LogLevel level) {
  switch (level) {
    case LogLevel::kDebug:
      return spdlog::level::debug;
    case LogLevel::kInfo:
      return spdlog::level::info;
    case LogLevel::kWarning:
      return spdlog::level::warn;
    case LogLevel::kError:
      return spdlog::level::err;
  }
  return spdlog::level::err;
}

std::string in_quotes(std::string_view text) { return boost::json::serialize(boost::json::string(text)); }

/// Control characters too: what users and agents write must not steer the terminal of who reads the log.
bool needs_quotes(std::string_view text) {
  constexpr char kDelete = 0x7f;
  return text.empty() || std::ranges::any_of(text, [](char character) {
           const bool control = static_cast<unsigned char>(character) <= ' ' || character == kDelete;
           return control || character == '"' || character == '=';
         });
}

std::string text_line(std::string_view message, std::span<const LogField> fields) {
  std::string line(message);
  for (const auto& [key, value] : fields)
    line += fmt::format(" {}={}", key, needs_quotes(value) ? in_quotes(value) : value);
  return line;
}

/// The tail of a JSON object whose head, time and level, spdlog's pattern writes.
std::string json_line(std::string_view message, std::span<const LogField> fields) {
  std::string line = fmt::format("\"message\":{}", in_quotes(message));
  for (const auto& [key, value] : fields) line += fmt::format(",\"{}\":{}", key, in_quotes(value));
  return line;
}

}  // namespace

void start_log(LogLevel least, LogFormat format) {
  g_format = format;
  auto logger = std::make_shared<spdlog::logger>("boruta", std::make_shared<spdlog::sinks::stderr_color_sink_mt>());
  spdlog::set_default_logger(std::move(logger));
  spdlog::set_level(to_spdlog(least));
  spdlog::set_pattern(format == LogFormat::kJson ? R"({"time":"%Y-%m-%dT%H:%M:%S.%e%z","level":"%l",%v})"
                                                 : "%Y-%m-%d %H:%M:%S.%e %^%l%$ %v");
}

bool log_enabled(LogLevel level) { return spdlog::should_log(to_spdlog(level)); }

void log(LogLevel level, std::string_view message, std::span<const LogField> fields) {
  if (!log_enabled(level)) return;
  spdlog::log(to_spdlog(level), "{}",
              g_format.load() == LogFormat::kJson ? json_line(message, fields) : text_line(message, fields));
}

void log_exception(std::string_view task, const std::exception_ptr& failure) {
  try {
    std::rethrow_exception(failure);
  } catch (const std::exception& error) {
    log_error("task failed", {{"task", std::string(task)}, {"error", error.what()}});
  }
}

}  // namespace boruta::runtime

#include "runtime/log.hpp"

#include <gtest/gtest.h>

#include <vector>

namespace boruta::runtime {
namespace {

/// What is written by `write`.
template <class Write>
std::string logged(LogLevel least, LogFormat format, Write write) {
  testing::internal::CaptureStderr();
  start_log(least, format);
  write();
  return testing::internal::GetCapturedStderr();
}

TEST(Log, SaysWhichLevelsAreWritten) {
  start_log(LogLevel::kWarning, LogFormat::kText);
  EXPECT_FALSE(log_enabled(LogLevel::kDebug));
  EXPECT_FALSE(log_enabled(LogLevel::kInfo));
  EXPECT_TRUE(log_enabled(LogLevel::kWarning));
  EXPECT_TRUE(log_enabled(LogLevel::kError));
}

TEST(Log, WritesFieldsThatWereMadeBefore) {
  const std::vector<LogField> fields{{"request", "7"}, {"reason", "closed by alice"}};
  const auto text = logged(LogLevel::kInfo, LogFormat::kText, [&] {
    log(LogLevel::kInfo, "request ended", fields);
    log(LogLevel::kDebug, "not this", fields);
  });
  EXPECT_NE(text.find(" request ended request=7 reason=\"closed by alice\"\n"), std::string::npos) << text;
  EXPECT_EQ(text.find("not this"), std::string::npos) << text;
}

TEST(Log, LetsNobodySteerATerminal) {
  for (const auto format : {LogFormat::kText, LogFormat::kJson}) {
    const auto text = logged(LogLevel::kInfo, format, [] { log_info("noted", {{"text", "\x1b[2J"}}); });
    EXPECT_NE(text.find("\\u001b[2J\""), std::string::npos) << text;
  }
}

}  // namespace
}  // namespace boruta::runtime

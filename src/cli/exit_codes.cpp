#include "cli/exit_codes.hpp"

#include <fmt/format.h>

namespace boruta::cli {
namespace {

struct Row {
  ExitCode code;
  const char* meaning;
};

constexpr Row kRows[] = {
    {ExitCode::kOk, "done"},
    {ExitCode::kUsage, "the command line is wrong"},
    {ExitCode::kRefused, "the server refused: not found, wrong state, a limit"},
    {ExitCode::kNothingFits, "no registered worker could serve the request"},
    {ExitCode::kInternal, "an answer or a local file is not as it should be"},
    {ExitCode::kUnreachable, "the server cannot be reached or is unavailable; try again later"},
    {ExitCode::kNotAllowed, "not logged in, not allowed, or the server is not trusted"},
    {ExitCode::kWorkerFailed, "the worker failed, or was put in maintenance"},
    {ExitCode::kLeaseLost, "the job ended while the command ran"},
    {ExitCode::kSshFailed, "logging in to the worker or copying failed"},
    {ExitCode::kNotStarted, "the request ended before it started: cancelled, invalid, timed out, or --timeout passed"},
    {ExitCode::kInterrupted, "interrupted by Ctrl-C, SIGTERM or SIGHUP"},
};

}  // namespace

std::string exit_code_help() {
  std::string text = "`boruta run` and `boruta ssh` exit with their command's own code. Otherwise:\n";
  for (const auto& [code, meaning] : kRows) text += fmt::format("  {:>3}  {}\n", to_int(code), meaning);
  return text;
}

ExitCode exit_code_of(const client::ApiError& error) {
  switch (error.kind) {
    case client::ErrorKind::kUnreachable:
      return ExitCode::kUnreachable;
    case client::ErrorKind::kTls:
      return ExitCode::kNotAllowed;
    case client::ErrorKind::kProtocol:
      return ExitCode::kInternal;
    case client::ErrorKind::kRefused:
      break;
  }
  if (error.status == 401 || error.status == 403) return ExitCode::kNotAllowed;
  if (error.status == 429 || client::is_temporary(error)) return ExitCode::kUnreachable;
  return ExitCode::kRefused;
}

}  // namespace boruta::cli

#pragma once

#include <string>

#include "client/api_error.hpp"

namespace boruta::cli {

/// What `boruta` exits with, apart from `boruta run`, `boruta ssh` passing on their command's own code.
enum class ExitCode : unsigned char {
  kOk = 0,
  kUsage = 64,        ///< the command line is wrong
  kRefused = 65,      ///< the server said no: not found, wrong state, limit reached
  kNothingFits = 69,  ///< no registered worker could serve it
  kInternal = 70,     ///< an answer that is not understood, a local file, a bug
  kUnreachable = 75,  ///< the server cannot be reached or is unavailable: try again later
  kNotAllowed = 77,   ///< not logged in, not allowed, or the server is not trusted
  kWorkerFailed = 120,
  kLeaseLost = 121,   ///< the job ended while the command ran
  kSshFailed = 122,   ///< logging in or copying failed
  kNotStarted = 123,  ///< the request was cancelled, invalid or timed out before it started
  kInterrupted = 130,
};

[[nodiscard]] constexpr int to_int(ExitCode code) { return static_cast<int>(code); }

/// The table of all codes, one a line, for `boruta help exit-codes`.
[[nodiscard]] std::string exit_code_help();

[[nodiscard]] ExitCode exit_code_of(const client::ApiError& error);

}  // namespace boruta::cli

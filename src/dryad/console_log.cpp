#include "dryad/console_log.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <fcntl.h>
#include <functional>
#include <system_error>
#include <unistd.h>
#include <vector>

#include "dryad/files.hpp"

namespace boruta::dryad {
namespace {

constexpr std::size_t kHalf = kConsoleLogBytes / 2;
constexpr mode_t kPrivateDirectory = 0700;
constexpr mode_t kPrivateFile = 0600;
constexpr std::string_view kNewer = ".log";
constexpr std::string_view kOlder = ".old.log";

int open_for_append(const std::filesystem::path& file) {
  return ::open(file.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, kPrivateFile);
}

}  // namespace

std::filesystem::path ConsoleLog::newer(RequestId job) const { return dir_ / fmt::format("{}{}", job.value, kNewer); }
std::filesystem::path ConsoleLog::older(RequestId job) const { return dir_ / fmt::format("{}{}", job.value, kOlder); }

std::expected<void, std::string> ConsoleLog::begin(RequestId job) {
  if (auto made = make_directories(dir_, kPrivateDirectory); !made) return made;
  const int fd = open_for_append(newer(job));
  if (fd < 0) return std::unexpected(errno_text(newer(job), errno));
  ::close(fd);
  job_ = job;
  std::error_code error;
  const auto size = std::filesystem::file_size(newer(job), error);
  written_ = error ? 0 : static_cast<std::size_t>(size);
  forget_old_jobs();
  return {};
}

void ConsoleLog::append(std::string_view bytes) {
  while (!bytes.empty()) {
    if (written_ >= kHalf) {
      std::error_code ignored;
      std::filesystem::rename(newer(job_), older(job_), ignored);
      written_ = 0;
    }
    const auto piece = bytes.substr(0, kHalf - written_);
    const int fd = open_for_append(newer(job_));
    if (fd < 0) return;
    const auto wrote = ::write(fd, piece.data(), piece.size());
    ::close(fd);
    if (wrote <= 0) return;
    written_ += static_cast<std::size_t>(wrote);
    bytes.remove_prefix(static_cast<std::size_t>(wrote));
  }
}

std::expected<std::string, std::string> ConsoleLog::read(RequestId job) const {
  auto text = read_file(newer(job), kConsoleLogBytes);
  if (!text) {
    return std::unexpected(
        fmt::format("the console of job {} is not kept: none was read during it, or it is not one "
                    "of the worker's last {}",
                    job.value, kConsoleLogs));
  }
  return read_file(older(job), kConsoleLogBytes).value_or("") + *text;
}

void ConsoleLog::forget_old_jobs() const {
  std::vector<std::uint64_t> jobs;
  std::error_code ignored;
  for (const auto& entry : std::filesystem::directory_iterator(dir_, ignored)) {
    const auto name = entry.path().filename().native();
    if (!name.ends_with(kNewer) || name.ends_with(kOlder)) continue;
    std::uint64_t job = 0;
    const auto* end = name.data() + name.size() - kNewer.size();
    const auto parsed = std::from_chars(name.data(), end, job);
    if (parsed.ec == std::errc{} && parsed.ptr == end) jobs.push_back(job);
  }
  // Requests are numbered in the order of their filing: near enough to that of their jobs.
  std::ranges::sort(jobs, std::greater{});
  for (std::size_t i = kConsoleLogs; i < jobs.size(); ++i) {
    if (jobs[i] == job_.value) continue;
    std::filesystem::remove(newer(RequestId{jobs[i]}), ignored);
    std::filesystem::remove(older(RequestId{jobs[i]}), ignored);
  }
}

}  // namespace boruta::dryad

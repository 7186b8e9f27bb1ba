#include "cli/progress.hpp"

#include <fmt/format.h>

#include <utility>
#include <vector>

#include "cli/text.hpp"

namespace boruta::cli {
namespace {

constexpr std::string_view kErase = "\r\x1b[K";

std::string all_of(std::uint64_t count, std::string_view what) {
  if (count == 1) return std::string(what);
  return fmt::format("{} {}", count == 2 ? "both" : "all", what);
}

std::string describe_parts(const FitCount& count) {
  const auto total = count.total();
  if (count.busy == total) return all_of(total, "busy");
  if (count.out_of_service == total) return all_of(total, "out of service");
  if (count.idle == total) return all_of(total, "idle");
  std::vector<std::string> parts;
  if (count.idle > 0) parts.push_back(fmt::format("{} idle", count.idle));
  if (count.busy > 0) parts.push_back(fmt::format("{} busy", count.busy));
  if (count.out_of_service > 0) parts.push_back(fmt::format("{} out of service", count.out_of_service));
  return fmt::format("{}", fmt::join(parts, ", "));
}

std::string describe_fits(const WaitStatus& status) {
  const auto total = status.fits ? status.fits : status.count ? std::optional(status.count->total()) : std::nullopt;
  if (!total) return {};
  if (*total == 0) return "no registered worker fits";
  auto fit = plural(*total, "worker fits", "workers fit");
  // The server counts what it knows best; who they are is told only where our count agrees with it.
  const bool agrees =
      status.count && status.count->total() == *total && (!status.fits_idle || status.count->idle == *status.fits_idle);
  if (agrees) return fmt::format("{}, {}", fit, describe_parts(*status.count));
  if (!status.fits_idle) return fit;
  return *status.fits_idle == 0 ? fmt::format("{}, none idle", fit)
                                : fmt::format("{}, {} idle", fit, *status.fits_idle);
}

}  // namespace

std::string describe_wait(const WaitStatus& status) {
  std::vector<std::string> parts;
  if (!status.trouble.empty()) parts.push_back(status.trouble);
  if (!status.not_before.empty()) parts.push_back(fmt::format("not before {}", status.not_before));
  if (status.position) {
    parts.push_back(status.queue ? fmt::format("{} of {}", ordinal(*status.position), *status.queue)
                                 : ordinal(*status.position));
  }
  if (auto fits = describe_fits(status); !fits.empty()) parts.push_back(std::move(fits));
  if (!status.held.empty()) parts.push_back(status.held);
  if (!status.not_later_than.empty()) parts.push_back(fmt::format("not later than {}", status.not_later_than));
  if (parts.empty()) return "for a worker";
  return fmt::format("{}", fmt::join(parts, " · "));
}

LiveLine::LiveLine(bool terminal, std::function<std::size_t()> columns, Write write)
    : terminal_(terminal), columns_(std::move(columns)), write_(std::move(write)) {}

void LiveLine::show(std::string_view label, std::string_view text, Duration passed) {
  const auto line = labelled(label, fmt::format("{} · {}", text, format_span(passed)));
  if (terminal_) {
    // The last column stays free: some terminals wrap when it is filled.
    const auto columns = columns_();
    write_(fmt::format("{}{}", kErase, cut(line, columns > 1 ? columns - 1 : 79)));
    drawn_ = true;
  } else if (const auto change = fmt::format("{} {}", label, text); change != last_text_) {
    last_text_ = change;
    write_(line + "\n");
  }
}

void LiveLine::say(std::string_view line) {
  write_(fmt::format("{}{}\n", drawn_ ? kErase : "", line));
  drawn_ = false;
}

void LiveLine::keep() {
  if (drawn_) write_("\n");
  drawn_ = false;
}

void LiveLine::clear() {
  if (drawn_) write_(kErase);
  drawn_ = false;
}

}  // namespace boruta::cli

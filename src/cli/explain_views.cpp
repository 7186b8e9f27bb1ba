#include "cli/explain_views.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "cli/quoting.hpp"
#include "cli/text.hpp"

namespace boruta::cli {
namespace {

using client::ExplanationInfo;
using client::WorkerVerdict;

/// More of one kind are summed up.
constexpr std::size_t kShown = 5;
constexpr std::size_t kGroupsShown = 3;

std::vector<const WorkerVerdict*> of_kind(const ExplanationInfo& explanation, std::string_view fitness) {
  std::vector<const WorkerVerdict*> found;
  for (const auto& verdict : explanation.workers) {
    if (verdict.fitness == fitness) found.push_back(&verdict);
  }
  return found;
}

std::string describe_busy(const WorkerVerdict& verdict, Instant now) {
  auto text = printable(verdict.name);
  if (verdict.until) text += fmt::format(" until {}", short_time(*verdict.until, now));
  if (verdict.request) text += fmt::format(" ({}, request {})", printable(verdict.owner), verdict.request->value);
  if (!verdict.detail.empty()) text += fmt::format(", {}", printable(verdict.detail));
  return text;
}

std::string describe_out_of_service(const WorkerVerdict& verdict, Instant now) {
  auto text = fmt::format("{} {}", printable(verdict.name), printable(verdict.state_text));
  if (verdict.since) text += fmt::format(" since {}", short_time(*verdict.since, now));
  if (!verdict.by.empty() && verdict.by != "server") text += fmt::format(" by {}", printable(verdict.by));
  return verdict.detail.empty() ? text : fmt::format("{}: {}", text, printable(verdict.detail));
}

std::string miss_texts(const WorkerVerdict& verdict) {
  std::vector<std::string> texts;
  for (const auto& miss : verdict.misses) texts.push_back(printable(miss.text));
  return join_and(texts);
}

std::string describe_one(const WorkerVerdict& verdict, Instant now) {
  if (verdict.fitness == "busy" || verdict.fitness == "preparing") return describe_busy(verdict, now);
  if (verdict.fitness == "out of service") return describe_out_of_service(verdict, now);
  if (verdict.fitness == "almost fits") return fmt::format("{}: {}", printable(verdict.name), miss_texts(verdict));
  if (verdict.detail.empty()) return printable(verdict.name);
  return fmt::format("{} {}", printable(verdict.name), printable(verdict.detail));
}

/// "9 × board is qemu-arm64 · 4 × board is odroid-n2": by the first thing that is missing, the most frequent first.
std::string describe_misfits(const std::vector<const WorkerVerdict*>& verdicts) {
  std::map<std::string, std::size_t> counts;
  for (const auto* verdict : verdicts) {
    ++counts[verdict->misses.empty() ? std::string("no reason told") : printable(verdict->misses.front().text)];
  }
  std::vector<std::pair<std::string, std::size_t>> sorted(counts.begin(), counts.end());
  std::ranges::stable_sort(sorted, std::ranges::greater{}, [](const auto& entry) { return entry.second; });
  std::vector<std::string> parts;
  for (const auto& [text, count] : sorted) {
    if (parts.size() < kShown) parts.push_back(fmt::format("{} × {}", count, text));
  }
  if (sorted.size() > kShown) parts.push_back(fmt::format("{} other reasons", sorted.size() - kShown));
  return fmt::format("{}", fmt::join(parts, " · "));
}

std::string kind_line(std::string_view kind, std::size_t count, std::string_view text) {
  constexpr std::size_t kKindColumns = 15;
  return fmt::format("  {} {:>3}   {}\n", pad(kind, kKindColumns), count, text);
}

std::string describe_kind(const ExplanationInfo& explanation, std::string_view fitness, Instant now) {
  const auto verdicts = of_kind(explanation, fitness);
  if (verdicts.empty()) return {};
  if (fitness == "does not fit") return kind_line(fitness, verdicts.size(), describe_misfits(verdicts));
  std::vector<std::string> parts;
  for (const auto* verdict : verdicts) {
    if (parts.size() < kShown) parts.push_back(describe_one(*verdict, now));
  }
  if (verdicts.size() > kShown) parts.push_back(fmt::format("{} more", verdicts.size() - kShown));
  return kind_line(fitness, verdicts.size(), fmt::format("{}", fmt::join(parts, " · ")));
}

std::string describe_ahead(const ExplanationInfo& explanation) {
  if (explanation.ahead.empty()) return {};
  std::vector<std::string> parts;
  for (const auto& ahead : explanation.ahead) {
    if (parts.size() == kShown) break;
    parts.push_back(
        fmt::format("request {} ({}): {}", ahead.request.value, printable(ahead.owner), printable(ahead.why)));
  }
  const auto count = static_cast<std::size_t>(std::max<std::uint64_t>(explanation.position, 1) - 1);
  if (count > parts.size()) parts.push_back(fmt::format("{} more", count - parts.size()));
  return kind_line("comes first", count, fmt::format("{}", fmt::join(parts, " · ")));
}

/// The last line: by when, and what that rests on.
std::string describe_estimate(const ExplanationInfo& explanation, Instant now) {
  if (!explanation.not_later_than) {
    return explanation.unknown.empty() ? std::string()
                                       : fmt::format("no telling when: {}", printable(explanation.unknown));
  }
  std::vector<std::string> jobs;
  for (const auto* verdict : of_kind(explanation, "busy")) {
    if (verdict->request && jobs.size() < kShown) jobs.push_back(std::to_string(verdict->request->value));
  }
  auto text = fmt::format("not later than {}", short_time(*explanation.not_later_than, now));
  const auto unless = jobs.empty()       ? std::string("unless")
                      : jobs.size() == 1 ? fmt::format("unless job {} is prolonged or", jobs.front())
                                         : fmt::format("unless jobs {} are prolonged or", fmt::join(jobs, " or "));
  text += fmt::format(", {} someone more important comes", unless);
  if (explanation.at_worst && !jobs.empty()) {
    text += fmt::format("; however much they prolong, not later than {}", short_time(*explanation.at_worst, now));
  }
  return text;
}

std::string first_line(const ExplanationInfo& explanation, Instant now) {
  const auto asked = explanation.asked.empty() ? std::string("anything") : printable(explanation.asked);
  const auto place =
      fmt::format("{} of {} for what it asks: {}", ordinal(explanation.position), explanation.queue, asked);
  if (!explanation.request)
    return fmt::format("a request for {} would be {} of {}", asked, ordinal(explanation.position), explanation.queue);
  const auto title = fmt::format("request {}", explanation.request->value);
  if (explanation.not_before) {
    return fmt::format("{} may not start before {}, {}", title, short_time(*explanation.not_before, now), place);
  }
  const auto waited = explanation.ready_since ? now - *explanation.ready_since : Duration::zero();
  return fmt::format("{} has waited {}, {}", title, format_span(waited), place);
}

}  // namespace

std::string describe_demand(const Capabilities& caps, const std::vector<std::string>& requirements) {
  auto text = caps.empty() && !requirements.empty() ? std::string() : describe_caps(caps);
  for (const auto& requirement : requirements) {
    if (!text.empty()) text.push_back(' ');
    const auto shown = printable(requirement);
    text += shown.find_first_of(" \"") == std::string::npos ? shown : quote_word(shown);
  }
  return text;
}

std::string describe_explanation(const ExplanationInfo& explanation, Instant now) {
  if (explanation.state != client::RequestState::kWaiting) {
    auto text = fmt::format("request {} does not wait: it is {}", explanation.request.value_or(RequestId{}).value,
                            printable(explanation.state_text));
    if (!explanation.reason.empty()) text += fmt::format(", {}", printable(explanation.reason));
    return text + "\n";
  }
  auto text = first_line(explanation, now) + "\n";
  if (!explanation.held.empty()) text += fmt::format("  held: {}\n", printable(explanation.held));
  text += describe_ahead(explanation);
  for (const auto* kind : {"free", "preparing", "busy", "out of service", "reserved", "almost fits", "does not fit"}) {
    text += describe_kind(explanation, kind, now);
  }
  if (explanation.workers.empty()) text += "  no worker is registered\n";
  if (const auto estimate = describe_estimate(explanation, now); !estimate.empty()) text += estimate + "\n";
  return text;
}

std::string describe_free(const ExplanationInfo& explanation, Instant now) {
  const auto& counts = explanation.counts;
  std::vector<std::string> parts;
  parts.push_back(counts.free == 0 ? std::string("none free now") : fmt::format("{} free now", counts.free));
  std::vector<Instant> later;
  for (const auto& verdict : explanation.workers) {
    const bool soon = verdict.fitness == "busy" || verdict.fitness == "preparing";
    if (soon && verdict.until) later.push_back(*verdict.until);
  }
  if (!later.empty()) {
    const auto first = std::ranges::min(later);
    // As many as show the same time on the clock.
    const auto together =
        std::ranges::count_if(later, [&](Instant until) { return short_time(until, now) == short_time(first, now); });
    parts.push_back(fmt::format("{} more by {}", together, short_time(first, now)));
  } else if (counts.free == 0 && counts.out_of_service > 0) {
    parts.push_back(plural(counts.out_of_service, "is out of service", "are out of service"));
  }
  const auto waiting = explanation.queue > 0 ? explanation.queue - 1 : 0;
  parts.push_back(waiting == 0 ? std::string("nobody waits") : plural(waiting, "request waits", "requests wait"));
  if (!explanation.held.empty()) parts.push_back(printable(explanation.held));
  return fmt::format("{}", fmt::join(parts, " · "));
}

std::string explain_no_fit(const ExplanationInfo& explanation, std::string_view asked) {
  if (explanation.workers.empty()) return "no worker is registered";
  if (const auto reserved = of_kind(explanation, "reserved"); !reserved.empty()) {
    std::set<std::string> whose;
    for (const auto* verdict : reserved) whose.insert(printable(verdict->detail));
    return fmt::format("{} {}, but {}, which you are not in", plural(reserved.size(), "worker has", "workers have"),
                       asked, fmt::join(whose, ", "));
  }
  std::size_t fewest = explanation.workers.front().misses.size();
  for (const auto& verdict : explanation.workers) fewest = std::min(fewest, verdict.misses.size());
  std::map<std::string, std::size_t> nearest;
  for (const auto& verdict : explanation.workers) {
    if (verdict.misses.size() > fewest) continue;
    std::vector<std::string> own;
    for (const auto& miss : verdict.misses) {
      own.push_back(miss.has ? describe_caps({{miss.capability, *miss.has}})
                             : fmt::format("no {}", printable(miss.capability)));
    }
    ++nearest[join_and(own)];
  }
  std::vector<std::pair<std::string, std::size_t>> sorted(nearest.begin(), nearest.end());
  std::ranges::stable_sort(sorted, std::ranges::greater{}, [](const auto& entry) { return entry.second; });
  std::vector<std::string> shown;
  for (const auto& [what, count] : sorted) {
    if (shown.size() < kGroupsShown) shown.push_back(fmt::format("{} with {}", count, what));
  }
  const bool one = sorted.size() == 1 && sorted.front().second == 1;
  return fmt::format("no registered worker has {}; the nearest {} {}", asked, one ? "is" : "are", join_and(shown));
}

FitCount fit_count(const ExplanationInfo& explanation) {
  const auto& counts = explanation.counts;
  return FitCount{.idle = counts.free, .busy = counts.busy + counts.preparing, .out_of_service = counts.out_of_service};
}

}  // namespace boruta::cli

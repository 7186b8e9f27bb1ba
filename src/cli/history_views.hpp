#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include "cli/table.hpp"
#include "client/api_types.hpp"

/// What happened and who had what, as people see it. Pure but for the local time zone.
namespace boruta::cli {

/// Workers' names by UUID.
using WorkerNames = std::map<std::string, std::string>;

/// Of little interest to most: prolongations, comings and goings of connections and the like.
[[nodiscard]] bool is_chatty(const client::EventInfo& event);

/// "WAITING → IN PROGRESS", "WAITING" where nothing was before, else what happened: "request updated".
[[nodiscard]] std::string describe_change(const client::EventInfo& event);

/// The history of one request or, with `of_worker`, of one worker.
[[nodiscard]] Table history_table(const std::vector<client::EventInfo>& events, bool of_worker,
                                  const WorkerNames& names, Instant now);

/// "14:32:07  request 42    WAITING → IN PROGRESS · on rpi4-03 · by alice", without the line's end.
[[nodiscard]] std::string event_line(const client::EventInfo& event, const WorkerNames& names, Instant now,
                                     bool colour);

/// Who did what from where, one line an event.
[[nodiscard]] Table audit_table(const std::vector<client::EventInfo>& events, const WorkerNames& names, Instant now);

/// Of an audit's events: an agent was turned away.
[[nodiscard]] bool is_refused_agent(const client::EventInfo& event);

/// Agents that were turned away, each once for each reason and address, however often they tried.
class RefusedAgents {
 public:
  /// REQUIRES: is_refused_agent(event), and those of before are older.
  void add(const client::EventInfo& event);
  /// The last one first.
  [[nodiscard]] Table table(Instant now) const;

 private:
  struct Refused {
    client::EventInfo last;
    std::uint64_t times = 0;
  };

  /// By actor, address and reason.
  std::map<std::tuple<std::string, std::string, std::string>, Refused> agents_;
};

enum class UsageBy : std::uint8_t { kOwner, kWorker, kRequest };

/// Whoever had most comes first. By request: each job by itself.
[[nodiscard]] Table usage_table(const std::vector<client::UsageInfo>& usage, UsageBy by, const WorkerNames& names,
                                Instant now);

/// "12 jobs, 3 h 05 m in all".
[[nodiscard]] std::string describe_total(const std::vector<client::UsageInfo>& usage);

}  // namespace boruta::cli

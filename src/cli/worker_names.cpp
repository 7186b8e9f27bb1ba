#include "cli/worker_names.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/caps.hpp"
#include "cli/text.hpp"

namespace boruta::cli {
namespace {

using client::WorkerInfo;

constexpr std::size_t kTailLength = 4;
constexpr std::size_t kShortestUuid = 8;

std::string tail_of(const std::string& uuid) {
  return uuid.size() <= kTailLength ? uuid : uuid.substr(uuid.size() - kTailLength);
}

std::string cap_of(const WorkerInfo& worker, std::string_view key) {
  const auto found = worker.caps.find(key);
  return found == worker.caps.end() ? std::string() : found->second;
}

std::string plain_name(const WorkerInfo& worker) {
  if (!worker.name.empty()) return worker.name;
  if (auto name = cap_of(worker, kNameCap); !name.empty()) return name;
  const auto board = cap_of(worker, "board");
  return fmt::format("{}-{}", board.empty() ? "worker" : board, tail_of(worker.uuid));
}

}  // namespace

std::map<std::string, std::string> name_workers(const std::vector<WorkerInfo>& workers) {
  std::map<std::string, std::size_t> claims;
  for (const auto& worker : workers) ++claims[plain_name(worker)];
  std::map<std::string, std::size_t> tailed;
  for (const auto& worker : workers) {
    const auto name = plain_name(worker);
    if (claims[name] > 1) ++tailed[fmt::format("{}~{}", name, tail_of(worker.uuid))];
  }
  std::map<std::string, std::string> names;
  for (const auto& worker : workers) {
    auto name = plain_name(worker);
    if (claims[name] > 1) {
      const auto with_tail = fmt::format("{}~{}", name, tail_of(worker.uuid));
      name = tailed[with_tail] > 1 ? fmt::format("{}~{}", name, worker.uuid) : with_tail;
    }
    names.emplace(worker.uuid, std::move(name));
  }
  return names;
}

std::expected<const WorkerInfo*, std::string> find_worker(const std::vector<WorkerInfo>& workers,
                                                          std::string_view typed) {
  const auto names = name_workers(workers);
  std::vector<const WorkerInfo*> found;
  std::vector<std::string> known;
  known.reserve(workers.size());
  for (const auto& worker : workers) {
    if (worker.uuid == typed || names.at(worker.uuid) == typed) return &worker;
    const bool begins = typed.size() >= kShortestUuid && worker.uuid.starts_with(typed);
    if (begins || plain_name(worker) == typed) found.push_back(&worker);
    known.push_back(names.at(worker.uuid));
  }
  if (found.size() == 1) return found.front();
  if (found.empty()) {
    const auto nearest = nearest_word(typed, known);
    const auto hint = nearest.empty() ? std::string() : fmt::format("; did you mean {}?", nearest);
    return std::unexpected(fmt::format("there is no worker {}{}", printable(typed), printable(hint)));
  }
  std::vector<std::string> candidates;
  candidates.reserve(found.size());
  for (const auto* worker : found) candidates.push_back(fmt::format("{} ({})", names.at(worker->uuid), worker->uuid));
  return std::unexpected(
      fmt::format("{} may mean {} workers: {}", printable(typed), found.size(), printable(join_and(candidates))));
}

}  // namespace boruta::cli
